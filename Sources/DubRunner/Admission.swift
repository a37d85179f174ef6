internal import DubGraph

/// What this machine lets nodes hold at once.
public struct Capacity: Sendable, Hashable {
    /// Cores for work of this process; ≥ 1.
    public var cpu: Int
    /// Cards.
    public var gpu: Int
    /// Bytes of memory.
    public var memory: Int64
    /// Nodes that wait on workers at once; workers form their own batches of them; ≥ 1.
    public var worker: Int

    /// Describes a machine.
    public init(cpu: Int, gpu: Int = 0, memory: Int64 = .max, worker: Int = 64) {
        self.cpu = cpu
        self.gpu = gpu
        self.memory = memory
        self.worker = worker
    }
}

/// Admits nodes as long as what they hold fits: the most urgent first, then the oldest.
///
/// A node that does not fit holds up those behind it that need something it waits for, so that a large one is never
/// starved by small ones; those that need nothing of the kind go ahead.
actor Admission {
    /// What decides among those who wait: smaller goes first.
    struct Urgency: Comparable {
        /// Greater goes first.
        var priority: Int
        /// Earlier items first, so that the first file finishes early.
        var item: Int
        /// Deeper stages first, so that what was begun is finished.
        var depth: Int

        static func < (left: Urgency, right: Urgency) -> Bool {
            (-left.priority, left.item, -left.depth) < (-right.priority, right.item, -right.depth)
        }
    }

    /// What a node holds while it runs.
    struct Demand: Hashable {
        var cpu = 0
        var gpu = 0
        var memory: Int64 = 0
        var worker = 0
        /// The stage, where it has a limit of its own.
        var stage: String?
        var limit = 0

        /// Nothing.
        init() {}

        /// What a step's nodes hold: what the pipeline says, else a core or a place in the worker's queue.
        init(_ step: Graph.Step) {
            let wanted = step.policy.resources
            let isWorker = step.signature.resource == .worker
            cpu = wanted.cpu ?? (isWorker ? 0 : 1)
            worker = wanted.worker ?? (isWorker ? 1 : 0)
            gpu = wanted.gpu ?? 0
            memory = wanted.memory ?? 0
            if let limit = step.policy.limit {
                stage = step.name
                self.limit = limit
            }
        }
    }

    private struct Waiting {
        var urgency: Urgency
        var ticket: UInt64
        var demand: Demand
        var turn: CheckedContinuation<Void, any Error>
    }

    private let capacity: Capacity
    private var free: Capacity
    private var running: [String: Int] = [:]
    /// In order of urgency.
    private var waiting: [Waiting] = []
    private var nextTicket: UInt64 = 0

    init(_ capacity: Capacity) {
        self.capacity = capacity
        free = capacity
    }

    /// What a demand asks for that this machine does not have at all; `nil` where it can be met.
    nonisolated func shortage(_ demand: Demand) -> String? {
        if demand.cpu > capacity.cpu { return "\(demand.cpu) cores, and there are \(capacity.cpu)" }
        if demand.gpu > capacity.gpu { return "\(demand.gpu) GPUs, and there are \(capacity.gpu)" }
        if demand.worker > capacity.worker { return "\(demand.worker) worker places of \(capacity.worker)" }
        if demand.memory > capacity.memory {
            return "\(demand.memory >> 20) MiB of memory, and there are \(capacity.memory >> 20)"
        }
        return nil
    }

    /// Runs `work` while it holds what it demands.
    ///
    /// - Throws: `CancellationError` when cancelled while waiting, and what `work` throws.
    func admit<Result: Sendable>(
        _ demand: Demand, _ urgency: Urgency, _ work: @concurrent @Sendable () async throws -> Result
    ) async throws -> Result {
        try Task.checkCancellation()
        if waiting.isEmpty, fits(demand) { take(demand) } else { try await waitTurn(demand, urgency) }
        defer { release(demand) }
        return try await work()
    }

    /// How many wait for their place.
    var waitingCount: Int { waiting.count }

    private func fits(_ demand: Demand) -> Bool {
        demand.cpu <= free.cpu && demand.gpu <= free.gpu && demand.memory <= free.memory
            && demand.worker <= free.worker
            && (demand.stage.map { running[$0, default: 0] < demand.limit } ?? true)
    }

    private func take(_ demand: Demand) {
        free.cpu -= demand.cpu
        free.gpu -= demand.gpu
        free.memory -= demand.memory
        free.worker -= demand.worker
        if let stage = demand.stage { running[stage, default: 0] += 1 }
    }

    private func release(_ demand: Demand) {
        free.cpu += demand.cpu
        free.gpu += demand.gpu
        free.memory += demand.memory
        free.worker += demand.worker
        if let stage = demand.stage { running[stage, default: 1] -= 1 }
        wake()
    }

    /// Lets in whoever fits and has nobody before them who waits for the same.
    private func wake() {
        guard !waiting.isEmpty else { return }
        var heldUp = (cpu: false, gpu: false, memory: false, worker: false)
        var stages: Set<String> = []
        var admitted: [Int] = []
        for (index, one) in waiting.enumerated() {
            let demand = one.demand
            let isHeldUp =
                heldUp.cpu && demand.cpu > 0 || heldUp.gpu && demand.gpu > 0 || heldUp.memory && demand.memory > 0
                || heldUp.worker && demand.worker > 0 || demand.stage.map(stages.contains) ?? false
            if !isHeldUp, fits(demand) {
                take(demand)
                admitted.append(index)
                continue
            }
            if let stage = demand.stage, running[stage, default: 0] >= demand.limit {
                // A full stage holds up its own nodes alone.
                stages.insert(stage)
                continue
            }
            heldUp.cpu = heldUp.cpu || demand.cpu > free.cpu
            heldUp.gpu = heldUp.gpu || demand.gpu > free.gpu
            heldUp.memory = heldUp.memory || demand.memory > free.memory
            heldUp.worker = heldUp.worker || demand.worker > free.worker
            if heldUp.cpu && heldUp.worker { break }
        }
        for index in admitted { waiting[index].turn.resume() }
        for index in admitted.reversed() { waiting.remove(at: index) }
    }

    private func waitTurn(_ demand: Demand, _ urgency: Urgency) async throws {
        nextTicket += 1
        let ticket = nextTicket
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation {
                insert(Waiting(urgency: urgency, ticket: ticket, demand: demand, turn: $0))
                wake()
            }
        } onCancel: {
            // onCancel is synchronous. It cannot outrun the insert: we hold the actor.
            Task { await self.abandon(ticket) }
        }
    }

    private func insert(_ one: Waiting) {
        var low = 0
        var high = waiting.count
        while low < high {
            let middle = (low + high) / 2
            if waiting[middle].urgency <= one.urgency { low = middle + 1 } else { high = middle }
        }
        waiting.insert(one, at: low)
    }

    private func abandon(_ ticket: UInt64) {
        guard let index = waiting.firstIndex(where: { $0.ticket == ticket }) else { return }
        waiting.remove(at: index).turn.resume(throwing: CancellationError())
        wake()
    }
}
