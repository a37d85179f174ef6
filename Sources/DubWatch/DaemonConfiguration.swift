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
    /// Where the control API listens; nowhere where it is not given.
    public var http: ServiceEntry?
    /// Who is told what comes to pass.
    public var notify: [NotifyEntry] = []
    /// Seconds for which something may wait and nothing come to its end, before that is told.
    public var stuck: TimeInterval = 3600
    /// What is asked of files where nothing else says otherwise.
    public var base = FileOrder()

    /// Does nothing.
    public init() {}
}
