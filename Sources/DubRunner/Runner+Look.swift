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
            try await settle(entered, into: &outcomes)
        } catch {
            let told = Self.described(error, at: "ledger")
            for job in entered {
                if let key = job.key { gate.leave(key) }
                outcomes.append(failed(job, told))
            }
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

    /// Claims keys and sorts their nodes by what the ledger and the store say.
    private func settle(_ jobs: [Job], into outcomes: inout [Outcome]) async throws {
        guard let item = jobs.first?.item else { return }
        let claims = jobs.compactMap { job in
            job.key.map { NodeClaim(key: $0, node: job.name, isForced: job.isForced) }
        }
        let states = try await ledger.claim(claims, item: item.source)
        var cached: [NodeRecord] = []
        for (job, state) in zip(jobs, states) {
            guard let key = job.key else { continue }
            var job = job
            switch state {
            case .running:
                gate.leave(key)
                outcomes.append(.elsewhere(job, key, isOwn: false))
            case .claimed(let last):
                if job.progress.force {
                    job.reason = .forced
                } else if !job.isForced, let last {
                    job.reason = .between(try Fingerprint(canonical: last), try Fingerprint(canonical: job.fingerprint))
                }
                outcomes.append(.prepared(job))
            case .done(let outputs):
                let missing = outputs.first { !$0.value.artifacts.allSatisfy(store.holds) }?.key
                gate.leave(key)
                guard let missing else {
                    cached.append(record(job, state: .cached, reason: .cached, outputs: outputs))
                    outcomes.append(.done(job, outputs: outputs, cached: true))
                    continue
                }
                job.reason = .outputMissing(missing)
                job.isForced = true
                outcomes.append(.again(job))
            }
        }
        guard !cached.isEmpty else { return }
        try await ledger.record(cached)
        for node in cached {
            observe(.nodeFinished(item: item.index, stage: node.stage, node: node.node, cached: true, seconds: 0))
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
        return Task.isCancelled ? .cancelled(job) : .again(job)
    }
}
