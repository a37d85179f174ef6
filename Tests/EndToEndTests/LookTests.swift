import DubCore
import DubTestKit
import Foundation
import Testing

extension EndToEnd {
    /// Commands that look and change nothing: `plan`, `runs`, `status`, `models`, `doctor`.
    @Suite struct Look {
        private struct Row: Decodable {
            var node: String
            var runs: Bool
            var reason: String
        }

        private struct Plan: Decodable {
            var nodes: [Row]
        }

        private func plan(_ mill: Mill, _ arguments: String...) async throws -> [Row] {
            let outcome = try await mill.start(["plan", "--format", "json"] + arguments).finish()
            #expect(outcome.status == 0, "\(outcome.stderr)")
            return try JSONDecoder().decode(Plan.self, from: Data(outcome.stdout.utf8)).nodes
        }

        @Test("plan tells what would run and why, before and after")
        func planned() async throws {
            try await withScratch { scratch in
                let mill = try Mill(in: scratch)
                let clip = try await Clip(seconds: 16).make(in: scratch)
                let before = try await plan(mill, clip, "--to", "es")
                #expect(before.first?.node == "probe")
                #expect(before.first?.reason == "never ran")
                #expect(before.allSatisfy { $0.runs })
                #expect(before.contains { $0.node == "synthesize[…]" && $0.reason == "waits" })
                #expect(try mill.stub.events("start").isEmpty, "planning needs no worker")
                let (_, report) = try await mill.run(clip, "--to", "es")
                let after = try await plan(mill, clip, "--to", "es")
                #expect(after.allSatisfy { !$0.runs && $0.reason == "cached" }, "\(after.filter(\.runs))")
                #expect(try report.item.nodes.run + report.item.nodes.cached == after.count)
                let more = try await plan(mill, clip, "--to", "es,fr")
                #expect(more.filter { $0.node.hasPrefix("transcribe") }.allSatisfy { !$0.runs })
                #expect(more.contains { $0.node == "translate[fr,1]" && $0.runs && $0.reason == "never ran" })
                let other = try await plan(mill, clip, "--to", "es", "--translator", "stub-second")
                let reason = other.first { $0.node == "translate[es,1]" }?.reason
                #expect(reason == #"parameter model "auto"→"stub-second""#)
                let missing = try await mill.dubmill("plan", mill.path("none.mp4"), "--to", "es")
                #expect(missing.status == 1)
                #expect(missing.stderr.contains("error[input.missing]"))
                let table = try await mill.dubmill("plan", clip, "--to", "es")
                #expect(table.stdout.hasPrefix("NODE"))
                #expect(table.stderr.hasPrefix("\(after.count) cached, 0 known to run"))
            }
        }

        @Test("plan tells of an output that is gone from the store")
        func damaged() async throws {
            try await withScratch { scratch in
                let mill = try Mill(in: scratch)
                let clip = try await Clip(seconds: 6).make(in: scratch)
                _ = try await mill.run(clip, "--to", "es")
                let objects = try FileManager.default.subpathsOfDirectory(atPath: mill.store + "/objects")
                let flac = try #require(objects.first { $0.hasSuffix(".flac") })
                try FileManager.default.removeItem(atPath: mill.store + "/objects/" + flac)
                let rows = try await plan(mill, clip, "--to", "es")
                // The bed and the dub: whichever it was.
                #expect(
                    rows.contains { row in
                        ["mix[es]": "output audio is missing", "separate": "output bed is missing"]
                            .contains { row.node == $0 && row.reason.hasPrefix($1) }
                    })
                let (outcome, report) = try await mill.run(clip, "--to", "es")
                #expect(outcome.status == 0)
                #expect(try report.item.nodes.run == 1)
            }
        }

        @Test("plan draws the graph")
        func mermaid() async throws {
            try await withScratch { scratch in
                let mill = try Mill(in: scratch)
                let outcome = try await mill.dubmill("plan", "any.mp4", "--to", "es", "--graph", "mermaid")
                #expect(outcome.status == 0, "\(outcome.stderr)")
                #expect(outcome.stdout.hasPrefix("flowchart LR\n"))
                for edge in ["item --> probe", "probe --> extract", "synthesize --> fit", "mix --> remux"] {
                    #expect(outcome.stdout.contains("  \(edge)\n"), "\(edge)")
                }
                #expect(outcome.stdout.contains("each language, chunk, line"))
            }
        }

        @Test(
            "every pipeline that ships is read, checked and planned",
            arguments: try FileManager.default.contentsOfDirectory(
                atPath: Tool.repository.appendingPathComponent("Pipelines").path
            ).filter { $0.hasSuffix(".yaml") })
        func pipelines(file: String) async throws {
            try await withScratch { scratch in
                let mill = try Mill(in: scratch)
                let clip = try await Clip(seconds: 4).make(in: scratch)
                let path = Tool.repository.appendingPathComponent("Pipelines/\(file)").path
                let text = try String(contentsOfFile: path, encoding: .utf8)
                let language = text.contains("to: {type: languages}") ? ["--to", "es"] : []
                let outcome = try await mill.start(["plan", clip, "--pipeline", path] + language).finish()
                #expect(outcome.status == 0, "\(outcome.stderr)")
                let byName = try await mill.start(
                    ["plan", clip, "--pipeline", String(file.dropLast(5))] + language
                ).finish()
                #expect(byName.stdout == outcome.stdout)
                let ran = try await mill.start(
                    ["run", clip, "--pipeline", path, "--out", mill.out, "--quiet"] + language
                ).finish()
                #expect(ran.status == 0, "\(ran.stdout) \(ran.stderr)")
                #expect(!mill.delivered.isEmpty)
            }
        }

        @Test("runs and status tell what was done and what failed")
        func history() async throws {
            try await withScratch { scratch in
                let mill = try Mill(in: scratch)
                let none = try await mill.dubmill("runs")
                #expect(none.status == 1)
                #expect(none.stderr.contains("error[input.missing]"))
                let clip = try await Clip(seconds: 6).make(in: scratch)
                let (_, good) = try await mill.run(clip, "--to", "es")
                let silent = try await Clip(seconds: 4, name: "silent.mp4", isSilent: true).make(in: scratch)
                let (_, bad) = try await mill.run(clip, silent, "--to", "es")
                let list = try await mill.dubmill("runs", "--format", "json")
                let runs = try #require(JSONValue.parse(Data(list.stdout.utf8)).array)
                #expect(runs.map { $0["run"]?.string } == [bad.run, good.run])
                #expect(runs.first?["items"] == ["passed": 1, "failed": 1])
                #expect(runs.allSatisfy { $0["state"] == "finished" && $0["pipeline"] == "dub" })
                let one = try await mill.dubmill("runs", "--limit", "1")
                #expect(one.stdout.contains(bad.run ?? "?") && !one.stdout.contains(good.run ?? "?"))
                let status = try await mill.status()
                #expect(status.run == bad.run)
                #expect(status["chunk"]?.failed == 1)
                #expect(try await mill.status(good.run).items.map(\.status) == ["passed"])
                let table = try await mill.dubmill("status")
                #expect(table.stdout.contains("STAGE"))
                #expect(table.stdout.contains("chunk failed after 1 attempt\n"))
                #expect(table.stdout.contains("error[speech.none]"))
                let unknown = try await mill.dubmill("status", "nothing")
                #expect(unknown.status == 1)
                #expect(unknown.stderr.contains("dubmill runs"))
            }
        }

        @Test("models list tells what is here, what is not, and what one has to bring")
        func models() async throws {
            try await withScratch { scratch in
                let mill = try Mill(in: scratch)
                let outcome = try await mill.dubmill("models", "list", "--format", "json")
                #expect(outcome.status == 0, "\(outcome.stderr)")
                let rows = try #require(JSONValue.parse(Data(outcome.stdout.utf8)).array)
                let states = Dictionary(
                    rows.map { ($0["name"]?.string ?? "", $0["state"]?.string ?? "") }, uniquingKeysWith: { $1 })
                #expect(states["stub-voice"] == "installed")
                #expect(states["stub-absent"] == "missing")
                #expect(states["stub-large"] == "bring your own")
                let usable = try await mill.dubmill("models", "list", "--usable")
                #expect(usable.stdout.hasPrefix("NAME"))
                #expect(!usable.stdout.contains("stub-large"))
            }
        }

        @Test("doctor is content with a whole installation, and names what is missing from another")
        func doctor() async throws {
            try await withScratch { scratch in
                let mill = try Mill(in: scratch)
                let well = try await mill.dubmill("doctor", environment: ["DUBMILL_TO": "es"])
                #expect(well.status == 0, "\(well.stdout) \(well.stderr)")
                #expect(well.stdout.contains("ok    worker answers"))
                #expect(well.stdout.contains("setting to: es (from the environment)"))
                try FileManager.default.removeItem(atPath: mill.path("install/models/stub-voice"))
                let ill = try await mill.dubmill("doctor", "--format", "json")
                #expect(ill.status == 1)
                let findings = try #require(JSONValue.parse(Data(ill.stdout.utf8)).array)
                let bad = findings.filter { $0["isGood"] == false }
                #expect(bad.map { $0["what"] } == ["model stub-voice"])
                #expect(bad.first?["fix"] == "dubmill models pull stub-voice")
                let lost = try await mill.dubmill(
                    "doctor", environment: ["DUBMILL_WORKER_PYTHON": mill.path("no-python")])
                #expect(lost.status == 1)
                #expect(lost.stdout.contains("BAD   worker") && lost.stdout.contains("fix: "))
            }
        }
    }
}
