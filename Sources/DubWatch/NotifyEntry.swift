/// Somebody who is told what comes to pass in a daemon.
public struct NotifyEntry: Hashable, Sendable {
    /// In which form.
    public enum Kind: String, Sendable, CaseIterable {
        /// JSON with a signature, to any address.
        case webhook
        /// An incoming webhook of Slack, or of what takes its form.
        case slack
        /// Events API v2 of PagerDuty.
        case pagerduty
        /// An envelope of Sentry, or of what takes its form; told of errors alone.
        case sentry
    }

    /// What came to pass.
    public enum Event: String, Sendable, CaseIterable {
        /// A file was dubbed.
        case finished
        /// A file failed, or its dub was refused.
        case failed
        /// A file of a watched folder was put apart.
        case quarantined
        /// Something waits, and nothing comes to its end.
        case stuck
        /// Something else went wrong.
        case error
    }

    /// A value that may be a secret: it stands elsewhere then.
    public enum Value: Hashable, Sendable {
        case plain(String)
        /// In a file, by its absolute path.
        case file(String)
        /// In a variable.
        case environment(String)
    }

    /// In which form.
    public var kind: Kind
    /// Where to. PagerDuty has an address of its own.
    public var url: Value?
    /// What webhooks are signed with; the routing key of PagerDuty.
    public var key: Value?
    /// What is told.
    public var events: Set<Event>
    /// The line in the configuration that it begins at.
    public var line: Int

    /// Describes somebody.
    public init(kind: Kind, url: Value? = nil, key: Value? = nil, events: Set<Event>? = nil, line: Int = 0) {
        self.kind = kind
        self.url = url
        self.key = key
        self.events = events ?? Self.usual(kind)
        self.line = line
    }

    /// What is told where nothing is said of it.
    static func usual(_ kind: Kind) -> Set<Event> {
        switch kind {
        case .webhook: [.finished, .failed, .quarantined, .stuck]
        case .slack: [.failed, .quarantined, .stuck]
        case .pagerduty: [.quarantined, .stuck]
        case .sentry: [.error]
        }
    }
}
