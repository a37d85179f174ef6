public import Foundation

/// All that a daemon does.
public struct DaemonConfiguration: Hashable, Sendable {
    /// What is watched.
    public var folders: [WatchedFolder] = []
    /// What is started by the clock.
    public var timetables: [TimetableEntry] = []
    /// How many files are worked on at once; ≥ 1.
    public var items = 2
    /// Seconds that running files have to finish once the daemon is asked to stop.
    public var drain: TimeInterval = 60

    /// Does nothing.
    public init() {}
}
