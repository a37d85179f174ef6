public import DubCore
internal import Foundation

/// What a run tells whoever follows it, in order, the latest of it kept so that who lost the connection can go on.
///
/// Nobody who follows holds up the run: who lags too far behind is told to look at the whole again.
public final class RunFeed: Sendable {
    /// Something that came to pass.
    public struct Event: Sendable {
        /// From 1.
        public var number: UInt64
        /// `run`, `item`, `stage` or `node`.
        public var name: String
        /// What it is about.
        public var data: JSONValue
    }

    /// What there is for a follower.
    public enum News: Sendable {
        /// This came after what the follower knows.
        case events([Event])
        /// What came next is gone: the whole has to be looked at, and followed from this number.
        case lagged(to: UInt64)
        /// Nothing within the time.
        case nothing
        /// Nothing more will come.
        case end
    }

    private struct State {
        var events: [Event] = []
        var last: UInt64 = 0
        var isEnded = false
        var waiting: [UInt64: CheckedContinuation<Void, Never>] = [:]
        var tickets: UInt64 = 0
    }

    /// Tells the feed of this process from one that had the same run before.
    public let name: String
    private let kept: Int
    private let state = Locked(State())

    /// Makes a feed that keeps so many events.
    public init(kept: Int = 2000) {
        name = String(UInt32.random(in: .min ... .max), radix: 36)
        self.kept = kept
    }

    /// The number of the last event; 0 before the first.
    public var last: UInt64 { state.withLock { $0.last } }

    /// Tells everybody.
    public func publish(_ name: String, _ data: JSONValue) {
        wake { state in
            guard !state.isEnded else { return }
            state.last += 1
            state.events.append(Event(number: state.last, name: name, data: data))
            // In bulk: taking away the first of an array moves all others.
            if state.events.count > 2 * kept { state.events.removeFirst(state.events.count - kept) }
        }
    }

    /// Tells everybody that nothing more will come.
    public func end() {
        wake { $0.isEnded = true }
    }

    private func wake(_ change: (inout State) -> Void) {
        let waiting = state.withLock { state in
            change(&state)
            defer { state.waiting = [:] }
            return state.waiting
        }
        for one in waiting.values { one.resume() }
    }

    /// What came after the event of a number; waits for it.
    public func next(after number: UInt64, atMost limit: Duration) async -> News {
        if let news = news(after: number) { return news }
        let ticket = state.withLock { state in
            state.tickets += 1
            return state.tickets
        }
        // Unstructured: it ends with the wait, and nobody waits for it.
        let timer = Task {
            do { try await Task.sleep(for: limit) } catch { return }
            leave(ticket)
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isOver = state.withLock { state in
                    if state.last > number || state.isEnded || Task.isCancelled { return true }
                    state.waiting[ticket] = continuation
                    return false
                }
                if isOver { continuation.resume() }
            }
        } onCancel: {
            leave(ticket)
        }
        timer.cancel()
        return news(after: number) ?? (Task.isCancelled ? .end : .nothing)
    }

    private func leave(_ ticket: UInt64) {
        let waiting = state.withLock { $0.waiting.removeValue(forKey: ticket) }
        waiting?.resume()
    }

    private func news(after number: UInt64) -> News? {
        state.withLock { state in
            if number > state.last { return .lagged(to: state.last) }
            guard number < state.last else { return state.isEnded ? .end : nil }
            guard let first = state.events.first, first.number <= number + 1 else { return .lagged(to: state.last) }
            return .events(Array(state.events.drop { $0.number <= number }))
        }
    }
}
