internal import DubCore
public import Foundation

/// An HTTP client: transfers run side by side on one thread, over TCP, TLS or Unix sockets.
///
/// Redirects are not followed, and only http and https are spoken. Connections are kept and used again. Cancelling a
/// task breaks its transfer off within milliseconds. One client serves a whole process; it ends with its last
/// reference.
public final class HTTPClient: Sendable {
    private let loop = TransferLoop()

    /// Makes a client and starts its thread.
    public init() {}

    deinit {
        loop.stop()
    }

    /// Makes the exchange and gathers the whole answer, whatever its status.
    ///
    /// - Throws: `http.unreachable`, `http.timeout`, `http.failed` (also for a body above `responseLimit`);
    ///   `CancellationError`. A status of 400 or above is not an error.
    public func send(_ request: HTTPRequest) async throws -> HTTPResponse {
        try request.check()
        let sink = WholeSink(request)
        let id = loop.start(request, into: sink)
        return try await withTaskCancellationHandler {
            try await sink.response.value()
        } onCancel: {
            loop.cancel(id)
        }
    }

    /// Makes the exchange and writes the body into a file, if the status is 2xx; `responseLimit` does not hold for it.
    /// With any other status the body is in the result, and the file is not touched.
    ///
    /// What was written stays when this throws.
    ///
    /// - Parameter stretch: the bytes that the request's `Range` asks for: they are written to the same place in a
    ///   file that is there already, beside other downloads into it. Without it the file is new.
    /// - Throws: As `send`; `http.other-range` where the server gives other bytes; `output.unwritable` where the file
    ///   cannot be written, or is there already and should be new.
    public func download(
        _ request: HTTPRequest, to path: String, stretch: Range<Int64>? = nil
    ) async throws -> HTTPResponse {
        try request.check()
        let sink = FileSink(request, path: path, stretch: stretch)
        let id = loop.start(request, into: sink)
        return try await withTaskCancellationHandler {
            // Not a child task: whoever is cancelled waits until nobody writes into the file any more.
            try await Task { try await sink.response.value() }.value
        } onCancel: {
            loop.cancel(id)
        }
    }

    /// Makes the exchange and returns at the end of the answer's head; the body follows line by line.
    ///
    /// At most about half a MiB of lines is held for a reader that lags behind; then the server has to wait. The
    /// transfer is broken off when the last copy of the result and its iterator are gone.
    ///
    /// - Throws: As `send`, until the head is there; after it the iteration throws, also for a line above
    ///   `responseLimit`.
    public func lines(_ request: HTTPRequest) async throws -> HTTPLines {
        try request.check()
        let sink = LineSink(request)
        let hold = TransferHold(client: self, id: loop.start(request, into: sink))
        let head = try await withTaskCancellationHandler {
            try await sink.head.value()
        } onCancel: {
            hold.cancel()
        }
        return HTTPLines(status: head.status, headers: head.headers, sink: sink, hold: hold)
    }

    /// Keeps the client alive while a stream is read, and breaks the transfer off when nobody reads it any more.
    final class TransferHold: Sendable {
        private let client: HTTPClient
        private let id: UInt64

        init(client: HTTPClient, id: UInt64) {
            self.client = client
            self.id = id
        }

        deinit {
            cancel()
        }

        func cancel() { client.loop.cancel(id) }

        func resume() { client.loop.resume(id) }
    }
}

/// An answer whose body is read line by line, once.
public struct HTTPLines: AsyncSequence, Sendable {
    /// The status code.
    public let status: Int
    /// The header fields.
    public let headers: HTTPHeaders
    let sink: LineSink
    let hold: HTTPClient.TransferHold

    /// Reads on from where the last iterator stopped.
    public func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(sink: sink, hold: hold)
    }

    /// Gives each line without its `\n`; a last line without one counts too.
    public struct AsyncIterator: AsyncIteratorProtocol {
        let sink: LineSink
        let hold: HTTPClient.TransferHold

        /// The next line, `nil` after the last.
        ///
        /// - Throws: `http.timeout`, `http.failed`; `CancellationError`, and then the transfer is broken off. Whole
        ///   lines that came before a failure are given first.
        public mutating func next() async throws -> Data? {
            do {
                return try await sink.next(resume: hold.resume)
            } catch let error as CancellationError {
                hold.cancel()
                throw error
            }
        }
    }
}
