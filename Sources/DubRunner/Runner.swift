public import DubCore
public import DubGraph
internal import Foundation

/// Runs plans: items side by side, each node once, what is in the store not at all.
///
/// A node's outputs are in the store and its result in the ledger before anything that reads them starts, so a run
/// that is killed anywhere and started again repeats only what was in flight.
public struct Runner: Sendable {
    /// How often a transient failure is tried again, and how long to wait: full jitter below a bound that doubles.
    public struct Retry: Sendable {
        /// Attempts in all; ≥ 1.
        public var attempts: Int
        /// The first bound.
        public var firstWait: Duration

        /// Makes a policy.
        public init(attempts: Int = 3, firstWait: Duration = .milliseconds(250)) {
            self.attempts = attempts
            self.firstWait = firstWait
        }
    }

    private let stages: [String: any Stage]
    private let store: any Store
    private let ledger: any Ledger
    private let retry: Retry
    private let cpu: SlotQueue
    private let worker: SlotQueue
    private let gate = KeyGate()
    private let observe: @Sendable (RunEvent) -> Void

    /// Makes a runner.
    ///
    /// - Parameters:
    ///   - slots: how many nodes of this process's own work run at once; ≥ 1.
    ///   - workerSlots: how many nodes wait on workers at once; workers form their own batches of them.
    public init(
        stages: [String: any Stage], store: any Store, ledger: any Ledger, slots: Int, workerSlots: Int = 64,
        retry: Retry = Retry(), observe: @escaping @Sendable (RunEvent) -> Void = { _ in }
    ) {
        self.stages = stages
        self.store = store
        self.ledger = ledger
        self.retry = retry
        cpu = SlotQueue(slots: slots)
        worker = SlotQueue(slots: workerSlots)
        self.observe = observe
    }

    /// Unfolds and runs one item's plan to its end, or as far as failures let it.
    ///
    /// A failed node stops what reads from it and nothing else. Never throws: what went wrong is in the result.
    public func process(_ item: RunItem, graph: Graph, force: Bool = false) async -> PlanResult {
        var plan = Plan(graph)
        var result = PlanResult(plan: plan)
        var counts = [Int](repeating: 0, count: graph.steps.count)
        var announced = 0
        let outside = Dictionary(item.given.values.map { ($0.artifact.digest, $0.path) }, uniquingKeysWith: { $1 })
        let given = item.given.mapValues(\.artifact)
        await withTaskGroup(of: Outcome.self) { group in
            var running = 0
            while true {
                while let index = plan.popReady() {
                    let job = Job(
                        item: item, index: index, name: plan.name(of: index), step: graph.steps[plan.nodes[index].step],
                        inputs: plan.inputs(of: index, given: given), outside: outside, force: force)
                    running += 1
                    group.addTask { await self.perform(job) }
                }
                if announced < plan.nodes.count {
                    var changed: Set<Int> = []
                    for node in plan.nodes[announced...] {
                        counts[node.step] += 1
                        changed.insert(node.step)
                    }
                    announced = plan.nodes.count
                    for step in changed {
                        observe(.unfolded(item: item.index, stage: graph.steps[step].name, count: counts[step]))
                    }
                }
                guard running > 0, let outcome = await group.next() else { return }
                running -= 1
                switch outcome {
                case .done(let index, let outputs, let cached):
                    if cached { result.nodes.cached += 1 } else { result.nodes.run += 1 }
                    plan.finish(index, outputs: outputs)
                case .failed(let error):
                    result.errors.append(error)
                case .cancelled:
                    result.isCancelled = true
                }
            }
        }
        result.plan = plan
        return result
    }

    // MARK: - One node

    private struct Job: Sendable {
        let item: RunItem
        let index: Int
        let name: String
        let step: Graph.Step
        let inputs: StageInputs
        let outside: [Digest: String]
        let force: Bool
    }

    private enum Outcome: Sendable {
        case done(Int, outputs: [String: StageValue], cached: Bool)
        case failed(DubError)
        case cancelled
    }

    private func perform(_ job: Job) async -> Outcome {
        do {
            guard let stage = stages[job.step.signature.name] else {
                throw DubError(
                    .internal, "The stage `\(job.step.signature.name)` has no code.", at: job.name,
                    fix: "Please report this.")
            }
            try Task.checkCancellation()
            let models = try stage.models(for: job.inputs, in: store)
            let fingerprint = Fingerprint(stage.signature, job.inputs, models: models)
            let key = fingerprint.key
            return try await gate.alone(with: key) {
                try await look(job, stage, fingerprint, key)
            }
        } catch is CancellationError {
            return .cancelled
        } catch {
            let error = Self.described(error, at: job.name)
            observe(.nodeFailed(item: job.item.index, stage: job.step.name, node: job.name, error: error))
            return .failed(error)
        }
    }

    /// In the store, or run.
    private func look(
        _ job: Job, _ stage: any Stage, _ fingerprint: Fingerprint, _ key: Digest
    ) async throws -> Outcome {
        var reason = RunReason.forced
        if !job.force {
            if let outputs = try await ledger.outputs(for: key) {
                let missing = outputs.first { !$0.value.artifacts.allSatisfy(store.holds) }?.key
                guard let missing else {
                    let record = NodeRecord(
                        run: job.item.run, item: job.item.index, source: job.item.source, node: job.name,
                        stage: fingerprint.stage, key: key, fingerprint: fingerprint.canonical,
                        reason: RunReason.cached.description, state: .cached, outputs: outputs, queued: Date(),
                        started: Date(), seconds: 0, attempts: 0, error: nil)
                    try await ledger.record(record)
                    observe(
                        .nodeFinished(
                            item: job.item.index, stage: job.step.name, node: job.name, cached: true, seconds: 0))
                    return .done(job.index, outputs: outputs, cached: true)
                }
                reason = .outputMissing(missing)
            } else {
                let last = try await ledger.lastFingerprint(of: job.name, item: job.item.source)
                reason = .between(last, fingerprint)
            }
        }
        let slots = job.step.signature.resource == .cpu ? cpu : worker
        let urgency = SlotQueue.Urgency(item: job.item.index, depth: job.step.depth)
        let finalReason = reason
        return try await slots.withSlot(urgency) {
            try await attempt(job, stage, fingerprint, key, finalReason)
        }
    }

    private func attempt(
        _ job: Job, _ stage: any Stage, _ fingerprint: Fingerprint, _ key: Digest, _ reason: RunReason
    ) async throws -> Outcome {
        var record = NodeRecord(
            run: job.item.run, item: job.item.index, source: job.item.source, node: job.name,
            stage: fingerprint.stage, key: key, fingerprint: fingerprint.canonical, reason: reason.description,
            state: .done, outputs: [:], queued: Date(), started: Date(), seconds: 0, attempts: 0, error: nil)
        observe(.nodeStarted(item: job.item.index, stage: job.step.name, node: job.name, reason: reason))
        while true {
            record.attempts += 1
            let began = ContinuousClock.now
            do {
                record.outputs = try await once(job, stage)
                record.seconds = (ContinuousClock.now - began).seconds
                break
            } catch is CancellationError {
                throw CancellationError()
            } catch {
                try Task.checkCancellation()
                let error = Self.described(error, at: job.name)
                record.seconds = (ContinuousClock.now - began).seconds
                guard error.persistence == .transient, record.attempts < retry.attempts else {
                    record.state = .failed
                    record.error = ErrorRecord(error)
                    try? await ledger.record(record)
                    throw error
                }
                observe(
                    .nodeRetried(
                        item: job.item.index, stage: job.step.name, node: job.name, attempt: record.attempts,
                        error: error))
                let bound = retry.firstWait.seconds * Double(1 << min(10, record.attempts - 1))
                try await Task.sleep(for: .seconds(Double.random(in: 0...bound)))
            }
        }
        try await ledger.record(record)
        observe(
            .nodeFinished(
                item: job.item.index, stage: job.step.name, node: job.name, cached: false, seconds: record.seconds))
        return .done(job.index, outputs: record.outputs, cached: false)
    }

    private func once(_ job: Job, _ stage: any Stage) async throws -> [String: StageValue] {
        let scratch = try store.makeScratch()
        defer { try? FileManager.default.removeItem(atPath: scratch) }
        let context = StageContext(store: store, scratch: scratch, outside: job.outside) { fraction in
            observe(
                .nodeProgress(item: job.item.index, stage: job.step.name, node: job.name, fraction: fraction))
        }
        let outputs = try await stage.run(job.inputs, in: context)
        for output in stage.signature.outputs {
            switch (outputs[output.name], output.isList) {
            case (.one, false), (.list, true): continue
            default:
                throw DubError(
                    .internal, "The stage `\(stage.signature.name)` did not write `\(output.name)` as it declares.",
                    at: job.name, fix: "Please report this.")
            }
        }
        return outputs
    }

    private static func described(_ error: any Error, at place: String) -> DubError {
        (error as? DubError)
            ?? DubError(.internal, "\(error)", at: place, fix: "Please report this.", cause: error)
    }
}

/// An item of a run, with what is handed to its plan from outside.
public struct RunItem: Sendable {
    /// A thing handed in, and where its bytes lie.
    public struct Given: Sendable {
        /// Digest, size, type.
        public var artifact: Artifact
        /// Where it lies.
        public var path: String

        /// Describes a thing handed in.
        public init(artifact: Artifact, path: String) {
            self.artifact = artifact
            self.path = path
        }
    }

    /// The run's name.
    public var run: String
    /// Its place in the run, from 0.
    public var index: Int
    /// The source's absolute path.
    public var source: String
    /// By the graph's names: `item`, and `edits` where there are any.
    public var given: [String: Given]

    /// Describes an item.
    public init(run: String, index: Int, source: String, given: [String: Given]) {
        self.run = run
        self.index = index
        self.source = source
        self.given = given
    }
}

/// How far an item's plan got.
public struct PlanResult: Sendable {
    /// The plan, with what every finished node wrote.
    public var plan: Plan
    /// How many nodes ran, and how many were found in the store.
    public var nodes = NodeCount()
    /// One for each node that failed, in the order in which they failed.
    public var errors: [DubError] = []
    /// Whether the run was cancelled before the plan's end.
    public var isCancelled = false
}

extension Duration {
    /// As a floating-point number of seconds.
    public var seconds: Double {
        Double(components.seconds) + Double(components.attoseconds) * 1e-18
    }
}
