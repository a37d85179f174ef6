internal import DubCore
internal import GRDB

/// Gathers writes into transactions: what arrives while one is under way goes into the next.
actor GroupWriter {
    typealias Change = @Sendable (Database) throws -> Void

    private struct Pending {
        let change: Change
        let done: CheckedContinuation<Void, any Error>
    }

    private let pool: DatabasePool
    private var pending: [Pending] = []
    private var isWriting = false

    init(pool: DatabasePool) {
        self.pool = pool
    }

    /// Returns when the change is committed. Not cancellable: it takes milliseconds, and a half-told result would be lost.
    func write(_ change: @escaping Change) async throws {
        try await withCheckedThrowingContinuation { (done: CheckedContinuation<Void, any Error>) in
            pending.append(Pending(change: change, done: done))
            guard !isWriting else { return }
            isWriting = true
            // Unstructured: it serves every caller, whoever of them is cancelled meanwhile.
            Task { await drain() }
        }
    }

    private func drain() async {
        while !pending.isEmpty {
            let batch = pending
            pending = []
            let changes = batch.map(\.change)
            let failure = await commit(changes)
            guard let failure else {
                for one in batch { one.done.resume() }
                continue
            }
            guard batch.count > 1 else {
                for one in batch { one.done.resume(throwing: SQLiteLedger.failed(failure, pool.path)) }
                continue
            }
            // One of them is at fault: each alone, so that the others are written.
            for one in batch {
                if let failure = await commit([one.change]) {
                    one.done.resume(throwing: SQLiteLedger.failed(failure, pool.path))
                } else {
                    one.done.resume()
                }
            }
        }
        isWriting = false
    }

    private func commit(_ changes: [Change]) async -> (any Error)? {
        do {
            // A task of its own: GRDB would roll back where the caller's task is cancelled.
            try await Task { [pool] in
                try await pool.write { database in
                    for change in changes { try change(database) }
                }
            }.value
            return nil
        } catch {
            return error
        }
    }
}
