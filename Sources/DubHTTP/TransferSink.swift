internal import DubCore
internal import Foundation

/// Where the answer of a transfer goes. All calls come from the loop's thread, `finish` exactly once and last.
protocol TransferSink: AnyObject, Sendable {
    func receive(_ head: HTTPHead)
    func receive(_ bytes: UnsafeRawBufferPointer) -> Intake
    func finish(_ result: Result<Void, any Error>)
}

/// What a sink says to a piece of the body.
enum Intake {
    case taken
    /// Offer the same bytes again when the transfer is resumed.
    case pause
    case refuse(DubError)
}

/// Gathers the whole body.
final class WholeSink: TransferSink {
    let response = Once<HTTPResponse>()
    private let place: String
    private let limit: Int
    private let gathered = Locked(HTTPResponse(status: 0, headers: HTTPHeaders(), body: Data()))

    init(_ request: HTTPRequest) {
        place = request.place
        limit = request.responseLimit
    }

    func receive(_ head: HTTPHead) {
        gathered.withLock {
            $0.status = head.status
            $0.headers = head.headers
        }
    }

    func receive(_ bytes: UnsafeRawBufferPointer) -> Intake {
        gathered.withLock { response in
            guard response.body.count + bytes.count <= limit else { return .refuse(.tooLarge(limit, place)) }
            response.body.append(contentsOf: bytes)
            return .taken
        }
    }

    func finish(_ result: Result<Void, any Error>) {
        response.settle(result.map { gathered.withLock { $0 } })
    }
}

/// Hands the body on line by line, and pauses the transfer while the reader lags behind.
final class LineSink: TransferSink {
    /// Whole lines that may wait before the transfer is paused, in bytes.
    private static let highWater = 256 << 10

    let head = Once<HTTPHead>()
    private let place: String
    private let limit: Int
    private let state: Locked<State>

    private struct State {
        var queue: LineQueue
        var end: Result<Void, any Error>?
        var isPaused = false
        var reader: CheckedContinuation<Data?, any Error>?
    }

    init(_ request: HTTPRequest) {
        place = request.place
        limit = request.responseLimit
        state = Locked(State(queue: LineQueue(limit: request.responseLimit)))
    }

    func receive(_ head: HTTPHead) {
        self.head.settle(.success(head))
    }

    func receive(_ bytes: UnsafeRawBufferPointer) -> Intake {
        let (intake, wake): (Intake, (CheckedContinuation<Data?, any Error>, Data)?) = state.withLock {
            state in
            if state.queue.waitingBytes > Self.highWater {
                state.isPaused = true
                return (.pause, nil)
            }
            guard state.queue.append(bytes) else { return (.refuse(.tooLarge(limit, place)), nil) }
            guard let reader = state.reader, let line = state.queue.popFirst() else { return (.taken, nil) }
            state.reader = nil
            return (.taken, (reader, line))
        }
        if let (reader, line) = wake { reader.resume(returning: line) }
        return intake
    }

    func finish(_ result: Result<Void, any Error>) {
        let wake: (CheckedContinuation<Data?, any Error>, Result<Data?, any Error>)? = state.withLock {
            state in
            if case .success = result { state.queue.finish() }
            state.end = result
            guard let reader = state.reader else { return nil }
            state.reader = nil
            if let line = state.queue.popFirst() { return (reader, .success(line)) }
            return (reader, result.map { nil })
        }
        if let (reader, outcome) = wake { reader.resume(with: outcome) }
        if case .failure(let error) = result { head.settle(.failure(error)) }
        head.settle(.success(HTTPHead(status: 0, headers: HTTPHeaders())))
    }

    /// The next line, or `nil` after the last; one reader at a time. `resume` is called when a paused transfer may
    /// go on.
    func next(resume: () -> Void) async throws -> Data? {
        try Task.checkCancellation()
        let line = try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                if let outcome = take(or: continuation) { continuation.resume(with: outcome) }
            }
        } onCancel: {
            let reader = state.withLock { state in
                defer { state.reader = nil }
                return state.reader
            }
            reader?.resume(throwing: CancellationError())
        }
        let mayGoOn = state.withLock { state in
            guard state.isPaused, state.queue.waitingBytes <= Self.highWater / 2 else { return false }
            state.isPaused = false
            return true
        }
        if mayGoOn { resume() }
        return line
    }

    /// What there is for a reader now; `nil` after noting `reader` down to be called.
    private func take(or reader: CheckedContinuation<Data?, any Error>) -> Result<Data?, any Error>? {
        state.withLock { state in
            if let line = state.queue.popFirst() { return .success(line) }
            if let end = state.end { return end.map { nil } }
            // onCancel may have run before we came here; it found nobody and will not come again.
            if Task.isCancelled { return .failure(CancellationError()) }
            precondition(state.reader == nil, "two readers on one stream of lines")
            state.reader = reader
            return nil
        }
    }
}

extension DubError {
    fileprivate static func tooLarge(_ limit: Int, _ place: String) -> DubError {
        DubError(
            .httpFailed, "The answer is larger than the \(limit) bytes that were allowed.", at: place,
            fix: "Check that this is the right server.")
    }
}
