public import Foundation

/// The `http` of a `dubmill.yaml`: where a daemon listens, whom it lets in, and what it takes from them.
public struct ServiceEntry: Hashable, Sendable {
    /// What is told to whoever comes without a token, health and the API's description aside.
    public enum Anonymous: String, Sendable, CaseIterable, Comparable {
        case nothing
        case metrics
        case read

        /// `nothing` is the least.
        public static func < (left: Self, right: Self) -> Bool {
            (allCases.firstIndex(of: left) ?? 0) < (allCases.firstIndex(of: right) ?? 0)
        }
    }

    /// Certificate and key for TLS, as absolute paths of PEM files.
    public struct Certificate: Hashable, Sendable {
        /// The chain, the server's own certificate first.
        public var chain: String
        /// The private key.
        public var key: String

        /// Names the files.
        public init(chain: String, key: String) {
            self.chain = chain
            self.key = key
        }
    }

    /// The address: an IPv4 or IPv6 address, without brackets.
    public var host = "127.0.0.1"
    /// The port; 0 is any that is free.
    public var port = 8720
    /// Speaks TLS where it is given.
    public var certificate: Certificate?
    /// Whether a proxy stands before it that speaks TLS for it.
    public var isBehindProxy = false
    /// What is told without a token.
    public var anonymous = Anonymous.nothing
    /// The file of tokens, absolute; that of the user's configuration folder where it is not given.
    public var tokens: String?
    /// Folders in which sources, scripts and casts have to lie, absolute. None: nothing can be submitted.
    public var roots: [String] = []
    /// The folder below which outputs go, absolute.
    public var out: String?
    /// Pipelines that may be asked for, by name or as absolute paths; those that ship where it is not given.
    public var pipelines: [String]?
    /// The most bytes of a request's body.
    public var bodyLimit = 1 << 20
    /// The most bytes of a request's header fields together.
    public var headerLimit = 16 << 10
    /// The most followers of events at once.
    public var followers = 256
    /// The most connections at once.
    public var connections = 1024
    /// Seconds after which a connection is closed on which nothing comes to pass.
    public var idle: TimeInterval = 30
    /// The line in the configuration that it begins at.
    public var line = 0

    /// Listens on loopback and lets nobody in without a token.
    public init() {}

    /// `127.0.0.1:8720`.
    public var place: String { (host.contains(":") ? "[\(host)]" : host) + ":\(port)" }

    /// Whether nobody but this machine can reach it.
    public var isOnLoopback: Bool { host == "::1" || host.hasPrefix("127.") || host == "localhost" }
}
