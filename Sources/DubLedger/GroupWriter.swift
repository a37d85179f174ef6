internal import DubCore
internal import GRDB

/// Gathers writes into transactions: what arrives while one is under way goes into the next.
actor GroupWriter {
    private struct Pending {
        /// Makes the change; keeps what it returned, or its failure.
        let change: @Sendable (Database) throws -> Void
        /// Tells the caller: it is committed, or why not.
        let finish: @Sendable ((any Error)?) -> Void
    }

    private let pool: DatabasePool
    private var pending: [Pending] = []
    private var isWriting = false

    init(pool: DatabasePool) {
        self.pool = pool
    }

    /// Returns when the change is committed. Not cancellable: it takes milliseconds, and a half-told result would be lost.
    func write<Value: Sendable>(_ change: @escaping @Sendable (Database) throws -> Value) async throws -> Value {
        let value = Locked<Value?>(nil)
        try await withCheckedThrowingContinuation { (done: CheckedContinuation<Void, any Error>) in
            pending.append(
                Pending {
                    let made = try change($0)
                    value.withLock { $0 = made }
                } finish: { failure in
                    if let failure { done.resume(throwing: failure) } else { done.resume() }
                })
            guard !isWriting else { return }
            isWriting = true
            // Unstructured: it serves every caller, whoever of them is cancelled meanwhile.
            Task { await drain() }
        }
        guard let value = value.withLock({ $0 }) else { preconditionFailure("a change that was committed was made") }
        return value
    }

    private func drain() async {
        while !pending.isEmpty {
            let batch = pending
            pending = []
            let failure = await commit(batch)
            guard let failure else {
                for one in batch { one.finish(nil) }
                continue
            }
            guard batch.count > 1 else {
                for one in batch { one.finish(SQLiteLedger.failed(failure, pool.path)) }
                continue
            }
            // One of them is at fault: each alone, so that the others are written.
            for one in batch {
                let failure = await commit([one])
                one.finish(failure.map { SQLiteLedger.failed($0, pool.path) })
            }
        }
        isWriting = false
    }

    private func commit(_ batch: [Pending]) async -> (any Error)? {
        do {
            // A task of its own: GRDB would roll back where the caller's task is cancelled.
            try await Task { [pool] in
                try await pool.write { database in
                    for one in batch { try one.change(database) }
                }
            }.value
            return nil
        } catch {
            return error
        }
    }
}
