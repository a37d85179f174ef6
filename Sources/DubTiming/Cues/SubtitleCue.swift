import DubCore

/// A subtitle on screen: when, and its rows.
public struct SubtitleCue: Hashable, Sendable, Codable {
    /// When it appears, in seconds on the item's timeline.
    public var start: Double
    /// When it goes, in seconds on the item's timeline; > `start`.
    public var end: Double
    /// One or two rows, top first.
    public var rows: [String]

    /// Makes a cue.
    public init(start: Double, end: Double, rows: [String]) {
        self.start = start
        self.end = end
        self.rows = rows
    }
}

/// A line as subtitles need it.
public struct CueLine: Hashable, Sendable, Codable {
    /// What is to be read.
    public var text: String
    /// When it is said, in seconds on the item's timeline.
    public var window: Span
    /// When each word of `text` is said, as split at white space; another count than that is not used.
    public var words: [Span]

    /// Makes a line.
    public init(text: String, window: Span, words: [Span] = []) {
        self.text = text
        self.window = window
        self.words = words
    }
}

/// What subtitles keep to.
public struct CueRules: Hashable, Sendable, Codable {
    /// Characters a row.
    public var rowCharacters = 42
    /// Characters a row in Chinese, Japanese and Korean.
    public var wideRowCharacters = 20
    /// The shortest time on screen, in seconds, where there is room.
    public var minSeconds = 1.0
    /// The longest time on screen, in seconds.
    public var maxSeconds = 7.0
    /// The fastest reading, in characters a second, where there is room.
    public var charactersPerSecond = 21.0
    /// The least time between two cues, in seconds.
    public var minGap = 0.08

    /// The defaults, which follow the Netflix timed-text style guides.
    public init() {}

    func row(in language: Language) -> Int {
        ["zh", "yue", "ja", "ko"].contains(language.primary) ? wideRowCharacters : rowCharacters
    }
}
