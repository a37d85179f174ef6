public import DubSchedule

/// A batch that is started by a timetable.
public struct TimetableEntry: Hashable, Sendable {
    /// What the batch is made of.
    public enum Source: Hashable, Sendable {
        /// A manifest, by its absolute path: CSV, JSON Lines or YAML.
        case manifest(String)
        /// Absolute patterns as a shell's.
        case files([String])
    }

    /// Unlike all others.
    public var name: String
    /// When it is started.
    public var timetable: Timetable
    /// Whether it starts nothing for the time being.
    public var isPaused: Bool
    /// What it is made of.
    public var source: Source
    /// What is asked of its files, where they do not say otherwise.
    public var order: FileOrder
    /// The configuration and the line in it that it is from.
    public var file: String
    /// See `file`.
    public var line: Int
}

/// One file of a batch.
public struct BatchItem: Hashable, Sendable {
    /// The absolute path.
    public var path: String
    /// What is asked of it.
    public var order: FileOrder
    /// Where it stands in its manifest.
    public var line: Int

    /// Describes a file.
    public init(path: String, order: FileOrder, line: Int) {
        self.path = path
        self.order = order
        self.line = line
    }
}
