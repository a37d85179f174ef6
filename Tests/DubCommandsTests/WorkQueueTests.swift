import DubTestKit
import Testing

@testable import DubCommands

@Suite struct WorkQueues {
    @Test("greater priorities go first, equal ones as they came, and no more than there are slots")
    func order() async throws {
        let queue = WorkQueue(slots: 1)
        let (gate, open) = AsyncStream<Void>.makeStream()
        let done = Box<[String]>([])
        await queue.add(priority: 0) { for await _ in gate { return } }
        for (name, priority) in [("a", 0), ("b", 5), ("c", 0), ("d", 5), ("e", -1)] {
            await queue.add(priority: priority) { done.update { $0.append(name) } }
        }
        #expect(await queue.counts == (5, 1))
        open.yield()
        await queue.wait()
        #expect(done.value == ["b", "d", "a", "c", "e"])
    }

    @Test("stopped, it finishes what runs, forgets what waits and says so, and takes no more")
    func stop() async throws {
        let queue = WorkQueue(slots: 1)
        let (gate, open) = AsyncStream<Void>.makeStream()
        let done = Box<[String]>([])
        await queue.add(priority: 0) {
            for await _ in gate { break }
            done.update { $0.append("first") }
        }
        async let second = queue.run(priority: 0, batch: "b") { done.update { $0.append("second") } }
        #expect(try await eventually { await queue.counts.waiting == 1 })
        await queue.stop()
        #expect(await second == false)
        #expect(await queue.add(priority: 0) {} == false)
        open.yield()
        await queue.wait()
        #expect(done.value == ["first"])
    }

    @Test("a batch is cancelled with what waits of it, others go on")
    func cancel() async throws {
        let queue = WorkQueue(slots: 1)
        let (gate, open) = AsyncStream<Void>.makeStream()
        let cancelled = Box<[String]>([])
        @Sendable func note(_ name: String) { if Task.isCancelled { cancelled.update { $0.append(name) } } }
        async let first = queue.run(priority: 0, batch: "x") {
            for await _ in gate { break }
            note("x1")
        }
        #expect(try await eventually { await queue.counts.running == 1 })
        async let second = queue.run(priority: 0, batch: "x") { note("x2") }
        async let other = queue.run(priority: 0, batch: "y") { note("y") }
        #expect(try await eventually { await queue.counts.waiting == 2 })
        await queue.cancel(batch: "x")
        open.finish()
        #expect(await [first, second, other] == [true, true, true])
        #expect(cancelled.value.sorted() == ["x1", "x2"])
    }
}
