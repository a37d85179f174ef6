import DubCore
import DubTestKit
import Foundation
import Testing

extension EndToEnd {
    /// Commands that explain what was run, and what will be: `report`, `logs`, `trace`, `retry`, `cancel`, estimates.
    @Suite struct Explain {
        private func json(_ outcome: Outcome) throws -> JSONValue {
            guard outcome.status == 0 else { throw Tool.Failed(description: outcome.stderr) }
            return try JSONValue.parse(Data(outcome.stdout.utf8))
        }

        @Test("a run's failure is told by report, logs and trace, and taken up by retry when it is mended")
        func failure() async throws {
            try await withScratch { scratch in
                let mill = try Mill(in: scratch)
                let good = try await Clip(seconds: 6, name: "<b>good.mp4").make(in: scratch)
                for folder in ["a", "b"] {
                    try FileManager.default.createDirectory(
                        at: scratch.appendingPathComponent(folder), withIntermediateDirectories: true)
                }
                // Of the same name, so that their outputs are told apart by their folders: retried too.
                let twin = try await Clip(seconds: 5).make(in: scratch.appendingPathComponent("a"))
                let bad = try await Clip(seconds: 4, isSilent: true).make(in: scratch.appendingPathComponent("b"))
                let (_, report) = try await mill.run(good, twin, bad, "--to", "es")
                let run = try #require(report.run)
                #expect(report.items.map(\.status) == ["passed", "passed", "failed"])

                let page = mill.path("report.html")
                let told = try await mill.dubmill("report", "--out", page)
                #expect(told.stdout == page + "\n", "\(told.stderr)")
                let html = try String(contentsOfFile: page, encoding: .utf8)
                for part in [run, "speech.none", "&lt;b&gt;good.mp4", "class=\"graph\"", "class=\"timeline\""] {
                    #expect(html.contains(part), "\(part)")
                }
                #expect(!html.contains("<b>"))
                #expect(try await mill.dubmill("report", String(run.dropLast(2))).stdout.hasPrefix("<!doctype html>"))

                let logs = try #require(try json(await mill.dubmill("logs", run, "--format", "json")).array)
                #expect(logs.map { $0["node"] } == ["chunk"])
                #expect(logs.first?["error"]?["code"] == "speech.none")
                #expect(try await mill.dubmill("logs", run).stdout.contains("clip.mp4: chunk failed"))
                #expect(try await mill.dubmill("logs", run, "probe").stdout.contains("probe done"))
                #expect(try await mill.dubmill("logs", run, "nothing").status == 1)

                let trace = try json(await mill.dubmill("trace", run))
                let spans = trace["resourceSpans"]?.array?.first?["scopeSpans"]?.array?.first?["spans"]?.array ?? []
                #expect(spans.contains { $0["name"] == "synthesize[es,1,1]" })
                #expect(spans.filter { $0["status"] != nil }.map { $0["name"] } == ["dub", "clip.mp4", "chunk"])

                let letters = try #require(try json(await mill.dubmill("retry", "--list", "--format", "json")).array)
                #expect(letters.map { $0["source"]?.string } == [bad])
                #expect(letters.first?["run"]?.string == run)
                #expect(try await mill.dubmill("retry", "--list").stdout.contains("speech.none"))

                // Mended: the file speaks now.
                _ = try await Clip(seconds: 5).make(in: scratch.appendingPathComponent("b"))
                let retried = try await mill.dubmill("retry", "--format", "json", "--quiet")
                #expect(retried.status == 0, "\(retried.stdout) \(retried.stderr)")
                let second = try Report(retried)
                #expect(second.items.map(\.source) == [bad] && second.items.map(\.status) == ["passed"])
                #expect(second.items.first?.outputs.first?.path == mill.out + "/b-clip-mp4.es.mp4")
                let none = try await mill.dubmill("retry")
                #expect(none.status == 0 && none.stderr.contains("Nothing to retry"))
                #expect(try json(await mill.dubmill("retry", "--list", "--format", "json")) == .array([]))
            }
        }

        @Test("cancel asks the process of a run to stop, watch follows it to its end, retry takes it up")
        func cancel() async throws {
            try await withScratch { scratch in
                var behaviour = StubWorker.Behaviour.hearing
                behaviour.delay = 60
                let mill = try Mill(in: scratch, behaviour: behaviour)
                let clip = try await Clip(seconds: 6).make(in: scratch)
                let other = try await Clip(seconds: 5, name: "other.mp4").make(in: scratch)
                let third = try await Clip(seconds: 5, name: "third.mp4").make(in: scratch)
                let running = try mill.start(["run", clip, other, third, "--to", "es", "--out", mill.out])
                #expect(try await eventually { try mill.stub.events("start").count == 1 })
                let run = try await mill.status().run
                let watching = try mill.start(["status", run, "--watch"])
                let terminal = try Terminal()
                let drawing = try mill.start(["status", run, "--watch"], ["TERM": "xterm"], terminal: terminal)
                #expect(try await eventually { terminal.text.contains("\(run)  dub  ") })
                let busy = try await mill.dubmill("retry", run)
                #expect(busy.status == 1 && busy.stderr.contains("The run goes on"))
                let cancelled = try await mill.dubmill("cancel", run)
                #expect(cancelled.status == 0)
                #expect(cancelled.stdout.hasPrefix("\(run): asked process "), "\(cancelled.stdout)")
                #expect(try await running.finish().status == 130)
                let watched = try await watching.finish()
                #expect(watched.status == 130, "\(watched.stdout) \(watched.stderr)")
                #expect(watched.stdout.contains(run))
                #expect(try await drawing.finish().status == 130)
                let drawn = try await terminal.finish()
                #expect(drawn.contains("  probe: ") && drawn.hasSuffix("\u{1b}[J"), "cleared away at the end: \(drawn)")
                let again = try await mill.dubmill("cancel", run)
                #expect(again.status == 0 && again.stdout.contains("had ended already"), "\(again.stdout)")
                try mill.stub.become(.hearing)
                let retried = try Report(try await mill.dubmill("retry", run, "--format", "json", "--quiet"))
                #expect(retried.items.map(\.source) == [clip, other, third])
                #expect(retried.items.allSatisfy { $0.status == "passed" })
            }
        }

        @Test("the estimate rests on past runs, counts what is cached as nothing, and keeps to a budget")
        func estimates() async throws {
            try await withScratch { scratch in
                let mill = try Mill(in: scratch)
                let clips = [
                    try await Clip(seconds: 6, name: "a.mp4").make(in: scratch),
                    try await Clip(seconds: 9, name: "b.mp4").make(in: scratch),
                    try await Clip(seconds: 12, name: "c.mp4").make(in: scratch),
                ]
                let none = try await mill.dubmill("plan", clips[0], "--to", "es")
                #expect(none.stdout.contains("\nESTIMATE  no figures yet\n"), "\(none.stderr)")
                let unjudged = try await mill.dubmill(
                    "run", clips[0], "--to", "es", "--budget", "1s", "--out", mill.out)
                #expect(unjudged.status == 0 && unjudged.stderr.contains("no figures yet"), "\(unjudged.stdout)")
                _ = try await mill.run(clips[1], "--to", "es")
                let plan = try json(
                    await mill.dubmill("plan", clips[2], "--to", "es", "--format", "json", "--cost-per-hour", "3600"))
                let estimate = try #require(plan["estimate"])
                let seconds = try #require(estimate["seconds"]?.double)
                #expect(seconds > 0 && estimate["items"] == .integer(2))
                #expect(try #require(estimate["relativeError"]?.double) >= 0)
                #expect(abs(try #require(estimate["cost"]?.double) - seconds) < 1e-6)
                let stages = try #require(estimate["stages"]?.array)
                #expect(stages.contains { $0["stage"] == "transcribe" } && stages.contains { $0["stage"] == "remux" })
                let cached = try await mill.dubmill("plan", clips[0], "--to", "es")
                #expect(cached.stdout.hasSuffix("\nESTIMATE  nothing to run\n"), "\(cached.stdout)")

                for budget in [["--budget", "0.0001s"], ["--budget", "0.0001", "--cost-per-hour", "3600"]] {
                    let refused = try await mill.start(
                        ["run", clips[2], "--to", "es", "--format", "json", "--out", mill.out] + budget
                    ).finish()
                    #expect(refused.status == 1)
                    let report = try Report(refused)
                    #expect(report.run == nil)
                    #expect(try report.item.error?.code == "budget.exceeded")
                }
                #expect(try json(await mill.dubmill("runs", "--format", "json")).array?.count == 2, "nothing was begun")
                let priceless = try await mill.dubmill("run", clips[2], "--to", "es", "--budget", "2.50")
                #expect(priceless.status == 64)
                let malformed = try await mill.dubmill("run", clips[2], "--to", "es", "--budget", "soon")
                #expect(malformed.status == 64)
                let within = try await mill.dubmill(
                    "run", clips[2], "--to", "es", "--budget", "10h", "--out", mill.out)
                #expect(within.status == 0, "\(within.stdout)")
            }
        }

        @Test("plan draws the graph for Graphviz, and tells which node wrote an input that changed")
        func graph() async throws {
            try await withScratch { scratch in
                let mill = try Mill(in: scratch)
                let dot = try await mill.dubmill("plan", "any.mp4", "--to", "es", "--graph", "dot")
                #expect(dot.stdout.hasPrefix("digraph \"dub\" {") && dot.stdout.hasSuffix("}\n"), "\(dot.stderr)")
                #expect(dot.stdout.contains("  \"probe\" -> \"extract\";\n"))
                let clip = try await Clip(seconds: 8).make(in: scratch)
                _ = try await mill.run(clip, "--to", "es")
                // Another film under the same name: what is read changed, and who wrote it is known.
                _ = try await Clip(seconds: 16).make(in: scratch)
                let (_, second) = try await mill.run(clip, "--pipeline", "transcribe")
                let plan = try json(await mill.dubmill("plan", clip, "--to", "es", "--format", "json"))
                let reasons = (plan["nodes"]?.array ?? []).compactMap { $0["reason"]?.string }
                let run = try #require(second.run)
                #expect(reasons.contains { $0.hasSuffix("in run \(run)") }, "\(reasons)")
            }
        }
    }
}
