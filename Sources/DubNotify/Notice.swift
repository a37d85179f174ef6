public import DubCore
public import DubWatch
public import Foundation

/// Something that came to pass, and that somebody may want to be told.
public struct Notice: Sendable {
    /// What it is.
    public var event: NotifyEntry.Event
    /// In a sentence.
    public var what: String
    /// What it is about, by dotted keys as in the log: `run.id`, `item.path`, …
    public var about: [String: String]
    /// Why, where something went wrong.
    public var error: DubError?
    /// Whether it is over: what was stuck goes on.
    public var isOver: Bool
    /// When.
    public var time: Date
    /// Unlike all others; the same each time that it is sent.
    public let id: UUID

    /// Describes what came to pass now.
    public init(
        _ event: NotifyEntry.Event, _ what: String, about: [String: String] = [:], error: DubError? = nil,
        isOver: Bool = false
    ) {
        self.event = event
        self.what = what
        self.about = about
        self.error = error
        self.isOver = isOver
        time = Date()
        id = UUID()
    }
}
