import DubCore
import DubTestKit
import DubWorkers
import Foundation
import Testing

extension EndToEnd {
    /// The models are elsewhere: `--worker`.
    @Suite struct Pool {
        private func address(_ stub: StubWorker) async throws -> String { "\(try await stub.worker.endpoint())" }

        @Test("a dub by two workers, one of which is killed in the middle, is the dub that one makes alone")
        func killed() async throws {
            try await withScratch { scratch in
                let mill = try Mill(in: scratch)
                let clip = try await Clip(seconds: 16).make(in: scratch)
                let (alone, whole) = try await mill.run(clip, "--to", "es,fr")
                #expect(alone.status == 0, "\(alone.stderr)")
                let wanted = try whole.item.outputs.map(\.sha256)

                let second = try Mill(in: scratch.appendingPathComponent("second", isDirectory: true))
                let first = try await address(mill.stub)
                var dying = StubWorker.Behaviour.hearing
                dying.dieAfter = 4
                try second.stub.become(dying)
                let other = try await address(second.stub)
                let store = scratch.appendingPathComponent("another-store").path
                let (outcome, report) = try await mill.run(
                    clip, "--to", "es,fr", "--worker", other, "--worker", first,
                    // There is no worker here to fall back to.
                    environment: ["DUBMILL_STORE": store, "DUBMILL_WORKER_PYTHON": "/nowhere/python"])
                #expect(outcome.status == 0, "\(outcome.stderr)")
                #expect(try report.item.outputs.map(\.sha256) == wanted)
                #expect(try second.stub.events("batch").count > 0)
                #expect(outcome.stderr.contains(other), "it says which worker failed: \(outcome.stderr)")
                await mill.stub.worker.shutdown()
                await second.stub.worker.shutdown()
            }
        }

        @Test("workers and token come from the environment, a wrong token is told, and none is shown")
        func tokens() async throws {
            try await withScratch { scratch in
                let mill = try Mill(in: scratch)
                let clip = try await Clip(seconds: 5).make(in: scratch)
                let place = try await address(mill.stub)
                var guarded = StubWorker.Behaviour.hearing
                guarded.token = "open-sesame"
                try mill.stub.become(guarded)
                let wrong = try await mill.dubmill(
                    "run", clip, "--to", "es", "--out", mill.out,
                    environment: ["DUBMILL_WORKERS": place, "DUBMILL_WORKER_TOKEN": "let-me-in"])
                #expect(wrong.status == 1)
                #expect((wrong.stdout + wrong.stderr).contains("does not accept the token"))
                let file = scratch.appendingPathComponent("token").path
                try "open-sesame\n".write(toFile: file, atomically: true, encoding: .utf8)
                let right = try await mill.dubmill(
                    "run", clip, "--to", "es", "--out", mill.out,
                    environment: ["DUBMILL_WORKERS": place, "DUBMILL_WORKER_TOKEN_FILE": file])
                #expect(right.status == 0, "\(right.stderr)")
                let text = wrong.stderr + wrong.stdout + right.stderr + right.stdout
                #expect(!text.contains("sesame") && !text.contains("let-me-in"))
                let nobody = try await mill.dubmill(
                    "run", clip, "--to", "es", "--out", mill.out, "--worker", mill.path("none.sock"))
                #expect(nobody.status == 75, "\(nobody.stderr)")
                let odd = try await mill.dubmill("run", clip, "--to", "es", "--worker", "gpu1:7443")
                #expect(odd.status == 64, "\(odd.stderr)")
                await mill.stub.worker.shutdown()
            }
        }

        @Test("worker serve becomes the worker, which hears every signal")
        func serve() async throws {
            try await withScratch { scratch in
                let mill = try Mill(in: scratch)
                var stubborn = StubWorker.Behaviour.hearing
                stubborn.stubborn = true
                try mill.stub.become(stubborn)
                let running = try mill.start(["worker", "serve", "--socket", mill.path("w.sock")])
                #expect(try await eventually { FileManager.default.fileExists(atPath: mill.path("w.sock")) })
                let pid = try #require(try mill.stub.events("start").first?.pid)
                let status = try String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)
                #expect(status.contains("SigBlk:\t0000000000000000\n"), "\(status)")
                let check = try await mill.dubmill("worker", "check", mill.path("w.sock"))
                #expect(check.status == 0, "\(check.stdout)")
                running.signal(SIGKILL)
                #expect(try await running.finish().status == 137)
                #expect(try await mill.dubmill("worker", "serve").status == 64)
            }
        }

        @Test("worker check tells what conforms and what does not")
        func check() async throws {
            try await withScratch { scratch in
                let mill = try Mill(in: scratch)
                let good = try await mill.dubmill("worker", "check", "--local")
                #expect(good.status == 0, "\(good.stdout) \(good.stderr)")
                #expect(good.stdout.contains("ok    refuses.duplicate-ids: "))
                var broken = StubWorker.Behaviour.hearing
                broken.breaks = ["duplicate ids"]
                try mill.stub.become(broken)
                let bad = try await mill.dubmill("worker", "check", "--local", "--format", "json")
                #expect(bad.status == 1)
                let report = try JSONValue.parse(Data(bad.stdout.utf8))
                let failed = report["checks"]?.array?.filter { $0["verdict"]?.string == "fail" }
                #expect(failed?.compactMap { $0["name"]?.string } == ["refuses.duplicate-ids"])
                #expect(report["conforms"]?.bool == false)
                #expect(try await mill.dubmill("worker", "check").status == 64)
                let nobody = try await mill.dubmill("worker", "check", mill.path("none.sock"))
                #expect(nobody.status == 1)
                #expect(nobody.stdout.contains("BAD   health"))
            }
        }
    }
}
