public import DubCore
public import DubHTTP

/// Several workers behind one: each batch goes to the one with the least to do among those that are well.
///
/// A worker that dies, hangs or cannot be reached costs its batch a retry elsewhere and nothing else: results that came
/// stand, and the rest is sent again item by item. Workers that fail are left alone for a while (`CircuitBreaker`) and
/// probed before they get work again. Workers that say they are draining get no more.
public actor WorkerPool: Worker {
    /// How patient the pool is.
    public struct Limits: Hashable, Sendable {
        /// Failures in a row until a worker is left alone; ≥ 1.
        public var failures = 3
        /// For how long at first; it doubles.
        public var pause = Duration.seconds(2)
        /// For how long at most.
        public var longestPause = Duration.seconds(60)
        /// How long a batch waits for a worker that takes it.
        public var patience = Duration.seconds(60)
        /// How often the stream of an item may break off before the item is given up; ≥ 1.
        public var breaks = 3
        /// Without a result within a batch, before the worker counts as hung; whole seconds, ≥ 1.
        public var silence = Duration.seconds(900)
        /// Between two questions after the health of a worker that works on a batch.
        public var watch = Duration.seconds(5)
        /// For an answer to such a question.
        public var answer = Duration.seconds(5)

        /// Makes limits.
        public init() {}
    }

    /// How a worker of the pool is doing.
    public struct Status: Sendable {
        /// Where it is.
        public var endpoint: WorkerEndpoint
        /// Items that it has now.
        public var load: Int
        /// Items that it gave results for.
        public var finished: Int
        /// Whether it gets work.
        public var isServing: Bool
        /// Whether it ends what it has and takes no more.
        public var isDraining: Bool
        /// What went wrong last, while it is left alone.
        public var error: DubError?
    }

    private struct Member {
        var endpoint: WorkerEndpoint
        var link: WorkerLink
        var breaker: CircuitBreaker
        var capabilities: Capabilities?
        var load = 0
        var finished = 0
        var isDraining = false
        var isDismissed = false
        var isProbed = false
        var error: DubError?
    }

    private var members: [Member]
    private var offer = PoolOffer()
    private let limits: Limits
    private let log: (@Sendable (String) -> Void)?

    /// Makes a pool; nothing is asked yet.
    ///
    /// - Parameters:
    ///   - endpoints: one or more; the first one's weights are those of the pool.
    ///   - log: takes what happens to workers, a sentence at a time.
    public init(
        endpoints: [WorkerEndpoint], limits: Limits = Limits(), client: HTTPClient = HTTPClient(),
        log: (@Sendable (String) -> Void)? = nil
    ) {
        precondition(!endpoints.isEmpty && limits.failures > 0 && limits.breaks > 0, "a pool has workers and limits")
        let breaker = CircuitBreaker(
            threshold: limits.failures, pause: limits.pause, longest: limits.longestPause)
        members = endpoints.map {
            Member(
                endpoint: $0, link: WorkerLink(client: client, to: $0, silence: limits.silence), breaker: breaker)
        }
        self.limits = limits
        self.log = log
    }

    /// How each worker is doing.
    public var status: [Status] {
        members.map { member in
            Status(
                endpoint: member.endpoint, load: member.load, finished: member.finished,
                isServing: member.capabilities != nil && !member.isDraining && !member.isDismissed
                    && member.breaker.state(at: .now) == .closed,
                isDraining: member.isDraining || member.isDismissed, error: member.error)
        }
    }

    /// Sends a worker nothing more; what it has it ends.
    public func dismiss(_ endpoint: WorkerEndpoint) {
        for index in members.indices where members[index].endpoint == endpoint { members[index].isDismissed = true }
    }

    /// What the workers can do together: those that answer now.
    ///
    /// - Throws: Why the first does not answer, where none does; `CancellationError`.
    public func capabilities() async throws -> Capabilities {
        await probe(Array(members.indices), within: limits.answer)
        try Task.checkCancellation()
        guard members.contains(where: { $0.capabilities != nil && $0.error == nil }) else {
            throw members.first?.error ?? nobody("It has no workers.")
        }
        return offer.merged
    }

    /// Does a batch, wherever there is a worker for it.
    ///
    /// - Throws: `worker.model-missing` where no worker has the model; `worker.unreachable`, transient, where none that
    ///   has it can be reached for as long as the pool is patient; `worker.bad-request`; `CancellationError`.
    public func batch(
        _ request: BatchRequest, onResult: @Sendable (ItemResult) -> Void
    ) async throws -> [ItemResult] {
        var run = PoolRun(request.items, mostBreaks: limits.breaks)
        var avoided: Set<Int> = []
        var deadline = ContinuousClock.now + limits.patience
        while !run.next.isEmpty {
            var part = request
            part.items = run.next
            let index = try await pick(request.task, request.model, avoiding: avoided, until: deadline)
            let before = run.results.count
            do {
                try await fly(index, part) { result in
                    if run.take(result) { onResult(result) }
                }
                guard run.results.count - before == part.items.count else {
                    throw DubError.workerProtocol(
                        "The worker left an item out of its answer.", at: "\(members[index].endpoint)")
                }
                well(index)
                avoided = []
            } catch let error as DubError where Self.isLoss(error) {
                ill(index, error)
                avoided.insert(index)
                guard ContinuousClock.now < deadline else { throw error }
                // One that took nothing at all cannot have been broken by an item.
                if !Self.isRefusal(error) {
                    for lost in run.broke(part.items, why: error.what) { onResult(lost) }
                }
            }
            if run.results.count > before { deadline = .now + limits.patience }
        }
        return run.results
    }

    /// Sends a batch to one worker, and asks after its health meanwhile.
    private func fly(
        _ index: Int, _ request: BatchRequest, onResult: (ItemResult) -> Void
    ) async throws {
        let link = members[index].link
        members[index].load += request.items.count
        defer { members[index].load -= request.items.count }
        let (results, sink) = AsyncThrowingStream<ItemResult, any Error>.makeStream()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                do {
                    _ = try await link.batch(request) { sink.yield($0) }
                    sink.finish()
                } catch {
                    sink.finish(throwing: error)
                }
            }
            group.addTask { [limits] in
                do {
                    try await Self.watch(link, limits)
                } catch {
                    sink.finish(throwing: error)
                }
            }
            defer { group.cancelAll() }
            for try await result in results {
                members[index].finished += 1
                onResult(result)
            }
            try Task.checkCancellation()
        }
    }

    /// Asks after the health of a worker at work, until it does not answer any more.
    private static func watch(_ link: WorkerLink, _ limits: Limits) async throws {
        var failures = 0
        while failures < limits.failures {
            try await Task.sleep(for: limits.watch)
            do {
                _ = try await link.health(within: limits.answer)
                failures = 0
            } catch is DubError {
                failures += 1
            }
        }
        throw DubError(
            .workerHung, "The worker did not say how it is, \(failures) times in a row.",
            at: link.socketPath ?? link.base, fix: "See whether it still runs; its batch is tried elsewhere.",
            persistence: .transient)
    }
}

// Which of them gets work.
extension WorkerPool {
    /// The worker with the least to do that has the model and is well; waits for one where there is none now.
    private func pick(
        _ task: WorkerTask, _ model: String, avoiding avoided: Set<Int>, until deadline: ContinuousClock.Instant
    ) async throws -> Int {
        while true {
            try Task.checkCancellation()
            let now = ContinuousClock.now
            let ready = members.indices.filter { isReady($0, task, model, now) }
            let due = members.indices.filter { isDue($0, now) }
            if !due.isEmpty {
                // Where others are ready, one that may be well again costs the batch no more than a moment.
                await probe(due, within: ready.isEmpty ? limits.answer : min(limits.answer, .seconds(1)))
                continue
            }
            // One that has just failed at this batch comes last.
            if let best = best(ready.filter { !avoided.contains($0) }) ?? best(ready) { return best }
            if let verdict = hopeless(task, model) { throw verdict }
            guard now < deadline else { throw unreachable(task, model) }
            try await Task.sleep(for: .milliseconds(20))
        }
    }

    private func best(_ indices: [Int]) -> Int? {
        // Of equals the one that did least, so that all come to their turn.
        indices.min { (members[$0].load, members[$0].finished) < (members[$1].load, members[$1].finished) }
    }

    private func isReady(_ index: Int, _ task: WorkerTask, _ model: String, _ now: ContinuousClock.Instant) -> Bool {
        let member = members[index]
        guard let capabilities = member.capabilities, !member.isDraining, !member.isDismissed else { return false }
        return member.breaker.state(at: now) == .closed && offer.serves(capabilities, task, model)
    }

    private func isDue(_ index: Int, _ now: ContinuousClock.Instant) -> Bool {
        let member = members[index]
        guard !member.isProbed, !member.isDismissed else { return false }
        switch member.breaker.state(at: now) {
        case .closed: return member.capabilities == nil
        case .halfOpen: return true
        case .open: return false
        }
    }

    /// Why waiting is of no use: nobody that can be asked has the model, or those that may have it want something else.
    private func hopeless(_ task: WorkerTask, _ model: String) -> DubError? {
        let asked = members.filter { !$0.isDismissed }
        let isUseless = asked.allSatisfy { member in
            if let error = member.error { return error.persistence == .permanent }
            return member.capabilities.map { !offer.serves($0, task, model) } ?? false
        }
        guard isUseless else { return nil }
        return asked.lazy.compactMap(\.error).first
            ?? DubError(
                .workerModelMissing, "No worker of the pool has \(model) for \(task.rawValue).", at: place,
                fix: "Install it where the workers run, or choose another model.")
    }

    private func unreachable(_ task: WorkerTask, _ model: String) -> DubError {
        let cause = members.lazy.compactMap(\.error).first
        return DubError(
            .workerUnreachable,
            "For \(limits.patience) no worker took \(task.rawValue) with \(model)."
                + (cause.map { " The last time: \($0.what)" } ?? ""),
            at: place, fix: "See whether the workers run: dubmill worker check URL.", persistence: .transient,
            cause: cause)
    }

    private func nobody(_ what: String) -> DubError {
        DubError(.workerUnreachable, what, at: place, fix: "Name a worker with --worker.", persistence: .transient)
    }

    private var place: String { members.map { "\($0.endpoint)" }.joined(separator: ", ") }

    /// Asks workers how they are and what they can do, all at once.
    private func probe(_ indices: [Int], within limit: Duration) async {
        let asked = indices.filter { !members[$0].isProbed }
        for index in asked { members[index].isProbed = true }
        defer { for index in asked { members[index].isProbed = false } }
        let links = asked.map { ($0, members[$0].link) }
        let answers = await withTaskGroup(
            of: (Int, Result<(isReady: Bool, capabilities: Capabilities), any Error>).self
        ) { group in
            for (index, link) in links {
                group.addTask {
                    do {
                        let health = try await link.health(within: limit)
                        guard health.protocol == WorkerLink.protocolVersion else {
                            throw DubError.workerProtocol(
                                "The worker speaks protocol \(health.protocol), and dubmill speaks "
                                    + "\(WorkerLink.protocolVersion).", at: link.socketPath ?? link.base)
                        }
                        return (index, .success((health.status == "ready", try await link.capabilities())))
                    } catch {
                        return (index, .failure(error))
                    }
                }
            }
            var answers: [(Int, Result<(isReady: Bool, capabilities: Capabilities), any Error>)] = []
            for await answer in group { answers.append(answer) }
            return answers
        }
        // In the order of the pool, so that the first one's weights are those of all.
        for (index, answer) in answers.sorted(by: { $0.0 < $1.0 }) {
            switch answer {
            case .success(let said): know(index, said.isReady, said.capabilities)
            case .failure(let error as DubError): ill(index, error)
            case .failure: break
            }
        }
    }

    private func know(_ index: Int, _ isReady: Bool, _ capabilities: Capabilities) {
        let strange = offer.add(capabilities)
        if !strange.isEmpty, members[index].capabilities == nil {
            log?(
                "\(members[index].endpoint) has other weights than the pool and is not asked for "
                    + strange.joined(separator: ", "))
        }
        members[index].capabilities = capabilities
        if members[index].error != nil { log?("\(members[index].endpoint) answers again") }
        members[index].error = nil
        members[index].breaker.probed()
        members[index].isDraining = !isReady
        // It is asked again later: it may be started anew.
        if !isReady { members[index].breaker.failed(at: .now, isLasting: true) }
    }

    private func well(_ index: Int) {
        members[index].error = nil
        members[index].breaker.succeeded()
    }

    private func ill(_ index: Int, _ error: DubError) {
        if members[index].error == nil { log?("\(members[index].endpoint): \(error.what)") }
        members[index].error = error
        // Asked again before it gets more: whoever answers there then may be another.
        members[index].capabilities = nil
        members[index].breaker.failed(at: .now, isLasting: error.persistence == .permanent)
    }

    /// Whether an error says that this worker did not do its part; another may.
    private static func isLoss(_ error: DubError) -> Bool {
        let codes: Set<DubError.Code> = [
            .httpUnreachable, .httpTimeout, .httpFailed, .workerHung, .workerProtocol, .workerInternal, .workerBusy,
            .workerUnauthorised, .workerOutOfMemory,
        ]
        return codes.contains(error.code)
    }

    /// Whether it took nothing of a batch.
    private static func isRefusal(_ error: DubError) -> Bool {
        // The last two are statuses of 500 and above; what fails within a batch is its item's own result.
        let codes: Set<DubError.Code> = [
            .httpUnreachable, .workerBusy, .workerUnauthorised, .workerInternal, .workerOutOfMemory,
        ]
        return codes.contains(error.code)
    }
}
