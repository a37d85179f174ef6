/// Admits at most so many at once; of those who wait, the most urgent first, then the oldest.
actor SlotQueue {
    /// What decides among those who wait: smaller goes first.
    struct Urgency: Comparable {
        /// Earlier items first, so that the first file finishes early.
        var item: Int
        /// Deeper stages first, so that what was begun is finished.
        var depth: Int

        static func < (left: Urgency, right: Urgency) -> Bool {
            (left.item, -left.depth) < (right.item, -right.depth)
        }
    }

    private struct Waiting {
        var urgency: Urgency
        var ticket: UInt64
        var turn: CheckedContinuation<Void, any Error>
    }

    private var free: Int
    private var waiting: [Waiting] = []
    private var nextTicket: UInt64 = 0

    init(slots: Int) {
        free = slots
    }

    /// Runs `work` in a slot.
    ///
    /// - Throws: `CancellationError` when cancelled while waiting, and what `work` throws.
    func withSlot<Result: Sendable>(
        _ urgency: Urgency, _ work: @concurrent @Sendable () async throws -> Result
    ) async throws -> Result {
        try Task.checkCancellation()
        if free > 0 { free -= 1 } else { try await waitTurn(urgency) }
        defer { release() }
        return try await work()
    }

    private func release() {
        guard !waiting.isEmpty else { return free += 1 }
        removeFirst().turn.resume()
    }

    private func waitTurn(_ urgency: Urgency) async throws {
        nextTicket += 1
        let ticket = nextTicket
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation {
                insert(Waiting(urgency: urgency, ticket: ticket, turn: $0))
            }
        } onCancel: {
            // onCancel is synchronous. It cannot outrun the insert: we hold the actor.
            Task { await self.abandon(ticket) }
        }
    }

    private func abandon(_ ticket: UInt64) {
        guard let index = waiting.firstIndex(where: { $0.ticket == ticket }) else { return }
        let gone = waiting.remove(at: index)
        // The order below is a heap's: rebuild it, cancellation is rare.
        let rest = waiting
        waiting = []
        for one in rest { insert(one) }
        gone.turn.resume(throwing: CancellationError())
    }

    // MARK: - A binary heap, most urgent at the root

    private func precedes(_ a: Int, _ b: Int) -> Bool {
        waiting[a].urgency == waiting[b].urgency
            ? waiting[a].ticket < waiting[b].ticket : waiting[a].urgency < waiting[b].urgency
    }

    private func insert(_ one: Waiting) {
        waiting.append(one)
        var index = waiting.count - 1
        while index > 0, precedes(index, (index - 1) / 2) {
            waiting.swapAt(index, (index - 1) / 2)
            index = (index - 1) / 2
        }
    }

    private func removeFirst() -> Waiting {
        waiting.swapAt(0, waiting.count - 1)
        let first = waiting.removeLast()
        var index = 0
        while true {
            let children = [2 * index + 1, 2 * index + 2].filter { $0 < waiting.count }
            guard let least = children.min(by: { precedes($0, $1) }), precedes(least, index) else { return first }
            waiting.swapAt(index, least)
            index = least
        }
    }
}
