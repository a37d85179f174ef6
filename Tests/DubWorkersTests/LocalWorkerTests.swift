import DubCore
import DubTestKit
import Foundation
import Glibc
import Testing

@testable import DubWorkers

// One after the other: each starts processes, and some look at the clock.
@Suite(.serialized) struct LocalWorkerTests {
    @Test("starts at the first use, once for all who come, and answers")
    func starts() async throws {
        try await withScratch { scratch in
            let stub = try StubWorker(in: scratch)
            #expect(await stub.worker.processID == nil)
            #expect(try stub.events().isEmpty)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<8 {
                    group.addTask {
                        let capabilities = try await stub.worker.capabilities()
                        #expect(capabilities.model("stub-translate", for: .translate)?.isInstalled == true)
                        let voice = try #require(capabilities.models(for: .synthesize).first)
                        #expect(voice.sampleRate == 16000)
                        #expect(voice.voices["es"] == ["es-stub", "other"])
                    }
                }
                try await group.waitForAll()
            }
            #expect(try stub.events("start").count == 1)
            await stub.worker.shutdown()
        }
    }

    @Test("gives results as they come, and item errors as results")
    func results() async throws {
        try await withScratch { scratch in
            var behaviour = StubWorker.Behaviour()
            behaviour.errors = ["bad": "rejected_output"]
            let stub = try StubWorker(in: scratch, behaviour: behaviour)
            let seen = Box<[String]>([])
            let results = try await stub.worker.batch(translations(["one", "bad", "two"])) { result in
                seen.update { $0.append(result.id) }
            }
            #expect(seen.value == ["0", "1", "2"])
            #expect(results.map(\.id) == seen.value)
            #expect(
                results[1].outcome
                    == .failed(.init(code: "rejected_output", message: "told to fail with rejected_output")))
            #expect(results[2].seconds == ModelSeconds(wall: 0.5, cpu: 0.25))
            await stub.worker.shutdown()
        }
    }

    @Test("passes on nothing but what a worker needs, and no open files")
    func isolation() async throws {
        setenv("DUBMILL_TEST_SECRET", "hush", 1)
        try await withScratch { scratch in
            let first = try StubWorker(in: scratch.appendingPathComponent("a"))
            let second = try StubWorker(in: scratch.appendingPathComponent("b"))
            _ = try await first.worker.capabilities()
            _ = try await second.worker.capabilities()
            let environment = try #require(try first.events("start").first?.environment)
            #expect(environment.contains("PATH") && environment.contains("PYTHONPATH"))
            #expect(!environment.contains("DUBMILL_TEST_SECRET"))
            // A copy of the write end of the first one's stdin in the second would keep the first alive after us.
            let one = try #require(await first.worker.processID)
            let other = try #require(await second.worker.processID)
            let pipe = try #require(links(of: one)["0"])
            #expect(pipe.hasPrefix("pipe:"))
            #expect(!links(of: other).values.contains(pipe))
            #expect(getpgid(one) == one, "^C at the terminal must not reach it")
            await first.worker.shutdown()
            await second.worker.shutdown()
        }
    }

    @Test("fails a batch whose worker is killed, keeps what was done, reaps it, and starts another")
    func killed() async throws {
        try await withScratch { scratch in
            var behaviour = StubWorker.Behaviour()
            behaviour.hang = "stone"
            let stub = try StubWorker(in: scratch, behaviour: behaviour)
            let seen = Box<[String]>([])
            let task = Task {
                _ = try await stub.worker.batch(translations(["one", "two", "stone", "three"])) { result in
                    seen.update { $0.append(result.id) }
                }
            }
            #expect(try await eventually { seen.value.count == 2 })
            let pid = try #require(await stub.worker.processID)
            kill(pid, SIGKILL)
            let error = await failure { try await task.value }
            #expect(error?.code == .workerDied)
            #expect(error?.persistence == .transient)
            #expect(error?.what.contains("signal 9") == true)
            #expect(seen.value == ["0", "1"])
            #expect(!FileManager.default.fileExists(atPath: "/proc/\(pid)"), "it is reaped")
            #expect(await stub.worker.processID == nil)

            try stub.become(.init())
            #expect(try await stub.worker.batch(translations(["one"])) { _ in }.count == 1)
            #expect(try stub.events("start").count == 2)
            await stub.worker.shutdown()
        }
    }

    @Test("tells the last words of a worker that does not start")
    func refusesToStart() async throws {
        try await withScratch { scratch in
            var behaviour = StubWorker.Behaviour()
            behaviour.refuseStart = true
            let stub = try StubWorker(in: scratch, behaviour: behaviour)
            let error = await failure { _ = try await stub.worker.capabilities() }
            #expect(error?.code == .workerDied)
            #expect(error?.what.contains("exit status 3") == true)
            #expect(error?.what.contains("for want of weights") == true)
        }
    }

    @Test("gives up after three deaths in a row, and not when batches succeed in between")
    func broken() async throws {
        try await withScratch { scratch in
            var behaviour = StubWorker.Behaviour()
            behaviour.dieAt = "poison"
            let stub = try StubWorker(in: scratch, behaviour: behaviour)
            for _ in 0..<4 {
                let error = await failure {
                    _ = try await stub.worker.batch(translations(["poison"])) { _ in }
                }
                #expect(error?.code == .workerDied)
                _ = try await stub.worker.batch(translations(["one"])) { _ in }
            }
            for items in [["poison"], ["poison", "two"], ["three", "poison"]] {
                let error = await failure { _ = try await stub.worker.batch(translations(items)) { _ in } }
                #expect(error?.code == .workerDied)
            }
            let starts = try stub.events("start").count
            let error = await failure { _ = try await stub.worker.batch(translations(["one"])) { _ in } }
            #expect(error?.code == .workerBroken)
            #expect(error?.persistence == .permanent)
            #expect(error?.what.contains("dying as told") == true)
            #expect(try stub.events("start").count == starts)
        }
    }

    @Test("is not given up for one item that kills it each time")
    func poison() async throws {
        try await withScratch { scratch in
            var behaviour = StubWorker.Behaviour()
            behaviour.dieAt = "poison"
            let stub = try StubWorker(in: scratch, behaviour: behaviour)
            for items in [["one", "poison"], ["poison"], ["poison"], ["poison"]] {
                let error = await failure { _ = try await stub.worker.batch(translations(items)) { _ in } }
                #expect(error?.code == .workerDied)
            }
            #expect(try await stub.worker.batch(translations(["one"])) { _ in }.count == 1)
            await stub.worker.shutdown()
        }
    }

    @Test("counts one death when it breaks several batches")
    func oneDeath() async throws {
        try await withScratch { scratch in
            var behaviour = StubWorker.Behaviour()
            behaviour.hang = "stone"
            let stub = try StubWorker(in: scratch, behaviour: behaviour, limits: .init(deaths: 2))
            let tasks = (0..<5).map { _ in
                Task { _ = try await stub.worker.batch(translations(["stone"])) { _ in } }
            }
            #expect(try await eventually { try stub.events("batch").count == 5 })
            kill(try #require(await stub.worker.processID), SIGKILL)
            for task in tasks { #expect(await failure { try await task.value }?.code == .workerDied) }
            try stub.become(.init())
            #expect(try await stub.worker.batch(translations(["one"])) { _ in }.count == 1)
            await stub.worker.shutdown()
        }
    }

    @Test("stops a worker that says nothing for too long")
    func hung() async throws {
        try await withScratch { scratch in
            var behaviour = StubWorker.Behaviour()
            behaviour.hang = "stone"
            let stub = try StubWorker(in: scratch, behaviour: behaviour, limits: .init(silence: .seconds(1)))
            let error = await failure { _ = try await stub.worker.batch(translations(["stone"])) { _ in } }
            #expect(error?.code == .workerHung)
            #expect(error?.persistence == .transient)
            #expect(await stub.worker.processID == nil)
        }
    }

    @Test("gives up a start that takes too long, and leaves no process behind")
    func slowStart() async throws {
        try await withScratch { scratch in
            var behaviour = StubWorker.Behaviour()
            behaviour.startDelay = 60
            let stub = try StubWorker(
                in: scratch, behaviour: behaviour, limits: .init(start: .seconds(3)))
            let error = await failure { _ = try await stub.worker.capabilities() }
            #expect(error?.code == .workerHung)
            let pid = try #require(try stub.events("start").first?.pid)
            #expect(try await eventually { !FileManager.default.fileExists(atPath: "/proc/\(pid)") })
        }
    }

    @Test("refuses a worker of another protocol")
    func protocolVersion() async throws {
        try await withScratch { scratch in
            var behaviour = StubWorker.Behaviour()
            behaviour.protocol = 2
            let stub = try StubWorker(in: scratch, behaviour: behaviour)
            #expect(await failure { _ = try await stub.worker.capabilities() }?.code == .workerProtocol)
        }
    }

    @Test("passes on that a batch was refused, and the worker lives on")
    func refused() async throws {
        try await withScratch { scratch in
            let stub = try StubWorker(in: scratch)
            let request = BatchRequest(task: .init(rawValue: "juggle"), model: "m", items: [["id": "1"]])
            let error = await failure { _ = try await stub.worker.batch(request) { _ in } }
            #expect(error?.code == .workerBadRequest)
            #expect(error?.persistence == .permanent)
            #expect(await stub.worker.processID != nil)
            await stub.worker.shutdown()
        }
    }

    @Test("ends a cancelled batch within 100 ms, and the worker lives on")
    func cancel() async throws {
        try await withScratch { scratch in
            var behaviour = StubWorker.Behaviour()
            behaviour.hang = "stone"
            behaviour.beat = true
            let stub = try StubWorker(in: scratch, behaviour: behaviour)
            // The best of five: other tests share the cores, and their delays are not ours.
            var best = Duration.seconds(100)
            for turn in 1...5 {
                let task = Task { _ = try await stub.worker.batch(translations(["stone"])) { _ in } }
                #expect(try await eventually { try stub.events("batch").count == turn })
                let begin = ContinuousClock.now
                task.cancel()
                await #expect(throws: CancellationError.self) { try await task.value }
                best = min(best, ContinuousClock.now - begin)
                #expect(try await eventually { try stub.events("abandoned").count == turn })
            }
            #expect(best < .milliseconds(100))
            #expect(try await stub.worker.batch(translations(["one"])) { _ in }.count == 1)
            #expect(try stub.events("start").count == 1)
            await stub.worker.shutdown()
        }
    }

    @Test("one caller's cancellation does not stop the start that others wait for")
    func cancelledStart() async throws {
        try await withScratch { scratch in
            var behaviour = StubWorker.Behaviour()
            behaviour.startDelay = 0.4
            let stub = try StubWorker(in: scratch, behaviour: behaviour)
            let first = Task { _ = try await stub.worker.capabilities() }
            #expect(try await eventually { try stub.events("start").count == 1 })
            let second = Task { _ = try await stub.worker.capabilities() }
            first.cancel()
            await #expect(throws: CancellationError.self) { try await first.value }
            try await second.value
            #expect(try stub.events("start").count == 1)
            await stub.worker.shutdown()
        }
    }

    @Test("shuts down at once by closing stdin, reaps, removes the socket, and takes no more work")
    func shutdown() async throws {
        try await withScratch { scratch in
            let stub = try StubWorker(in: scratch)
            _ = try await stub.worker.capabilities()
            let pid = try #require(await stub.worker.processID)
            let begin = ContinuousClock.now
            await stub.worker.shutdown()
            #expect(ContinuousClock.now - begin < .milliseconds(900))
            #expect(try stub.events("stdin closed").count == 1)
            #expect(!FileManager.default.fileExists(atPath: "/proc/\(pid)"))
            #expect(await failure { _ = try await stub.worker.capabilities() }?.code == .workerDied)
        }
    }

    @Test("shuts a stubborn worker down by force, even in a cancelled task")
    func stubborn() async throws {
        try await withScratch { scratch in
            var behaviour = StubWorker.Behaviour()
            behaviour.stubborn = true
            let stub = try StubWorker(in: scratch, behaviour: behaviour)
            _ = try await stub.worker.capabilities()
            let pid = try #require(await stub.worker.processID)
            let begin = ContinuousClock.now
            let task = Task {
                withUnsafeCurrentTask { $0?.cancel() }
                await stub.worker.shutdown()
            }
            await task.value
            let took = ContinuousClock.now - begin
            #expect(took > .milliseconds(2900) && took < .seconds(5))
            #expect(!FileManager.default.fileExists(atPath: "/proc/\(pid)"))
        }
    }

    @Test("a worker whose owner is gone ends by itself, and is reaped")
    func ownerGone() async throws {
        try await withScratch { scratch in
            var stub: StubWorker? = try StubWorker(in: scratch)
            let log = try #require(stub?.home.workers)
            _ = try await stub?.worker.capabilities()
            let pid = try #require(await stub?.worker.processID)
            stub = nil
            #expect(try await eventually { !FileManager.default.fileExists(atPath: "/proc/\(pid)") })
            #expect(
                try String(contentsOfFile: log + "/stub-log.ndjson", encoding: .utf8).contains("stdin closed")
            )
        }
    }

    @Test("drains what the worker prints, and hands it on line by line")
    func noise() async throws {
        try await withScratch { scratch in
            var behaviour = StubWorker.Behaviour()
            behaviour.noise = 5000
            let lines = Box(0)
            let stub = try StubWorker(in: scratch, behaviour: behaviour) { line in
                if line.hasPrefix("stub: noise") { lines.update { $0 += 1 } }
            }
            _ = try await stub.worker.capabilities()
            #expect(try await eventually { lines.value == 5000 })
            await stub.worker.shutdown()
        }
    }

    @Test("says what to do where no worker is installed")
    func notInstalled() async throws {
        let home = WorkerHome(python: "/nowhere/python", workers: "/nowhere", models: "/nowhere")
        let error = await failure { _ = try await LocalWorker(home: home).capabilities() }
        #expect(error?.code == .workerNotInstalled)
        #expect(error?.fix.contains("make setup") == true)
        let worker = LocalWorker { _ in
            WorkerLaunch(executable: "/nowhere/x", arguments: [], environment: [:])
        }
        #expect(await failure { _ = try await worker.capabilities() }?.code == .workerNotInstalled)
    }
}

/// What the open files of a process are.
private func links(of pid: Int32) -> [String: String] {
    let folder = "/proc/\(pid)/fd"
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    return names.reduce(into: [:]) { links, name in
        links[name] = try? FileManager.default.destinationOfSymbolicLink(atPath: "\(folder)/\(name)")
    }
}

/// A batch of lines to be translated.
func translations(_ texts: [String]) -> BatchRequest {
    BatchRequest(
        task: .translate, model: "stub-translate",
        items: texts.enumerated().map { index, text in
            ["id": .string(String(index)), "text": .string(text), "source": "en", "target": "es"]
        })
}
