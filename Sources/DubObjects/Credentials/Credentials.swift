public import Foundation

/// What a store knows us by. No description of it shows a secret.
public struct Credentials: Sendable, Hashable, CustomStringConvertible, CustomDebugStringConvertible,
    CustomReflectable
{
    /// The public half.
    public var accessKey: String
    let secretKey: String
    let sessionToken: String?
    /// When they stop being good; `nil` is never.
    public var expires: Date?

    /// Makes credentials; `sessionToken` goes with those that were lent for a time.
    public init(accessKey: String, secretKey: String, sessionToken: String? = nil, expires: Date? = nil) {
        self.accessKey = accessKey
        self.secretKey = secretKey
        self.sessionToken = sessionToken
        self.expires = expires
    }

    /// Says that they are credentials, and hides which.
    public var description: String { "Credentials(redacted)" }
    /// As `description`.
    public var debugDescription: String { description }
    /// Nothing, so that `dump` and failed expectations print nothing.
    public var customMirror: Mirror { Mirror(self, children: []) }
}
