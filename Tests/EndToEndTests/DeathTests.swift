import DubCore
import DubTestKit
import Foundation
import Testing

extension EndToEnd {
    /// Workers that die, and dubmill killed and interrupted.
    @Suite struct Death {
        /// Which of these processes still are.
        private func living(_ mill: Mill) throws -> [Int32] {
            try mill.stub.events("start").compactMap(\.pid).filter { kill($0, 0) == 0 }
        }

        @Test("a worker that dies once in mid-batch is started again, and the run passes")
        func once() async throws {
            try await withScratch { scratch in
                var behaviour = StubWorker.Behaviour.hearing
                behaviour.dieAt = "at 280 hertz"
                behaviour.dieOnce = true
                let mill = try Mill(in: scratch, behaviour: behaviour)
                let clip = try await Clip().make(in: scratch)
                let outcome = try await mill.dubmill(
                    "run", clip, "--to", "es", "--format", "json", "--out", mill.out)
                #expect(outcome.status == 0, "\(outcome.stdout)")
                #expect(outcome.stderr.contains("attempt 2 follows"))
                #expect(try mill.stub.events("start").count == 2)
                #expect(try living(mill).isEmpty)
                let undisturbed = try Mill(in: scratch.appendingPathComponent("undisturbed"))
                let (_, report) = try await undisturbed.run(clip, "--to", "es")
                #expect(try Report(outcome).item.outputs.map(\.sha256) == report.item.outputs.map(\.sha256))
            }
        }

        @Test(
            "one line that kills the worker each time fails alone: its fellows are voiced, and the worker is not blamed"
        )
        func poison() async throws {
            try await withScratch { scratch in
                let clip = try await Clip(seconds: 13, pause: 1).make(in: scratch)
                let sound = try Mill(in: scratch.appendingPathComponent("sound"))
                let (_, whole) = try await sound.run(clip, "--to", "es")
                let lines = try await sound.status(whole.run)["synthesize"]?.run ?? 0
                try #require(lines > 2)
                var behaviour = StubWorker.Behaviour.hearing
                behaviour.dieAt = "[es] Somebody hums at 280 hertz"
                let mill = try Mill(in: scratch, behaviour: behaviour)
                let (outcome, report) = try await mill.run(clip, "--to", "es")
                #expect(outcome.status == 1)
                #expect(try report.item.error?.code.hasPrefix("worker.") == true)
                let voiced = try await mill.status(report.run)["synthesize"]
                #expect(voiced?.failed == 1)
                #expect(voiced?.run == lines - 1)
            }
        }

        @Test("a worker that always dies fails the item, and says so")
        func always() async throws {
            try await withScratch { scratch in
                var behaviour = StubWorker.Behaviour.hearing
                behaviour.dieAfter = 0
                let mill = try Mill(in: scratch, behaviour: behaviour)
                let clip = try await Clip(seconds: 6).make(in: scratch)
                let (outcome, report) = try await mill.run(clip, "--to", "es")
                #expect(outcome.status == 1)
                let error = try #require(try report.item.error)
                #expect(error.code.hasPrefix("worker."), "\(error)")
                #expect(!error.fix.isEmpty)
                #expect(mill.delivered.isEmpty)
                // Mended, it goes on from there.
                try mill.stub.become(.hearing)
                let (mended, second) = try await mill.run(clip, "--to", "es")
                #expect(mended.status == 0, "\(mended.stdout)")
                #expect(try second.item.nodes.cached >= 2)
            }
        }

        @Test("a worker that does not start is told with its own words")
        func refuses() async throws {
            try await withScratch { scratch in
                var behaviour = StubWorker.Behaviour.hearing
                behaviour.refuseStart = true
                let mill = try Mill(in: scratch, behaviour: behaviour)
                let clip = try await Clip(seconds: 4).make(in: scratch)
                let (outcome, report) = try await mill.run(clip, "--to", "es")
                #expect(outcome.status == 1)
                let error = try #require(try report.item.error)
                #expect(error.code.hasPrefix("worker."))
                #expect(error.message.contains("for want of weights"), "\(error)")
            }
        }

        @Test("killed at twenty random points and started again, it delivers what an unbroken run does")
        func killed() async throws {
            try await withScratch { scratch in
                let clip = try await Clip(seconds: 13, pause: 4.2).make(in: scratch)
                let unbroken = try Mill(in: scratch.appendingPathComponent("unbroken"))
                let (whole, report) = try await unbroken.run(clip, "--to", "es")
                #expect(whole.status == 0, "\(whole.stdout)")
                let wanted = Set(try report.item.outputs.map(\.sha256))
                let all = try await unbroken.status(report.run)
                var random = SeededRandom(seed: 20)
                var interrupted = 0
                for number in 0..<20 {
                    let mill = try Mill(in: scratch.appendingPathComponent("\(number)"))
                    // Coverage that is being written when the process is killed would be damaged.
                    let running = try mill.start(
                        ["run", clip, "--to", "es", "--quiet", "--out", mill.out], ["LLVM_PROFILE_FILE": "/dev/null"])
                    let share = Double.random(in: 0.02...1, using: &random)
                    try await Task.sleep(for: whole.elapsed * share)
                    running.signal(SIGKILL)
                    let dead = try await running.finish()
                    // Whole or not at all: what lies under a final name is what it should be.
                    for name in mill.delivered where !name.hasPrefix(".") {
                        #expect(wanted.contains(try Digest.of(fileAt: mill.out + "/" + name).hex), "\(name)")
                    }
                    let before = try? await mill.status()
                    let (outcome, resumed) = try await mill.run(clip, "--to", "es")
                    #expect(outcome.status == 0, "\(outcome.stdout)")
                    #expect(Set(try resumed.item.outputs.map(\.sha256)) == wanted)
                    for output in try resumed.item.outputs {
                        #expect(try Digest.of(fileAt: output.path).hex == output.sha256)
                    }
                    if dead.status == 128 + SIGKILL { interrupted += 1 }
                    let after = try await mill.status(resumed.run)
                    for stage in all.stages {
                        let done = before?[stage.stage]?.run ?? 0
                        #expect(
                            (after[stage.stage]?.run ?? 0) + done == stage.run,
                            "\(stage.stage): \(done) before the kill at \(share) of the run")
                    }
                    #expect(try await eventually { try living(mill).isEmpty })
                }
                #expect(interrupted >= 10, "only \(interrupted) of 20 were hit while they ran")
            }
        }

        @Test("shows a run whose process was killed as interrupted")
        func shown() async throws {
            try await withScratch { scratch in
                var behaviour = StubWorker.Behaviour.hearing
                behaviour.delay = 60
                let mill = try Mill(in: scratch, behaviour: behaviour)
                let clip = try await Clip(seconds: 6).make(in: scratch)
                let running = try mill.start(["run", clip, "--to", "es", "--quiet", "--out", mill.out])
                #expect(try await eventually { try !mill.stub.events("batch").isEmpty })
                #expect(try await mill.status().state == "running")
                running.signal(SIGKILL)
                _ = try await running.finish()
                #expect(try await mill.status().state == "interrupted")
            }
        }

        @Test(
            "interrupted, it ends within a second, says how to go on, and takes the worker with it",
            arguments: [SIGINT, SIGTERM])
        func interrupted(signal: Int32) async throws {
            try await withScratch { scratch in
                var behaviour = StubWorker.Behaviour.hearing
                behaviour.delay = 60
                let mill = try Mill(in: scratch, behaviour: behaviour)
                let clip = try await Clip(seconds: 6).make(in: scratch)
                let running = try mill.start(["run", clip, "--to", "es", "--format", "json", "--out", mill.out])
                #expect(try await eventually { try !mill.stub.events("batch").isEmpty })
                running.signal(signal)
                let outcome = try await running.finish()
                #expect(outcome.status == 130)
                #expect(outcome.elapsed < .seconds(1), "\(outcome.elapsed)")
                #expect(outcome.stderr.contains("the same command goes on"))
                #expect(mill.delivered.isEmpty)
                let report = try Report(outcome)
                #expect(try report.item.status == "cancelled")
                #expect(try report.item.error?.code == "run.cancelled")
                #expect(try await eventually { try living(mill).isEmpty })
                try mill.stub.become(.hearing)
                let (second, resumed) = try await mill.run(clip, "--to", "es")
                #expect(second.status == 0)
                #expect(try resumed.item.nodes.cached >= 2, "probe and extract were done")
            }
        }
    }
}
