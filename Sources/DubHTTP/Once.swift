internal import DubCore

/// A value that comes once, from anywhere, and that any number of tasks may await.
package final class Once<Value: Sendable>: Sendable {
    private enum State {
        case open(waiting: [UInt64: CheckedContinuation<Value, any Error>], nextTicket: UInt64)
        case settled(Result<Value, any Error>)
    }

    private let state = Locked(State.open(waiting: [:], nextTicket: 0))

    package init() {}

    /// Settles it and wakes all who wait; a second time has no effect.
    ///
    /// - Returns: Whether this call settled it.
    @discardableResult
    package func settle(_ result: Result<Value, any Error>) -> Bool {
        let woken: [CheckedContinuation<Value, any Error>]? = state.withLock { state in
            guard case .open(let waiting, _) = state else { return nil }
            state = .settled(result)
            return Array(waiting.values)
        }
        guard let woken else { return false }
        for continuation in woken { continuation.resume(with: result) }
        return true
    }

    /// The outcome if it has come already.
    package var settled: Result<Value, any Error>? {
        state.withLock { state in
            if case .settled(let result) = state { result } else { nil }
        }
    }

    /// Waits for it.
    ///
    /// - Throws: What it was settled with; `CancellationError` at once when the waiting task is cancelled.
    package func value() async throws -> Value {
        let ticket: UInt64 = state.withLock { state in
            guard case .open(let waiting, let ticket) = state else { return 0 }
            state = .open(waiting: waiting, nextTicket: ticket + 1)
            return ticket
        }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                if let result = enrol(continuation, ticket) { continuation.resume(with: result) }
            }
        } onCancel: {
            leave(ticket)?.resume(throwing: CancellationError())
        }
    }

    /// Waits no longer than `limit`; `nil` when that ran out.
    package func value(within limit: Duration) async throws -> Value? {
        try await withThrowingTaskGroup(of: Value?.self) { group in
            group.addTask { try await self.value() }
            group.addTask {
                try await Task.sleep(for: limit)
                return nil
            }
            defer { group.cancelAll() }
            return try await group.next() ?? nil
        }
    }

    private func enrol(
        _ continuation: CheckedContinuation<Value, any Error>, _ ticket: UInt64
    ) -> Result<Value, any Error>? {
        state.withLock { state in
            guard case .open(var waiting, let nextTicket) = state else {
                if case .settled(let result) = state { return result }
                return nil
            }
            // onCancel may have run before we came here; it found nobody and will not come again.
            if Task.isCancelled { return .failure(CancellationError()) }
            waiting[ticket] = continuation
            state = .open(waiting: waiting, nextTicket: nextTicket)
            return nil
        }
    }

    private func leave(_ ticket: UInt64) -> CheckedContinuation<Value, any Error>? {
        state.withLock { state in
            guard case .open(var waiting, let nextTicket) = state else { return nil }
            let continuation = waiting.removeValue(forKey: ticket)
            state = .open(waiting: waiting, nextTicket: nextTicket)
            return continuation
        }
    }
}
