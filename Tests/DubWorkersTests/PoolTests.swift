import DubCore
import DubHTTP
import DubTestKit
import DubWorkers
import Foundation
import Testing

/// Several stub workers behind one pool, and what may happen to them.
@Suite struct PoolTests {
    /// Workers on sockets of their own, started; behaviours hold from then on.
    private struct Crew {
        var stubs: [StubWorker] = []
        var endpoints: [WorkerEndpoint] = []

        init(_ behaviours: [StubWorker.Behaviour], in scratch: URL, tokens: [String?] = []) async throws {
            for (index, behaviour) in behaviours.enumerated() {
                let stub = try StubWorker(in: scratch.appendingPathComponent("\(index)"))
                let address = try await stub.worker.endpoint().address
                try stub.become(behaviour)
                stubs.append(stub)
                let token = index < tokens.count ? tokens[index].flatMap { WorkerToken($0) } : nil
                endpoints.append(WorkerEndpoint(address, token: token))
            }
        }

        func end() async {
            for stub in stubs { await stub.worker.shutdown() }
        }
    }

    private static var quick: WorkerPool.Limits {
        var limits = WorkerPool.Limits()
        limits.pause = .milliseconds(100)
        limits.longestPause = .milliseconds(400)
        limits.patience = .seconds(5)
        limits.watch = .milliseconds(100)
        limits.answer = .milliseconds(500)
        return limits
    }

    private func texts(_ results: [ItemResult]) -> [String] {
        results.sorted { (Int($0.id) ?? 0) < (Int($1.id) ?? 0) }.map { result in
            switch result.outcome {
            case .done(let output): output["text"]?.string ?? ""
            case .failed(let fault): fault.code
            }
        }
    }

    @Test("a worker that is killed in mid-batch costs a retry and nothing else")
    func killed() async throws {
        try await withScratch { scratch in
            var dying = StubWorker.Behaviour()
            dying.dieAfter = 3
            let crew = try await Crew([dying, .init()], in: scratch)
            let log = Box<[String]>([])
            let pool = WorkerPool(endpoints: crew.endpoints, limits: Self.quick) { line in
                log.update { $0.append(line) }
            }
            let told = Box<[String]>([])
            let words = (0..<8).map { "word \($0)" }
            let results = try await pool.batch(translations(words)) { result in told.update { $0.append(result.id) } }
            #expect(texts(results) == words.map { "[es] \($0)" })
            #expect(told.value.sorted() == words.indices.map(String.init))
            #expect(told.value == results.map(\.id))
            let status = await pool.status
            #expect(status.map(\.finished) == [3, 5])
            #expect(status.map(\.load) == [0, 0])
            #expect(status[0].error != nil)
            #expect(log.value.count == 1)
            // What comes next goes where it can be done, and nobody waits.
            #expect(try await pool.batch(translations(["next"])) { _ in }.count == 1)
            await crew.end()
        }
    }

    @Test("an item that kills its worker each time fails alone")
    func poison() async throws {
        try await withScratch { scratch in
            var dying = StubWorker.Behaviour()
            dying.dieAt = "poison"
            let crew = try await Crew([dying, dying, dying, .init()], in: scratch)
            var limits = Self.quick
            limits.breaks = 3
            let pool = WorkerPool(endpoints: crew.endpoints, limits: limits)
            let results = try await pool.batch(translations(["one", "poison", "two", "three"])) { _ in }
            #expect(texts(results) == ["[es] one", "internal", "[es] two", "[es] three"])
            await crew.end()
        }
    }

    @Test("batches go to the worker that has the least to do")
    func leastLoaded() async throws {
        try await withScratch { scratch in
            var slow = StubWorker.Behaviour()
            slow.hang = "stone"
            let crew = try await Crew([slow, .init()], in: scratch)
            let pool = WorkerPool(endpoints: crew.endpoints, limits: Self.quick)
            _ = try await pool.capabilities()
            let stuck = Task { try await pool.batch(translations(["stone"])) { _ in } }
            #expect(try await eventually { await pool.status[0].load == 1 })
            for number in 0..<5 {
                #expect(try await pool.batch(translations(["word \(number)"])) { _ in }.count == 1)
            }
            #expect(await pool.status.map(\.finished) == [0, 5])
            try crew.stubs[0].become(.init())
            #expect(texts(try await stuck.value) == ["[es] stone"])
            await crew.end()
        }
    }

    @Test("a worker that answers 500 and one that wants another token are left alone")
    func failing() async throws {
        try await withScratch { scratch in
            var failing = StubWorker.Behaviour()
            failing.status = 500
            var guarded = StubWorker.Behaviour()
            guarded.token = "right"
            let crew = try await Crew([failing, guarded, .init()], in: scratch, tokens: [nil, "wrong", nil])
            let log = Box<[String]>([])
            let pool = WorkerPool(endpoints: crew.endpoints, limits: Self.quick) { line in
                log.update { $0.append(line) }
            }
            for number in 0..<6 {
                #expect(try await pool.batch(translations(["word \(number)"])) { _ in }.count == 1)
            }
            let status = await pool.status
            #expect(status.map(\.finished) == [0, 0, 6])
            #expect(status.map(\.isServing) == [false, false, true])
            #expect(status[1].error?.code == .workerUnauthorised)
            #expect(!log.value.contains { $0.contains("wrong") })
            #expect(try crew.stubs[0].events("batch").isEmpty && crew.stubs[1].events("batch").isEmpty)
            // Once it is well it gets work again.
            try crew.stubs[0].become(.init())
            #expect(
                try await eventually {
                    _ = try await pool.batch(translations(["again"])) { _ in }
                    return await pool.status[0].finished > 0
                })
            await crew.end()
        }
    }

    @Test("where nobody has the right token it says so at once")
    func locked() async throws {
        try await withScratch { scratch in
            var guarded = StubWorker.Behaviour()
            guarded.token = "right"
            let crew = try await Crew([guarded], in: scratch, tokens: ["wrong"])
            let pool = WorkerPool(endpoints: crew.endpoints, limits: Self.quick)
            let error = await failure { _ = try await pool.batch(translations(["one"])) { _ in } }
            #expect(error?.code == .workerUnauthorised)
            #expect(await failure { _ = try await pool.capabilities() }?.code == .workerUnauthorised)
            let right = WorkerPool(
                endpoints: [WorkerEndpoint(crew.endpoints[0].address, token: WorkerToken("right"))], limits: Self.quick)
            #expect(try await right.batch(translations(["one"])) { _ in }.count == 1)
            await crew.end()
        }
    }

    @Test("a frozen worker is found out while it holds a batch")
    func frozen() async throws {
        try await withScratch { scratch in
            var slow = StubWorker.Behaviour()
            slow.hang = "stone"
            let crew = try await Crew([slow, .init()], in: scratch)
            let log = Box<[String]>([])
            let pool = WorkerPool(endpoints: crew.endpoints, limits: Self.quick) { line in
                log.update { $0.append(line) }
            }
            _ = try await pool.capabilities()
            let batch = Task { try await pool.batch(translations(["word", "stone"])) { _ in } }
            #expect(try await eventually { await pool.status[0].finished == 1 })
            let pid = try #require(await crew.stubs[0].worker.processID)
            kill(pid, SIGSTOP)
            #expect(texts(try await batch.value) == ["[es] word", "[es] stone"])
            #expect(log.value.count == 1 && log.value[0].contains("did not say how it is"))
            kill(pid, SIGCONT)
            await crew.end()
        }
    }

    @Test("a worker that is drained ends what it has and gets no more")
    func drained() async throws {
        try await withScratch { scratch in
            var slow = StubWorker.Behaviour()
            slow.hang = "stone"
            let crew = try await Crew([slow, .init()], in: scratch)
            let pool = WorkerPool(endpoints: crew.endpoints, limits: Self.quick)
            _ = try await pool.capabilities()
            let batch = Task { try await pool.batch(translations(["stone"])) { _ in } }
            #expect(try await eventually { await pool.status[0].load == 1 })
            await pool.dismiss(crew.endpoints[0])
            try crew.stubs[0].become(.init())
            #expect(texts(try await batch.value) == ["[es] stone"])
            for number in 0..<4 { _ = try await pool.batch(translations(["word \(number)"])) { _ in } }
            #expect(await pool.status.map(\.finished) == [1, 4])
            await crew.end()
        }
    }

    @Test("a worker with other weights is not asked for that model")
    func otherWeights() async throws {
        try await withScratch { scratch in
            var other = StubWorker.Behaviour()
            other.digest = String(repeating: "a", count: 64)
            let crew = try await Crew([.init(), other], in: scratch)
            let log = Box<[String]>([])
            let pool = WorkerPool(endpoints: crew.endpoints, limits: Self.quick) { line in
                log.update { $0.append(line) }
            }
            _ = try await pool.capabilities()
            for number in 0..<4 { _ = try await pool.batch(translations(["word \(number)"])) { _ in } }
            #expect(await pool.status.map(\.finished) == [4, 0])
            #expect(log.value.count == 1 && log.value[0].contains("other weights"))
            await crew.end()
        }
    }

    private func code(of batch: BatchRequest, at pool: WorkerPool) async -> DubError? {
        await failure { _ = try await pool.batch(batch) { _ in } }
    }

    @Test("what no worker has is missing")
    func missing() async throws {
        try await withScratch { scratch in
            let crew = try await Crew([.init()], in: scratch)
            let pool = WorkerPool(endpoints: crew.endpoints, limits: Self.quick)
            let request = BatchRequest(task: .translate, model: "absent", items: [["id": "1"]])
            let error = await code(of: request, at: pool)
            #expect(error?.code == .workerModelMissing)
            await crew.end()
        }
    }

    @Test("where no worker can be reached it may work later")
    func nobody() async throws {
        try await withScratch { scratch in
            let endpoint = WorkerEndpoint(.socket(scratch.appendingPathComponent("none.sock").path))
            var limits = Self.quick
            limits.patience = .milliseconds(300)
            let pool = WorkerPool(endpoints: [endpoint], limits: limits)
            let error = await code(of: translations(["one"]), at: pool)
            #expect(error?.code == .workerUnreachable)
            #expect(error?.persistence == .transient)
            let asked = await failure { _ = try await pool.capabilities() }
            #expect(asked?.code == .httpUnreachable)
        }
    }

    @Test("a worker that comes late is found within the pool's patience")
    func late() async throws {
        try await withScratch { scratch in
            let path = scratch.appendingPathComponent("late.sock").path
            let pool = WorkerPool(endpoints: [WorkerEndpoint(.socket(path))], limits: Self.quick)
            let batch = Task { try await pool.batch(translations(["one"])) { _ in } }
            #expect(try await eventually { await pool.status[0].error != nil })
            let stub = try StubWorker(in: scratch.appendingPathComponent("stub"))
            guard case .socket(let real) = try await stub.worker.endpoint().address else { return }
            try FileManager.default.createSymbolicLink(atPath: path, withDestinationPath: real)
            #expect(texts(try await batch.value) == ["[es] one"])
            await stub.worker.shutdown()
        }
    }

    @Test("cancelling reaches the worker within 100 ms")
    func cancelled() async throws {
        try await withScratch { scratch in
            var slow = StubWorker.Behaviour()
            slow.hang = "stone"
            slow.beat = true
            let crew = try await Crew([slow], in: scratch)
            let pool = WorkerPool(endpoints: crew.endpoints, limits: Self.quick)
            var best = Duration.seconds(100)
            for turn in 1...3 {
                let batch = Task { try await pool.batch(translations(["stone"])) { _ in } }
                #expect(try await eventually { try crew.stubs[0].events("batch").count == turn })
                let begin = ContinuousClock.now
                batch.cancel()
                await #expect(throws: CancellationError.self) { try await batch.value }
                best = min(best, ContinuousClock.now - begin)
                #expect(try await eventually { try crew.stubs[0].events("abandoned").count == turn })
            }
            #expect(best < .milliseconds(100))
            #expect(await pool.status[0].load == 0)
            #expect(await pool.status[0].error == nil)
            await crew.end()
        }
    }

    @Test("the token goes with every request over TCP, and only there")
    func token() async throws {
        let heads = Box<[[String]]>([])
        let server = try LoopbackServer { connection in
            while let request = connection.readRequest() {
                heads.update { $0.append(request.head) }
                let path = request.head.first ?? ""
                if path.contains("health") {
                    connection.answer(#"{"protocol":1,"worker":"w","version":"1","pid":1,"status":"ready"}"#)
                } else if path.contains("capabilities") {
                    connection.answer(
                        #"{"protocol":1,"tasks":{"translate":[{"model":"stub-translate","installed":true}]}}"#)
                } else {
                    connection.answer(#"{"id":"0","status":"ok","output":{"text":"x"}}"# + "\n{\"done\":true}\n")
                }
            }
        }
        let endpoint = try WorkerEndpoint("http://127.0.0.1:\(server.port)/", token: WorkerToken("open-sesame"))
        let pool = WorkerPool(endpoints: [endpoint])
        #expect(texts(try await pool.batch(translations(["one"])) { _ in }) == ["x"])
        #expect(heads.value.count >= 3)
        for head in heads.value {
            #expect(head.contains("Authorization: Bearer open-sesame"))
            #expect(head.first?.contains("sesame") == false)
        }
    }
}
