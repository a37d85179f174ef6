public import DubCore
internal import DubHTTP

/// Gathers single items from many callers into batches for a worker.
///
/// An item goes off at once when its task has a free lane; those that come while the lanes are busy go together, as
/// many as `batchSize`, sorted by cost. Each caller gets its own result as soon as that is there. When a batch breaks
/// off, results that came before stand, and the other callers get the error; what they try again goes by itself, so
/// that one item which breaks its batch is found out, and takes no other with it twice.
public actor Batcher {
    /// How much goes to the worker at once.
    public struct Limits: Hashable, Sendable {
        /// Most items in a batch; ≥ 1.
        public var batchSize: Int
        /// Most batches of a task at the worker at once; ≥ 1; 1 for tasks not named.
        public var lanes: [WorkerTask: Int]

        /// Makes limits: batches of 16, one lane a task.
        public init(batchSize: Int = 16, lanes: [WorkerTask: Int] = [:]) {
            self.batchSize = batchSize
            self.lanes = lanes
        }
    }

    private struct Pending {
        var entry: BatchQueue.Entry
        var item: JSONValue
        var outcome = Once<ItemOutput>()
    }

    private struct Flight {
        var pending: [UInt64: Pending]
        var handle: Task<Void, Never>?
    }

    private let worker: any Worker
    private let limits: Limits
    private var queue = BatchQueue()
    private var waiting: [UInt64: Pending] = [:]
    private var flights: [UInt64: Flight] = [:]
    private var busy: [WorkerTask: Int] = [:]
    private var nextID: UInt64 = 0

    /// What the models have spent so far on results that were delivered, by task.
    public private(set) var spent: [WorkerTask: ModelSeconds] = [:]

    /// How many items wait for a free lane.
    public var waitingCount: Int { waiting.count }

    /// Makes a batcher in front of a worker.
    public init(worker: any Worker, limits: Limits = Limits()) {
        precondition(limits.batchSize > 0 && limits.lanes.values.allSatisfy { $0 > 0 }, "limits are positive")
        self.worker = worker
        self.limits = limits
    }

    /// Has one item done.
    ///
    /// - Parameters:
    ///   - item: an object in the shape of the task; its `id` is set here.
    ///   - cost: how much work it is, in the same unit for all items of a task.
    /// - Throws: `DubError`: what the worker says of this item, or why the batch broke off; `CancellationError`, and
    ///   then the item is taken back; a batch that nobody waits for any more is broken off.
    public func run(
        task: WorkerTask, model: String, options: JSONValue = [:], item: JSONValue, cost: Double
    ) async throws -> ItemOutput {
        try Task.checkCancellation()
        nextID += 1
        let id = nextID
        var members = item.object ?? [:]
        members["id"] = .string(String(id))
        let key = BatchQueue.Key(task: task, model: model, options: options)
        let pending = Pending(
            entry: .init(id: id, key: key, cost: cost, isAlone: Attempt.number > 1), item: .object(members))
        waiting[id] = pending
        queue.add(pending.entry)
        fill(task)
        do {
            let output = try await pending.outcome.value()
            if let seconds = output.seconds {
                spent[task, default: .init()] = (spent[task] ?? .init()) + seconds
            }
            return output
        } catch let error as CancellationError {
            abandon(id)
            throw error
        }
    }

    /// Sends batches off while there are items and free lanes.
    private func fill(_ task: WorkerTask) {
        while busy[task, default: 0] < limits.lanes[task, default: 1] {
            let entries = queue.next(for: task, upTo: limits.batchSize)
            guard let first = entries.first else { return }
            let batch = entries.compactMap { waiting.removeValue(forKey: $0.id) }
            busy[task, default: 0] += 1
            nextID += 1
            let flight = nextID
            flights[flight] = Flight(
                pending: Dictionary(uniqueKeysWithValues: batch.map { ($0.entry.id, $0) }))
            // Not a child task: a batch belongs to all its callers, and outlives each single one.
            flights[flight]?.handle = Task { await fly(flight, batch, first.key) }
        }
    }

    private func fly(_ flight: UInt64, _ batch: [Pending], _ key: BatchQueue.Key) async {
        let place = "\(key.task.rawValue) with \(key.model)"
        let outcomes = Dictionary(
            batch.map { (String($0.entry.id), $0.outcome) }, uniquingKeysWith: { first, _ in first })
        let request = BatchRequest(
            task: key.task, model: key.model, options: key.options, items: batch.map(\.item))
        do {
            _ = try await worker.batch(request) { result in
                outcomes[result.id]?.settle(ItemOutput.of(result, at: place))
            }
            let missing = DubError.workerProtocol("The worker left an item out of its answer.", at: place)
            for outcome in outcomes.values { outcome.settle(.failure(missing)) }
        } catch {
            for outcome in outcomes.values { outcome.settle(.failure(error)) }
        }
        flights[flight] = nil
        busy[key.task, default: 1] -= 1
        fill(key.task)
    }

    /// Takes an item back whose caller has gone.
    private func abandon(_ id: UInt64) {
        waiting[id] = nil
        if queue.remove(id) { return }
        guard let number = flights.first(where: { $0.value.pending[id] != nil })?.key else { return }
        flights[number]?.pending[id] = nil
        let isWanted = flights[number]?.pending.values.contains { $0.outcome.settled == nil } ?? false
        if !isWanted { flights[number]?.handle?.cancel() }
    }
}

/// What a worker made of one item.
public struct ItemOutput: Hashable, Sendable {
    /// The output, of a shape that belongs to the task.
    public var output: JSONValue
    /// What it cost, where the worker says.
    public var seconds: ModelSeconds?

    static func of(_ result: ItemResult, at place: String) -> Result<ItemOutput, any Error> {
        switch result.outcome {
        case .done(let output): .success(ItemOutput(output: output, seconds: result.seconds))
        case .failed(let fault): .failure(fault.error(at: place))
        }
    }
}
