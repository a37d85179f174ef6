import DubCore
import DubTestKit
import Foundation
import Testing

extension EndToEnd {
    /// `dubmill store`: clearing out, checking, and what is damaged.
    @Suite struct Store {
        @Test("gc removes what no result names; what was given up for room is made again, and is the same")
        func collect() async throws {
            try await withScratch { scratch in
                let mill = try Mill(in: scratch)
                let (none, _) = try await mill.keep("gc")
                #expect(none.status == 1 && none.stderr.contains("input.missing"), "\(none.stderr)")
                let clip = try await Clip(seconds: 6).make(in: scratch)
                let (whole, report) = try await mill.run(clip, "--to", "es")
                #expect(whole.status == 0, "\(whole.stdout)")
                let objects = mill.objects
                let stray = "00/" + String(repeating: "0", count: 62) + ".wav"
                try FileManager.default.createDirectory(
                    atPath: mill.store + "/objects/00", withIntermediateDirectories: true)
                try Data(count: 1000).write(to: URL(fileURLWithPath: mill.path(ofObject: stray)))
                try FileManager.default.createDirectory(
                    atPath: mill.store + "/scratch/somebody.1", withIntermediateDirectories: true)
                let (_, told) = try await mill.keep("gc", "--dry-run")
                #expect(count(told["orphans"]) == 1 && count(told["evicted"]) == 0)
                #expect(mill.objects == objects.union([stray]))
                let (collected, done) = try await mill.keep("gc")
                #expect(collected.status == 0 && count(done["orphans"]) == 1, "\(collected.stdout)")
                #expect(count(done["left"]) == objects.count)
                #expect(mill.objects == objects)
                #expect(try FileManager.default.contentsOfDirectory(atPath: mill.store + "/scratch").isEmpty)
                let (_, again) = try await mill.run(clip, "--to", "es")
                #expect(try again.item.nodes.run == 0)
                let (_, old) = try await mill.keep("gc", "--older-than", "1d")
                #expect(count(old["evicted"]) == 0)
                let (_, emptied) = try await mill.keep("gc", "--budget", "0")
                #expect(count(emptied["evicted"]) == objects.count && mill.objects.isEmpty)
                let (second, made) = try await mill.run(clip, "--to", "es")
                #expect(second.status == 0 && mill.objects == objects)
                #expect(try made.item.nodes == .init(run: report.item.nodes.run, cached: 0))
                #expect(try made.item.outputs == report.item.outputs)
            }
        }

        @Test("gc while a run goes on takes nothing from it")
        func live() async throws {
            try await withScratch { scratch in
                let mill = try Mill(in: scratch)
                let clip = try await Clip(seconds: 8).make(in: scratch)
                var hanging = StubWorker.Behaviour.hearing
                hanging.hang = "hums"
                try mill.stub.become(hanging)
                let running = try mill.start(["run", clip, "--to", "es", "--quiet", "--out", mill.out])
                #expect(try await eventually { try mill.stub.events("batch").contains { $0.task == "translate" } })
                let objects = mill.objects
                #expect(objects.count > 5)
                for limits in [["--budget", "0"], ["--older-than", "0d"], []] {
                    let outcome = try await mill.start(["store", "gc", "--format", "json"] + limits).finish()
                    #expect(outcome.status == 0, "\(outcome.stderr)")
                    // What does not wait for the translation goes on, and adds to them.
                    #expect(objects.isSubset(of: mill.objects), "\(limits): \(outcome.stdout)")
                }
                try mill.stub.become(.hearing)
                let outcome = try await running.finish()
                #expect(outcome.status == 0, "\(outcome.stderr)")
                let (_, again) = try await mill.run(clip, "--to", "es")
                #expect(try again.item.nodes.run == 0)
            }
        }

        @Test("a budget in the settings is kept after each run, and a malformed one refused before")
        func budget() async throws {
            try await withScratch { scratch in
                let mill = try Mill(in: scratch)
                let first = try await Clip(seconds: 6, name: "first.mp4").make(in: scratch)
                let second = try await Clip(seconds: 7, name: "second.mp4").make(in: scratch)
                let (bad, _) = try await mill.run(first, "--to", "es", environment: ["DUBMILL_STORE_BUDGET": "much"])
                #expect(bad.status == 64)
                _ = try await mill.run(first, "--to", "es")
                let kept = mill.objects
                let bytes = try kept.reduce(0) {
                    $0 + (try FileManager.default.attributesOfItem(atPath: mill.path(ofObject: $1))[.size] as? Int ?? 0)
                }
                let (outcome, _) = try await mill.run(
                    second, "--to", "es", environment: ["DUBMILL_STORE_BUDGET": "\(bytes * 3 / 2)"])
                #expect(outcome.status == 0 && outcome.stderr.contains("The store was over"), "\(outcome.stderr)")
                let (_, again) = try await mill.run(second, "--to", "es")
                #expect(try again.item.nodes.run == 0, "what was used last stays")
                #expect(!kept.isSubset(of: mill.objects))
            }
        }

        @Test("verify finds what is damaged, missing and orphaned; repaired, it is made again")
        func verify() async throws {
            try await withScratch { scratch in
                let mill = try Mill(in: scratch)
                let clip = try await Clip(seconds: 12).make(in: scratch)
                let (_, report) = try await mill.run(clip, "--to", "es")
                let (fine, good) = try await mill.keep("verify")
                #expect(fine.status == 0 && count(good["damaged"]) == 0 && count(good["missing"]) == 0)
                let stages = try await mill.objectsByStage()
                let speech = try #require(stages["extract"]?.first { $0.hasSuffix(".wav") })
                let large = URL(fileURLWithPath: mill.path(ofObject: speech))
                var bytes = try Data(contentsOf: large)
                #expect(bytes.count > 256 << 10)
                bytes[200_000] ^= 1
                try bytes.write(to: large)
                let take = try #require(stages["synthesize"]?.first { $0.hasSuffix(".wav") })
                try FileManager.default.removeItem(atPath: mill.path(ofObject: take))
                let (found, findings) = try await mill.keep("verify")
                #expect(found.status == 1)
                #expect(count(findings["damaged"]) == 1 && count(findings["missing"]) == 1, "\(found.stdout)")
                let (repaired, _) = try await mill.keep("verify", "--repair")
                #expect(repaired.status == 0 && !FileManager.default.fileExists(atPath: large.path))
                let (again, made) = try await mill.run(clip, "--to", "es")
                #expect(again.status == 0)
                #expect(try made.item.outputs == report.item.outputs)
                let ran = try await mill.status(made.run).ran
                #expect(ran["extract"] == 1 && ran["synthesize"] == 1 && ran.count == 2, "\(ran)")
                let (last, clean) = try await mill.keep("verify")
                #expect(last.status == 0 && count(clean["missing"]) == 0)
            }
        }

        @Test("whatever stage's output is changed, cut off or gone: it is made again, told, and all ends the same")
        func damage() async throws {
            try await withScratch { scratch in
                let mill = try Mill(in: scratch)
                let clip = try await Clip(seconds: 6).make(in: scratch)
                let (_, report) = try await mill.run(clip, "--to", "es")
                let objects = mill.objects
                let stages = try await mill.objectsByStage()
                #expect(stages.count > 10, "\(stages.keys)")
                let writers = Dictionary(stages.values.joined().map { ($0, 1) }, uniquingKeysWith: +)
                for (stage, names) in stages.sorted(by: { $0.key < $1.key }) {
                    for way in ["changed", "cut", "gone"] {
                        // What two stages wrote is made again by whichever comes first.
                        let name = try #require(names.first { writers[$0] == 1 } ?? names.first)
                        let place = URL(fileURLWithPath: mill.path(ofObject: name))
                        var bytes = try Data(contentsOf: place)
                        // What is large is measured at each look, and read by `store verify` alone.
                        if way == "changed", bytes.count > 256 << 10 || bytes.isEmpty { continue }
                        switch way {
                        case "changed":
                            bytes[bytes.count / 2] ^= 1
                            try bytes.write(to: place)
                        case "cut": try bytes.dropLast().write(to: place)
                        default: try FileManager.default.removeItem(at: place)
                        }
                        let (outcome, again) = try await mill.run(clip, "--to", "es")
                        #expect(outcome.status == 0, "\(stage) \(way): \(outcome.stdout)")
                        #expect(try again.item.outputs == report.item.outputs, "\(stage) \(way)")
                        #expect(
                            try await mill.status(again.run).ran[stage] ?? 0 >= 1 || writers[name] != 1,
                            "\(stage) \(way)")
                        #expect(mill.objects == objects)
                        #expect(outcome.stderr.contains("damaged in the store") == (way != "gone"), "\(outcome.stderr)")
                        let reasons = try await mill.ledger(
                            "SELECT reason FROM node WHERE run = '\(again.run ?? "")' AND state = 'done'")
                        let word = way == "gone" ? "is missing" : "is damaged"
                        #expect(reasons.contains { $0[0].contains(word) }, "\(stage) \(way): \(reasons)")
                    }
                }
                let (fine, _) = try await mill.keep("verify")
                #expect(fine.status == 0)
            }
        }
    }
}
