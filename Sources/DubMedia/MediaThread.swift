internal import CFFmpeg
internal import Dispatch
internal import Synchronization

/// A flag that asks a running media operation to stop. It only ever goes up.
public final class Cancellation: Sendable {
    private let flag = Atomic<Bool>(false)

    /// Makes a flag that is down: for synchronous callers whom nobody cancels.
    public init() {}

    /// Whether somebody has asked to stop.
    public var isCancelled: Bool { flag.load(ordering: .relaxed) }

    /// Asks to stop. Blocking reads of FFmpeg return within milliseconds.
    public func cancel() { flag.store(true, ordering: .relaxed) }

    /// - Throws: `CancellationError` once `cancel` was called.
    public func check() throws {
        if isCancelled { throw CancellationError() }
    }

    /// The callback by which FFmpeg polls this flag; the flag must outlive its holder.
    var interruption: AVIOInterruptCB {
        AVIOInterruptCB(
            callback: { opaque in
                guard let opaque else { return 0 }
                return Unmanaged<Cancellation>.fromOpaque(opaque).takeUnretainedValue().isCancelled ? 1 : 0
            }, opaque: Unmanaged.passUnretained(self).toOpaque())
    }
}

/// Where FFmpeg's blocking calls run: a dispatch thread of their own, never the cooperative pool.
public enum MediaThread {
    /// Runs `body` on a serial queue of its own and waits for it.
    ///
    /// Cancelling the task raises `body`'s flag; whatever `body` then throws, the caller sees `CancellationError`.
    /// - Throws: what `body` throws; `CancellationError`.
    public static func run<Value: Sendable>(
        _ body: @escaping @Sendable (Cancellation) throws -> Value
    ) async throws -> Value {
        let cancellation = Cancellation()
        return try await withTaskCancellationHandler {
            try Task.checkCancellation()
            return try await withCheckedThrowingContinuation { continuation in
                DispatchQueue(label: "dubmill.media").async {
                    do {
                        let value = try body(cancellation)
                        continuation.resume(returning: value)
                    } catch {
                        continuation.resume(throwing: cancellation.isCancelled ? CancellationError() : error)
                    }
                }
            }
        } onCancel: {
            cancellation.cancel()
        }
    }
}
