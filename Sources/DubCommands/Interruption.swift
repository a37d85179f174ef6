internal import Dispatch
internal import Foundation
internal import Synchronization

/// What ^C and SIGTERM do: the first asks the work to stop, the second ends the process at once.
final class Interruption: Sendable {
    private let count = Atomic<Int>(0)
    // Only ever touched here and in init: dispatch sources are thread-safe, and do not say so.
    nonisolated(unsafe) private let sources: [any DispatchSourceSignal]

    /// Whether somebody interrupted.
    var isInterrupted: Bool { count.load(ordering: .relaxed) > 0 }

    /// Watches for signals until it is let go of.
    ///
    /// - Parameter stop: called once, from a thread of its own; within `grace` of it the process ends, come what may.
    init(grace: Duration = .milliseconds(900), stop: @escaping @Sendable () -> Void) {
        let queue = DispatchQueue(label: "dubmill.signals")
        sources = [SIGINT, SIGTERM].map { number in
            signal(number, SIG_IGN)
            return DispatchSource.makeSignalSource(signal: number, queue: queue)
        }
        for source in sources {
            source.setEventHandler { [weak self] in
                guard let self else { return }
                guard self.count.add(1, ordering: .relaxed).oldValue == 0 else { Foundation.exit(Exit.interrupted) }
                stop()
                let (seconds, attoseconds) = grace.components
                let deadline = DispatchTime.now() + Double(seconds) + Double(attoseconds) * 1e-18
                queue.asyncAfter(deadline: deadline) { Foundation._exit(Exit.interrupted) }
            }
            source.resume()
        }
    }
}
