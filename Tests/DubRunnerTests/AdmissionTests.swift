import DubCore
import DubGraph
import DubTestKit
import Testing

@testable import DubRunner

private func demand(cpu: Int = 0, gpu: Int = 0, memory: Int64 = 0, worker: Int = 0) -> Admission.Demand {
    var demand = Admission.Demand()
    demand.cpu = cpu
    demand.gpu = gpu
    demand.memory = memory
    demand.worker = worker
    return demand
}

private func urgency(_ item: Int = 0, depth: Int = 0, priority: Int = 0) -> Admission.Urgency {
    .init(priority: priority, item: item, depth: depth)
}

/// Who is in, and the most that was ever held.
private struct Held {
    var cpu = 0
    var gpu = 0
    var memory: Int64 = 0
    var worker = 0
    var stages: [String: Int] = [:]
    var done = 0
}

@Suite struct AdmissionTests {
    @Test("whatever comes in whatever order, no limit is ever exceeded and all get in", arguments: 0..<20)
    func limits(seed: UInt64) async throws {
        let admission = Admission(Capacity(cpu: 3, gpu: 1, memory: 1000, worker: 4))
        var random = SeededRandom(seed: seed)
        let demands = (0..<200).map { _ in
            var one = demand(
                cpu: .random(in: 0...3, using: &random), gpu: .random(in: 0...1, using: &random),
                memory: .random(in: 0...1000, using: &random), worker: .random(in: 0...4, using: &random))
            if Bool.random(using: &random) {
                one.stage = ["mix", "fit"].randomElement(using: &random)
                one.limit = 2
            }
            return (one, urgency(.random(in: 0..<5, using: &random), depth: .random(in: 0..<4, using: &random)))
        }
        let held = Locked(Held())
        await withTaskGroup(of: Void.self) { group in
            for (demand, urgency) in demands {
                group.addTask {
                    try? await admission.admit(demand, urgency) {
                        held.withLock {
                            $0.cpu += demand.cpu
                            $0.gpu += demand.gpu
                            $0.memory += demand.memory
                            $0.worker += demand.worker
                            if let stage = demand.stage { $0.stages[stage, default: 0] += 1 }
                            #expect($0.cpu <= 3 && $0.gpu <= 1 && $0.memory <= 1000 && $0.worker <= 4)
                            #expect($0.stages.values.allSatisfy { $0 <= 2 })
                        }
                        await Task.yield()
                        held.withLock {
                            $0.cpu -= demand.cpu
                            $0.gpu -= demand.gpu
                            $0.memory -= demand.memory
                            $0.worker -= demand.worker
                            if let stage = demand.stage { $0.stages[stage, default: 0] -= 1 }
                            $0.done += 1
                        }
                    }
                }
            }
        }
        #expect(held.withLock { $0.done } == 200)
    }

    @Test("the most urgent goes first: priority, then the earlier item, then the deeper stage, then the older")
    func order() async throws {
        let admission = Admission(Capacity(cpu: 1))
        let order = Locked<[String]>([])
        let entered = AsyncStream<Void>.makeStream()
        let (gate, open) = AsyncStream<Void>.makeStream()
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                try? await admission.admit(demand(cpu: 1), urgency()) {
                    entered.continuation.yield()
                    for await _ in gate { break }
                }
            }
            for await _ in entered.stream { break }
            for (name, place) in [
                ("second item", urgency(1, depth: 9)), ("shallow", urgency(0, depth: 1)),
                ("deep", urgency(0, depth: 5)), ("deep, later", urgency(0, depth: 5)),
                ("urgent", urgency(7, priority: 1)),
            ] {
                let before = await admission.waitingCount
                group.addTask {
                    try? await admission.admit(demand(cpu: 1), place) { order.withLock { $0.append(name) } }
                }
                while await admission.waitingCount == before { await Task.yield() }
            }
            open.yield()
        }
        #expect(order.withLock { $0 } == ["urgent", "deep", "deep, later", "shallow", "second item"])
    }

    @Test("a large one is not starved by small ones, and holds up only those that need the same")
    func fair() async throws {
        let admission = Admission(Capacity(cpu: 4, worker: 1))
        let order = Locked<[String]>([])
        let (gate, open) = AsyncStream<Void>.makeStream()
        let entered = AsyncStream<Void>.makeStream()
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                try? await admission.admit(demand(cpu: 1), urgency()) {
                    entered.continuation.yield()
                    for await _ in gate { break }
                }
            }
            for await _ in entered.stream { break }
            group.addTask {
                try? await admission.admit(demand(cpu: 4), urgency()) { order.withLock { $0.append("large") } }
            }
            while await admission.waitingCount < 1 { await Task.yield() }
            group.addTask {
                try? await admission.admit(demand(cpu: 1), urgency()) { order.withLock { $0.append("small") } }
            }
            while await admission.waitingCount < 2 { await Task.yield() }
            try? await admission.admit(demand(worker: 1), urgency(9)) { order.withLock { $0.append("worker") } }
            open.yield()
        }
        #expect(order.withLock { $0 } == ["worker", "large", "small"])
    }

    @Test("who is cancelled while waiting leaves no trace")
    func cancelled() async throws {
        let admission = Admission(Capacity(cpu: 1))
        let (gate, open) = AsyncStream<Void>.makeStream()
        let entered = AsyncStream<Void>.makeStream()
        let holder = Task {
            try await admission.admit(demand(cpu: 1), urgency()) {
                entered.continuation.yield()
                for await _ in gate { break }
            }
        }
        for await _ in entered.stream { break }
        let waiter = Task { try await admission.admit(demand(cpu: 1), urgency()) {} }
        while await admission.waitingCount < 1 { await Task.yield() }
        waiter.cancel()
        await #expect(throws: CancellationError.self) { try await waiter.value }
        open.yield()
        try await holder.value
        try await admission.admit(demand(cpu: 1), urgency()) {}
    }

    @Test("what the machine does not have is told, not waited for")
    func shortage() {
        let admission = Admission(Capacity(cpu: 2, memory: 1 << 30))
        #expect(admission.shortage(demand(cpu: 2)) == nil)
        #expect(admission.shortage(demand(cpu: 3)) == "3 cores, and there are 2")
        #expect(admission.shortage(demand(gpu: 1)) == "1 GPUs, and there are 0")
        #expect(admission.shortage(demand(memory: 2 << 30)) == "2048 MiB of memory, and there are 1024")
    }
}
