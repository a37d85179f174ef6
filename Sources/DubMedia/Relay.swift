internal import Dispatch
internal import Synchronization

/// Two threads at one sound: one makes blocks, the other uses them, in order, with a few in between.
public enum Relay {
    /// Runs `make` here and `use` on a thread of its own, until both are done.
    ///
    /// - Parameters:
    ///   - depth: how many blocks may wait; `give` waits for room.
    ///   - use: takes blocks with `next`, which is `nil` behind the last one; it may leave some.
    ///   - make: hands blocks over with `give`.
    /// - Returns: what `use` made of them.
    /// - Throws: what `use` throws, or else what `make` throws; each ends the other at its next block.
    public static func run<Block: Sendable, Value: Sendable>(
        depth: Int = 16, use: @escaping @Sendable (_ next: () throws -> Block?) throws -> Value,
        make: (_ give: (Block) throws -> Void) throws -> Void
    ) throws -> Value {
        let belt = Belt<Block>(depth)
        let result = Mutex<Result<Value, any Error>?>(nil)
        let done = DispatchSemaphore(value: 0)
        DispatchQueue(label: "dubmill.relay").async {
            let value = Result { try use { try belt.take() } }
            result.withLock { $0 = value }
            belt.close(.failure(Ended()))
            done.signal()
        }
        let made = Result { try make { try belt.give($0) } }
        belt.close(made)
        done.wait()
        let used = result.withLock { $0 } ?? .failure(Ended())
        if case .failure(let error) = used, !(error is Ended) { throw error }
        if case .failure(let error) = made, !(error is Ended) { throw error }
        return try used.get()
    }

    /// The other thread has ended: nobody takes blocks any more, or none will come.
    private struct Ended: Error {}

    private final class Belt<Block: Sendable>: Sendable {
        private struct State {
            var blocks: [Block] = []
            var end: Result<Void, any Error>?
        }

        private let state = Mutex(State())
        private let room = DispatchSemaphore(value: 0)
        private let ready = DispatchSemaphore(value: 0)

        init(_ depth: Int) {
            // Not by its first value: a semaphore must not end below that, and blocks may be left.
            for _ in 0..<depth { room.signal() }
        }

        func give(_ block: Block) throws {
            room.wait()
            let isOpen = state.withLock { state in
                if state.end == nil { state.blocks.append(block) }
                return state.end == nil
            }
            guard isOpen else {
                room.signal()
                throw Ended()
            }
            ready.signal()
        }

        func take() throws -> Block? {
            ready.wait()
            return try state.withLock { state in
                guard !state.blocks.isEmpty else {
                    // Whoever asks again hears the same.
                    ready.signal()
                    if case .failure = state.end { throw Ended() }
                    return nil
                }
                room.signal()
                return state.blocks.removeFirst()
            }
        }

        func close(_ end: Result<Void, any Error>) {
            state.withLock { if $0.end == nil { $0.end = end } }
            room.signal()
            ready.signal()
        }
    }
}
