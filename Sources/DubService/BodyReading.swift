internal import DubCore
internal import Foundation
internal import HTTPTypes
internal import HummingbirdCore
internal import NIOCore

/// Reads a request's body, up to a limit.
struct BodyReading {
    private var iterator: RequestBody.AsyncIterator?
    private let body: RequestBody
    private let headers: HTTPFields
    private let limit: Int
    /// Whether all of it is read.
    private(set) var isAtEnd: Bool
    /// Whether the connection broke while it was read.
    private(set) var isBroken = false

    init(_ request: Request, limit: Int) {
        body = request.body
        headers = request.headers
        self.limit = limit
        let length = headers[.contentLength]
        isAtEnd = headers[.transferEncoding] == nil && (length == nil || length == "0")
    }

    /// Whether the sender waits to be told that it may send the body.
    var isAwaited: Bool { !isAtEnd && headers[.expect]?.lowercased() == "100-continue" }

    /// Looks at what is announced, before anything is read.
    ///
    /// - Throws: `request.too-large`, `request.media-type`.
    func check(isJSON: Bool) throws(DubError) {
        if let length = headers[.contentLength], (Int(length) ?? .max) > limit { throw tooLarge }
        guard isJSON else { return }
        let type = headers[.contentType]?.prefix { $0 != ";" }.trimmingCharacters(in: .whitespaces).lowercased()
        guard type == "application/json" else {
            throw DubError(
                .requestMediaType, "The body is not announced as JSON.", at: "Content-Type",
                fix: "Send Content-Type: application/json.")
        }
    }

    /// - Throws: `request.too-large`; what broke the connection.
    @concurrent
    mutating func whole() async throws -> Data {
        guard !isAtEnd else { return Data() }
        var data = Data()
        while let piece = try await next() {
            guard data.count + piece.readableBytes <= limit else { throw tooLarge }
            data.append(contentsOf: piece.readableBytesView)
        }
        // A connection that ends in the middle may look like the end of the body.
        if let length = headers[.contentLength], Int(length) != data.count {
            isBroken = true
            throw CancellationError()
        }
        return data
    }

    /// Reads on and throws it away.
    @concurrent
    mutating func discard(upTo most: Int) async throws {
        var seen = 0
        while seen < most, let piece = try await next() { seen += piece.readableBytes }
    }

    @concurrent
    private mutating func next() async throws -> ByteBuffer? {
        var iterator = iterator ?? body.makeAsyncIterator()
        do {
            let piece = try await iterator.next()
            self.iterator = iterator
            if piece == nil { isAtEnd = true }
            return piece
        } catch {
            isBroken = true
            throw error
        }
    }

    private var tooLarge: DubError {
        DubError(
            .requestTooLarge, "The body is larger than \(limit) bytes.", at: "the body",
            fix: "Send less, or raise `http: body`.")
    }
}
