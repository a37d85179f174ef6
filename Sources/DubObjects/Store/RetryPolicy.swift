internal import Foundation

/// How often a request is tried again, and how long is waited before.
///
/// The waits double and are drawn at random below their bound, so that many clients do not come back at once.
/// Source: M. Brooker, “Exponential Backoff and Jitter”, AWS Architecture Blog, 2015 (“full jitter”).
public struct RetryPolicy: Sendable {
    /// How often a request is tried in all; 1 or more.
    public var attempts: Int
    /// The bound of the first wait; > 0.
    public var first: Duration
    /// The bound of every wait, of those too that a store asks for by `Retry-After`.
    public var longest: Duration
    /// How waiting is done; tests put another in.
    var wait: @Sendable (Duration) async throws -> Void = { try await Task.sleep(for: $0) }

    /// Makes a policy: by default five attempts, waits below 0.2, 0.4, 0.8 and 1.6 s, and no wait above 30 s.
    public init(attempts: Int = 5, first: Duration = .milliseconds(200), longest: Duration = .seconds(30)) {
        self.attempts = max(1, attempts)
        self.first = first
        self.longest = longest
    }

    /// How long to wait after the attempt of this number, counted from 1.
    func pause(after attempt: Int, asked: Duration?) -> Duration {
        if let asked { return min(asked, longest) }
        let bound = min(longest, first * (1 << min(attempt - 1, 20)))
        return bound * Double.random(in: 0...1)
    }

    /// Reads `Retry-After`: seconds, or a date (RFC 9110, section 10.2.3).
    static func asked(_ field: String?, now: Date = Date()) -> Duration? {
        guard let field else { return nil }
        if let seconds = Int(field) { return seconds >= 0 ? .seconds(min(seconds, 86_400)) : nil }
        let format = DateFormatter()
        format.locale = Locale(identifier: "en_US_POSIX")
        format.timeZone = TimeZone(identifier: "UTC")
        format.dateFormat = "EEE, dd MMM yyyy HH:mm:ss 'GMT'"
        guard let date = format.date(from: field) else { return nil }
        return .seconds(min(max(0, date.timeIntervalSince(now)), 86_400))
    }
}
