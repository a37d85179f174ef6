internal import Dispatch
internal import Foundation

/// Signals that are heeded instead of ending the process, until this is let go of.
final class Signals: Sendable {
    /// Where handlers run, one after the other.
    static let queue = DispatchQueue(label: "dubmill.signals")
    // Only ever touched in init: dispatch sources are thread-safe, and do not say so.
    nonisolated(unsafe) private let sources: [any DispatchSourceSignal]

    /// - Parameter take: called for each, on `queue`.
    init(_ numbers: [Int32], take: @escaping @Sendable (Int32) -> Void) {
        sources = numbers.map { number in
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: Self.queue)
            source.setEventHandler { take(number) }
            return source
        }
        for source in sources { source.resume() }
    }

    /// Signals as they come, for as long as the second is kept.
    static func stream(of numbers: [Int32]) -> (AsyncStream<Int32>, Signals) {
        let (stream, continuation) = AsyncStream<Int32>.makeStream()
        return (stream, Signals(numbers) { continuation.yield($0) })
    }
}
