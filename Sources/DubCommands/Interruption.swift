internal import Dispatch
internal import DubRunner
internal import Foundation
internal import Synchronization

/// What ^C and SIGTERM do: the first asks the work to stop, the second ends the process at once.
final class Interruption: Sendable {
    private let count = Count()
    private let signals: Signals

    private final class Count: Sendable {
        let value = Atomic<Int>(0)
    }

    /// Whether somebody interrupted.
    var isInterrupted: Bool { count.value.load(ordering: .relaxed) > 0 }

    /// Watches for signals until it is let go of.
    ///
    /// - Parameter stop: called once, from a thread of its own; within `grace` of it the process ends, come what may.
    init(grace: Duration = .milliseconds(900), stop: @escaping @Sendable () -> Void) {
        signals = Signals([SIGINT, SIGTERM]) { [count] _ in
            guard count.value.add(1, ordering: .relaxed).oldValue == 0 else { Foundation.exit(Exit.interrupted) }
            stop()
            Signals.queue.asyncAfter(deadline: .now() + grace.seconds) { Foundation._exit(Exit.interrupted) }
        }
    }
}
