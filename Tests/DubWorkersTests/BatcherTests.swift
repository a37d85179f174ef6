import DubCore
import DubTestKit
import DubWorkers
import Foundation
import Testing

@Suite struct BatcherTests {
    @Test("sends the first item at once, gathers the rest in order of cost, and no more than a batch holds")
    func gathers() async throws {
        let worker = GateWorker()
        let batcher = Batcher(worker: worker, limits: .init(batchSize: 4))
        let first = Task { try await batcher.line("first", cost: 1) }
        #expect(try await eventually { await worker.sizes == [1] })
        let others = (1...10).map { cost in Task { try await batcher.line("n\(cost)", cost: Double(cost)) } }
        #expect(try await eventually { await batcher.waitingCount == 10 })
        for _ in 0..<4 {
            let batches = await worker.sizes.count
            await worker.finish()
            if batches < 4 { #expect(try await eventually { await worker.sizes.count > batches }) }
        }
        #expect(try await first.value.output["text"] == "first!")
        for task in others { _ = try await task.value }
        #expect(await worker.sizes.sorted() == [1, 2, 4, 4])
        for costs in await worker.costs { #expect(costs == costs.sorted()) }
    }

    @Test("keeps tasks, models and options apart, and tasks do not wait for each other")
    func keys() async throws {
        let worker = GateWorker()
        let batcher = Batcher(worker: worker)
        let gate = Task { try await batcher.line("a", cost: 1) }
        #expect(try await eventually { await worker.sizes == [1] })
        let waiting = [
            Task { try await batcher.line("b", cost: 1) },
            Task { try await batcher.line("c", cost: 1, model: "other") },
            Task { try await batcher.line("d", cost: 1, options: ["beam": 2]) },
        ]
        #expect(try await eventually { await batcher.waitingCount == 3 })
        let voice = Task {
            try await batcher.run(task: .synthesize, model: "m", item: ["text": "e"], cost: 1)
        }
        #expect(try await eventually { await worker.sizes == [1, 1] })
        while await worker.sizes.count < 5 { await worker.finish() }
        await worker.finish()
        for task in waiting + [gate, voice] { _ = try await task.value }
        #expect(await worker.sizes == [1, 1, 1, 1, 1])
    }

    @Test("wakes each caller as its own result comes")
    func prompt() async throws {
        let worker = GateWorker()
        let batcher = Batcher(worker: worker)
        let gate = Task { try await batcher.line("gate", cost: 0) }
        #expect(try await eventually { await worker.sizes == [1] })
        let one = Task { try await batcher.line("one", cost: 1) }
        let two = Task { try await batcher.line("two", cost: 2) }
        #expect(try await eventually { await batcher.waitingCount == 2 })
        await worker.finish()
        #expect(try await eventually { await worker.sizes == [1, 2] })
        await worker.answer("two")
        #expect(try await two.value.output["text"] == "two!")
        await worker.answer("one")
        #expect(try await one.value.output["text"] == "one!")
        await worker.finish()
        _ = try await gate.value
    }

    @Test("takes a cancelled item back, and breaks off a batch that nobody waits for")
    func cancel() async throws {
        let worker = GateWorker()
        let batcher = Batcher(worker: worker)
        let gate = Task { try await batcher.line("gate", cost: 0) }
        #expect(try await eventually { await worker.sizes == [1] })
        let gone = Task { try await batcher.line("gone", cost: 1) }
        let stays = [1.0, 2].map { cost in Task { try await batcher.line("stays", cost: cost) } }
        #expect(try await eventually { await batcher.waitingCount == 3 })
        gone.cancel()
        await #expect(throws: CancellationError.self) { try await gone.value }
        await worker.finish()
        _ = try await gate.value
        #expect(try await eventually { await worker.sizes == [1, 2] })

        stays[0].cancel()
        await #expect(throws: CancellationError.self) { try await stays[0].value }
        #expect(await worker.cancelled == 0, "one still waits")
        let begin = ContinuousClock.now
        stays[1].cancel()
        await #expect(throws: CancellationError.self) { try await stays[1].value }
        #expect(ContinuousClock.now - begin < .milliseconds(100))
        #expect(try await eventually { await worker.cancelled == 1 })

        let next = Task { try await batcher.line("next", cost: 1) }
        #expect(try await eventually { await worker.sizes == [1, 2, 1] }, "the lane is free again")
        await worker.finish()
        _ = try await next.value
    }

    @Test(
        "keeps results that came before the worker died, and fails the others so that they can be tried again"
    )
    func death() async throws {
        try await withScratch { scratch in
            var behaviour = StubWorker.Behaviour()
            behaviour.dieAt = "poison"
            behaviour.dieOnce = true
            behaviour.delay = 0.05
            let stub = try StubWorker(in: scratch, behaviour: behaviour)
            let batcher = Batcher(worker: stub.worker)
            let outcomes = await withTaskGroup(of: (Int, Result<ItemOutput, any Error>).self) { group in
                for index in 0..<12 {
                    group.addTask {
                        do {
                            let text = index == 6 ? "poison" : "line \(index)"
                            return (
                                index, .success(try await batcher.line(text, cost: Double(index), model: "m"))
                            )
                        } catch {
                            return (index, .failure(error))
                        }
                    }
                }
                return await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
            }
            let failed = outcomes.filter { if case .failure = $0.value { true } else { false } }
            #expect(failed.keys.contains(6))
            #expect(failed.count < 12)
            for case .failure(let error) in failed.values {
                #expect((error as? DubError)?.code == .workerDied)
                #expect((error as? DubError)?.persistence == .transient)
            }
            for index in failed.keys.sorted() {
                let output = try await batcher.line("again \(index)", cost: 1, model: "m")
                #expect(output.output["text"] == .string("[es] again \(index)"))
            }
            #expect(try stub.events("start").count == 2)
            #expect(await batcher.spent[.translate] == ModelSeconds(wall: 6, cpu: 3))
            await stub.worker.shutdown()
        }
    }

    @Test("gives each item its own error, with the code that its kind has")
    func itemErrors() async throws {
        try await withScratch { scratch in
            let codes: [(String, DubError.Code, DubError.Persistence)] = [
                ("unsupported_language", .workerUnsupportedLanguage, .permanent),
                ("rejected_output", .workerRejectedOutput, .permanent),
                ("model_missing", .workerModelMissing, .permanent),
                ("out_of_memory", .workerOutOfMemory, .transient),
                ("bad_audio", .workerBadAudio, .permanent),
                ("bad_request", .workerBadRequest, .permanent),
                ("internal", .workerInternal, .transient),
                ("something_new", .workerInternal, .transient),
            ]
            var behaviour = StubWorker.Behaviour()
            behaviour.errors = Dictionary(uniqueKeysWithValues: codes.map { ("<\($0.0)>", $0.0) })
            let stub = try StubWorker(in: scratch, behaviour: behaviour)
            let batcher = Batcher(worker: stub.worker)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for (name, code, persistence) in codes {
                    group.addTask {
                        let error = await failure { _ = try await batcher.line("<\(name)>", cost: 1) }
                        #expect(error?.code == code)
                        #expect(error?.persistence == persistence)
                    }
                    group.addTask { _ = try await batcher.line("fine", cost: 2) }
                }
                try await group.waitForAll()
            }
            await stub.worker.shutdown()
        }
    }
}

extension Batcher {
    fileprivate func line(
        _ text: String, cost: Double, model: String = "m", options: JSONValue = [:]
    ) async throws -> ItemOutput {
        let item: JSONValue = ["text": .string(text), "source": "en", "target": "es", "cost": .number(cost)]
        return try await run(task: .translate, model: model, options: options, item: item, cost: cost)
    }
}

/// A worker whose batches answer when the test says so.
private actor GateWorker: Worker {
    private struct Batch {
        var items: [JSONValue]
        var feed: AsyncStream<ItemResult>.Continuation
        var isDone = false
    }

    private var batches: [Batch] = []
    private(set) var cancelled = 0
    var sizes: [Int] { batches.map(\.items.count) }
    var costs: [[Double]] { batches.map { $0.items.compactMap { $0["cost"]?.double } } }

    func capabilities() async throws -> Capabilities { Capabilities(tasks: [:]) }

    func batch(_ request: BatchRequest, onResult: @Sendable (ItemResult) -> Void) async throws -> [ItemResult] {
        let (stream, feed) = AsyncStream.makeStream(of: ItemResult.self)
        let index = batches.count
        batches.append(Batch(items: request.items, feed: feed))
        var results: [ItemResult] = []
        for await result in stream {
            onResult(result)
            results.append(result)
        }
        batches[index].isDone = true
        if Task.isCancelled { cancelled += 1 }
        try Task.checkCancellation()
        return results
    }

    /// Answers the item with this text.
    func answer(_ text: String) {
        for batch in batches {
            for item in batch.items where item["text"]?.string == text { batch.feed.yield(Self.result(item)) }
        }
    }

    /// Ends the oldest batch that is under way, with all its results; those given already are given twice.
    func finish() {
        guard let index = batches.firstIndex(where: { !$0.isDone }) else { return }
        batches[index].isDone = true
        for item in batches[index].items { batches[index].feed.yield(Self.result(item)) }
        batches[index].feed.finish()
    }

    private static func result(_ item: JSONValue) -> ItemResult {
        let id = item["id"]?.string ?? ""
        return ItemResult(id: id, outcome: .done(["text": .string((item["text"]?.string ?? "") + "!")]))
    }
}
