internal import DubCore
internal import DubGraph
internal import DubRunner

/// Counts the nodes of a run whose results were found damaged in the store, and tells so in the end.
final class DamageNote: Sendable {
    private let count = Locked(0)

    func take(_ event: RunEvent) {
        if case .nodeStarted(_, _, _, .outputDamaged(_)) = event { count.withLock { $0 += 1 } }
    }

    /// Says how many were damaged, where any were.
    func tell() {
        let count = count.withLock { $0 }
        guard count > 0 else { return }
        Console.note(
            "\(count) \(count == 1 ? "result was" : "results were") damaged in the store, and made again."
                + " Check the disk; `dubmill store verify` reads all of the store.")
    }
}
