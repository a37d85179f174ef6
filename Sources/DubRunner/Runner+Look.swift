internal import DubCore
internal import DubGraph
internal import Foundation

extension Runner {
    /// Looks nodes up together: which are in the store, which are to be run, which somebody else runs.
    func look(_ jobs: [Job]) async -> [Outcome] {
        var outcomes: [Outcome] = []
        var entered: [Job] = []
        for job in jobs {
            do {
                try Task.checkCancellation()
                let job = try fingerprinted(job)
                guard let key = job.key else { continue }
                if gate.enter(key) {
                    entered.append(job)
                } else {
                    outcomes.append(.elsewhere(job, key, isOwn: true))
                }
            } catch is CancellationError {
                outcomes.append(.cancelled(job))
            } catch {
                outcomes.append(failed(job, Self.described(error, at: job.name)))
            }
        }
        do {
            outcomes += try await settle(entered)
        } catch {
            let told = Self.described(error, at: "ledger")
            outcomes += entered.map { failed($0, told) }
            for job in entered { if let key = job.key { gate.leave(key) } }
        }
        return outcomes
    }

    private func fingerprinted(_ job: Job) throws -> Job {
        guard job.key == nil else { return job }
        guard let stage = stages[job.step.signature.name] else {
            throw DubError(
                .internal, "The stage `\(job.step.signature.name)` has no code.", at: job.name,
                fix: "Please report this.")
        }
        var job = job
        let models = try stage.models(for: job.inputs, in: store)
        job.fingerprint = Fingerprint(job.step.signature, job.inputs, models: models).canonical
        job.key = .of(job.fingerprint)
        job.isForced = job.progress.force
        return job
    }

    /// Claims keys and sorts their nodes by what the ledger and the store say: each has one outcome.
    ///
    /// - Throws: what the ledger throws; then nothing is claimed, and no node has an outcome yet.
    private func settle(_ jobs: [Job]) async throws -> [Outcome] {
        guard let item = jobs.first?.item else { return [] }
        let claims = jobs.compactMap { job in
            job.key.map { NodeClaim(key: $0, node: job.name, isForced: job.isForced) }
        }
        let states = try await ledger.claim(claims, item: item.source)
        let outcomes = zip(jobs, states).map { sorted($0, $1) }
        let cached = outcomes.compactMap { outcome -> NodeRecord? in
            guard case .done(let job, let outputs, _) = outcome else { return nil }
            return record(job, state: .cached, reason: .cached, outputs: outputs)
        }
        do {
            if !cached.isEmpty { try await ledger.record(cached) }
        } catch {
            let claimed = outcomes.compactMap { if case .prepared(let job) = $0 { job.key } else { nil } }
            try? await ledger.release(claimed)
            throw error
        }
        for outcome in outcomes {
            switch outcome {
            case .elsewhere(_, let key, _): gate.leave(key)
            case .again(let job), .done(let job, _, _): if let key = job.key { gate.leave(key) }
            case .prepared, .failed, .cancelled: continue
            }
        }
        for node in cached {
            observe(.nodeFinished(item: item.index, stage: node.stage, node: node.node, cached: true, seconds: 0))
        }
        return outcomes
    }

    private func sorted(_ job: Job, _ state: NodeState) -> Outcome {
        var job = job
        switch state {
        case .running: return .elsewhere(job, job.key ?? .of(job.fingerprint), isOwn: false)
        case .claimed(let last):
            if job.progress.force {
                job.reason = .forced
            } else if !job.isForced, let last = last.flatMap({ try? Fingerprint(canonical: $0) }),
                let now = try? Fingerprint(canonical: job.fingerprint)
            {
                job.reason = .between(last, now)
            }
            return .prepared(job)
        case .done(let outputs):
            guard let lost = store.loss(of: outputs) else { return .done(job, outputs: outputs, cached: true) }
            job.reason = lost
            job.isForced = true
            return .again(job)
        }
    }

    /// Waits until a key that somebody else runs may be looked up again.
    func wait(_ job: Job, for key: Digest, isOwn: Bool) async -> Outcome {
        if isOwn {
            await gate.left(key)
        } else {
            // Another process: nothing tells when it is done but the ledger.
            try? await Task.sleep(for: .milliseconds(Int.random(in: 20...80)))
        }
        // Whoever had it has made good what was lost.
        var job = job
        job.isForced = job.progress.force
        return Task.isCancelled ? .cancelled(job) : .again(job)
    }
}
