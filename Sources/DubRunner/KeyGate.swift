internal import DubCore

/// Lets one node of a key run at a time, so that a line said twice is voiced once.
actor KeyGate {
    private var waiting: [Digest: [(ticket: UInt64, turn: CheckedContinuation<Void, any Error>)]] = [:]
    private var nextTicket: UInt64 = 0

    /// Runs `work` while nobody else runs with this key.
    ///
    /// - Throws: `CancellationError` when cancelled while waiting, and what `work` throws.
    func alone<Result: Sendable>(
        with key: Digest, _ work: @concurrent @Sendable () async throws -> Result
    ) async throws -> Result {
        if waiting[key] == nil { waiting[key] = [] } else { try await waitTurn(key) }
        defer { release(key) }
        return try await work()
    }

    private func release(_ key: Digest) {
        guard var queue = waiting[key], !queue.isEmpty else {
            waiting[key] = nil
            return
        }
        let next = queue.removeFirst()
        waiting[key] = queue
        next.turn.resume()
    }

    private func waitTurn(_ key: Digest) async throws {
        nextTicket += 1
        let ticket = nextTicket
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { waiting[key, default: []].append((ticket, $0)) }
        } onCancel: {
            // onCancel is synchronous. It cannot outrun the append: we hold the actor.
            Task { await self.abandon(ticket, key) }
        }
    }

    private func abandon(_ ticket: UInt64, _ key: Digest) {
        guard let index = waiting[key]?.firstIndex(where: { $0.ticket == ticket }) else { return }
        waiting[key]?.remove(at: index).turn.resume(throwing: CancellationError())
    }
}
