public import DubCore
internal import Foundation

/// Where a worker answers, and what opens it.
public struct WorkerEndpoint: Hashable, Sendable, CustomStringConvertible {
    /// How it is reached.
    public enum Address: Hashable, Sendable {
        /// A Unix socket, by its absolute path.
        case socket(String)
        /// The root of its http or https URLs, without a slash at the end.
        case url(String)
    }

    /// How it is reached.
    public var address: Address
    /// What it wants to see before it answers.
    public var token: WorkerToken?
    /// A file of certificates (PEM) that the server's has to come from; `nil` are those of the system.
    public var authorities: String?

    /// Names an endpoint.
    public init(_ address: Address, token: WorkerToken? = nil, authorities: String? = nil) {
        self.address = address
        self.token = token
        self.authorities = authorities
    }

    /// Reads `http://host:port`, `https://host/path`, `unix:/path` or the path of a socket.
    ///
    /// - Throws: `worker.address` for anything else; also for a URL with a user, a password, a query or a fragment.
    public init(_ text: String, token: WorkerToken? = nil, authorities: String? = nil) throws(DubError) {
        func wrong(_ what: String) -> DubError {
            // A URL may hold a password: it is not repeated.
            DubError(
                .workerAddress, what, at: Self.shown(text),
                fix: "Write http://HOST:PORT, https://HOST:PORT or the path of a Unix socket.")
        }
        let path = text.hasPrefix("unix:") ? String(text.dropFirst(5)) : text
        if path.hasPrefix("/") || path.hasPrefix("./") || path.hasPrefix("../") {
            self.init(.socket(URL(fileURLWithPath: path).path), token: token)
            return
        }
        guard text.hasPrefix("http://") || text.hasPrefix("https://"), let parts = URLComponents(string: text),
            let host = parts.host, !host.isEmpty
        else { throw wrong("The address of a worker is neither a URL nor a path.") }
        guard parts.user == nil, parts.password == nil, parts.query == nil, parts.fragment == nil else {
            throw wrong("The URL of a worker holds a user, a password, a query or a fragment; tokens go into a file.")
        }
        var base = text
        while base.hasSuffix("/") { base.removeLast() }
        self.init(.url(base), token: token, authorities: authorities)
    }

    /// What may be shown of an address as somebody typed it.
    private static func shown(_ text: String) -> String {
        let bare = text.prefix { $0 != "?" && $0 != "#" }
        guard let mark = bare.lastIndex(of: "@") else { return String(bare) }
        return "…" + bare[mark...]
    }

    /// The address, for people; it holds no secrets.
    public var description: String {
        switch address {
        case .socket(let path): path
        case .url(let base): base
        }
    }

    /// Whether texts and token travel unencrypted to another machine.
    public var isInTheClear: Bool {
        guard case .url(let base) = address, base.hasPrefix("http://"), let host = URLComponents(string: base)?.host
        else { return false }
        return !(host == "localhost" || host == "::1" || host == "[::1]" || host.hasPrefix("127."))
    }
}

/// A bearer token. It never shows itself: not in messages, logs or dumps.
public struct WorkerToken: Hashable, Sendable, CustomStringConvertible, CustomReflectable {
    let text: String

    /// Adopts a token: printable ASCII without white space, as RFC 6750 has it; `nil` for anything else.
    public init?(_ text: String) {
        guard !text.isEmpty, text.utf8.allSatisfy({ $0 > 32 && $0 < 127 }) else { return nil }
        self.text = text
    }

    /// Says nothing.
    public var description: String { "(hidden)" }

    /// Shows nothing.
    public var customMirror: Mirror { Mirror(self, children: []) }
}
