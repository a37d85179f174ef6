internal import DubCore
internal import DubGraph
internal import Foundation

extension Runner {
    /// Runs a node that was claimed: in its turn, as often as its policy allows.
    func perform(_ job: Job) async -> Outcome {
        guard let key = job.key else { return .cancelled(job) }
        defer { gate.leave(key) }
        let urgency = Admission.Urgency(
            priority: job.item.priority, item: job.item.index, depth: job.step.depth)
        do {
            let (record, error) = try await admission.admit(.init(job.step), urgency) { try await attempts(at: job) }
            // Its place is free for the next one meanwhile, and many are written together.
            try await ledger.record(record)
            if let error { return failed(job, error) }
            observe(
                .nodeFinished(
                    item: job.item.index, stage: job.step.name, node: job.name, cached: false, seconds: record.seconds))
            return .done(job, outputs: record.outputs, cached: false)
        } catch {
            try? await ledger.release([key])
            return error is CancellationError ? .cancelled(job) : failed(job, Self.described(error, at: job.name))
        }
    }

    /// Tries until it is done, or fails for good: then with the error.
    private func attempts(at job: Job) async throws -> (NodeRecord, DubError?) {
        guard let stage = stages[job.step.signature.name] else { throw CancellationError() }
        let policy = job.step.policy.retry ?? retry
        var record = record(job, state: .done, reason: job.reason, outputs: [:])
        observe(.nodeStarted(item: job.item.index, stage: job.step.name, node: job.name, reason: job.reason))
        while true {
            record.attempts += 1
            let log = NodeLog()
            let began = ContinuousClock.now
            func settle() {
                record.seconds = (ContinuousClock.now - began).seconds
                record.log = log.text
            }
            do {
                record.outputs = try await Attempt.$number.withValue(record.attempts) {
                    try await within(job.step.policy.timeout, at: job.name) { try await once(job, stage, log) }
                }
                settle()
                return (record, nil)
            } catch is CancellationError {
                throw CancellationError()
            } catch {
                try Task.checkCancellation()
                let error = Self.described(error, at: job.name)
                guard policy.retries(error), record.attempts < policy.attempts else {
                    settle()
                    record.state = .failed
                    record.error = ErrorRecord(error)
                    return (record, error)
                }
                observe(
                    .nodeRetried(
                        item: job.item.index, stage: job.step.name, node: job.name, attempt: record.attempts,
                        error: error))
                try await Task.sleep(for: policy.wait(after: record.attempts))
            }
        }
    }

    private func once(_ job: Job, _ stage: any Stage, _ log: NodeLog) async throws -> [String: StageValue] {
        let context = StageContext(store: store, outside: job.progress.outside) { fraction in
            observe(
                .nodeProgress(item: job.item.index, stage: job.step.name, node: job.name, fraction: fraction))
        } note: { line in
            log.add(line)
        }
        defer { context.removeScratch() }
        let outputs = try await stage.run(job.inputs, in: context)
        for output in job.step.signature.outputs {
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

    // MARK: - Told

    func failed(_ job: Job, _ error: DubError) -> Outcome {
        observe(.nodeFailed(item: job.item.index, stage: job.step.name, node: job.name, error: error))
        return .failed(job, error)
    }

    func record(
        _ job: Job, state: NodeRecord.State, reason: RunReason, outputs: [String: StageValue]
    ) -> NodeRecord {
        NodeRecord(
            run: job.item.run, item: job.item.index, source: job.item.source, node: job.name,
            stage: job.step.name, key: job.key ?? .of(job.fingerprint), fingerprint: job.fingerprint,
            reason: reason.description, state: state, outputs: outputs, queued: job.queued, started: Date(), seconds: 0,
            attempts: 0, error: nil)
    }

    static func described(_ error: any Error, at place: String) -> DubError {
        (error as? DubError)
            ?? DubError(.internal, "\(error)", at: place, fix: "Please report this.", cause: error)
    }
}

extension RetryPolicy {
    /// Whether an error of this kind is tried again at all.
    func retries(_ error: DubError) -> Bool {
        guard let on else { return error.persistence == .transient }
        return on.contains { error.code.name == $0 || error.code.name.hasPrefix($0 + ".") }
    }

    /// How long to wait after so many attempts.
    func wait(after attempts: Int) -> Duration {
        let bound = min(ceiling, backoff * (1 << min(20, attempts - 1)))
        return jitter ? .seconds(Double.random(in: 0...max(0, bound.seconds))) : bound
    }
}
