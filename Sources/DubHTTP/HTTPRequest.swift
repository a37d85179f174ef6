internal import DubCore
public import Foundation

/// One HTTP exchange to be made.
public struct HTTPRequest: Sendable {
    /// What goes up with the request.
    public enum Body: Sendable {
        /// Nothing.
        case none
        /// Bytes in memory.
        case data(Data)
        /// A stretch of a file, in bytes, read while it is sent.
        case file(path: String, offset: Int64, length: Int64)
    }

    /// How long a request may take.
    public struct Patience: Sendable, Hashable {
        /// Until the connection stands, name look-up and TLS included; > 0.
        public var connect: Duration
        /// Without a single byte in either direction; whole seconds, at least 1. After a burst of bytes libcurl
        /// may notice up to 5 s late, since it averages the speed. `nil` waits for ever.
        public var idle: Duration?
        /// For all of it; `nil` is without end.
        public var total: Duration?

        /// Makes limits of time: by default 10 s to connect, 60 s of silence, no end in all.
        public init(connect: Duration = .seconds(10), idle: Duration? = .seconds(60), total: Duration? = nil) {
            self.connect = connect
            self.idle = idle
            self.total = total
        }
    }

    /// The method, in capitals.
    public var method: String
    /// The absolute http or https URL, percent-encoded exactly as it shall go on the wire.
    public var url: String
    /// A Unix socket to connect to instead of the URL's host; no proxy is used then.
    public var socketPath: String?
    /// A file of certificates (PEM) that the server's has to come from; `nil` are those of the system.
    public var authorities: String?
    /// Numeric addresses that the URL's host stands for, so that none is asked for anew; `nil` asks.
    public var addresses: [String]?
    /// Fields beside those that libcurl sets (`Host`, `Content-Length`, `Accept`).
    public var headers: HTTPHeaders
    /// What goes up.
    public var body: Body
    /// Limits of time.
    public var patience: Patience
    /// The most bytes that may come back: of the whole body with `send`, of a single line with `lines`.
    public var responseLimit: Int

    /// Makes a request; 64 MiB may come back unless said otherwise.
    public init(
        _ method: String = "GET", _ url: String, socketPath: String? = nil, headers: HTTPHeaders = [:],
        body: Body = .none, patience: Patience = Patience(), responseLimit: Int = 64 << 20
    ) {
        self.method = method
        self.url = url
        self.socketPath = socketPath
        self.headers = headers
        self.body = body
        self.patience = patience
        self.responseLimit = responseLimit
    }

    /// The target as it may be shown: without user, password, query and fragment, since those can hold secrets.
    public var place: String {
        let shown = String(url.prefix { $0 != "?" && $0 != "#" })
        guard let scheme = shown.range(of: "://") else { return shown }
        let rest = shown[scheme.upperBound...]
        let host = rest.prefix { $0 != "/" }
        let path = rest.dropFirst(host.count)
        if let socketPath { return "\(socketPath):\(path)" }
        let bare = host.lastIndex(of: "@").map { host[host.index(after: $0)...] } ?? host
        return "\(shown[..<scheme.upperBound])\(bare)\(path)"
    }

    /// - Throws: `http.failed` for a request that must not go on the wire.
    func check() throws(DubError) {
        let fault: String? =
            if method.isEmpty || !method.utf8.allSatisfy({ $0 >= 65 && $0 <= 90 }) {
                "The method “\(method)” is not a word in capitals"
            } else if !headers.areWellFormed {
                "A header field has a name or a value that HTTP does not allow"
            } else if url.utf8.contains(where: { $0 <= 32 || $0 == 127 }) {
                "The URL holds white space or control characters"
            } else if let socketPath, socketPath.utf8.count >= 108 {
                "The path of the socket has \(socketPath.utf8.count) bytes, and the system allows 107"
            } else {
                nil
            }
        guard let fault else { return }
        throw DubError(.httpFailed, "\(fault).", at: place, fix: "Correct the request.")
    }
}
