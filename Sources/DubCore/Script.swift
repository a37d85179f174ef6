/// One word of a line, with its place on the timeline of the item.
public struct Word: Hashable, Sendable, Codable {
    /// The word as recognised, punctuation attached, no surrounding space.
    public var text: String
    /// Where it begins.
    public var start: MediaTime
    /// Where it ends; ≥ `start`.
    public var end: MediaTime

    /// Makes a word.
    public init(text: String, start: MediaTime, end: MediaTime) {
        self.text = text
        self.start = start
        self.end = end
    }
}

/// A line's words in another language, and where they come from.
public struct Translation: Hashable, Sendable, Codable {
    /// Who wrote it; a person's words are never overwritten by a machine's.
    public enum Origin: String, Sendable, Codable {
        /// An engine of a worker.
        case machine
        /// A person, in a studio or an editor.
        case human
        /// A script or subtitle file handed to the run.
        case imported
    }

    /// What is to be said.
    public var text: String
    /// Who wrote it.
    public var origin: Origin
    /// The model or program that translated; empty unless `origin` is `machine`.
    public var engine: String
    /// What a reader of the script should know: a fallback, a draft engine, a suspicion.
    public var notes: [String]

    /// Makes a translation.
    public init(text: String, origin: Origin, engine: String = "", notes: [String] = []) {
        self.text = text
        self.origin = origin
        self.engine = engine
        self.notes = notes
    }
}

/// One utterance: what is said, when, by whom, and what is to be said instead in each language.
public struct Line: Hashable, Sendable, Codable, Identifiable {
    /// Unique in its script, and the same from run to run while the audio under it stays the same.
    public var id: String
    /// Where it begins on the item's timeline.
    public var start: MediaTime
    /// Where it ends; > `start`.
    public var end: MediaTime
    /// Who speaks; `nil` where nobody has said.
    public var speaker: String?
    /// What is said, in the source's language.
    public var text: String
    /// The words with their times; empty where an import has none.
    public var words: [Word]
    /// What is to be said, by language.
    public var translations: [Language: Translation]

    /// Makes a line.
    public init(
        id: String, start: MediaTime, end: MediaTime, speaker: String? = nil, text: String, words: [Word] = [],
        translations: [Language: Translation] = [:]
    ) {
        self.id = id
        self.start = start
        self.end = end
        self.speaker = speaker
        self.text = text
        self.words = words
        self.translations = translations
    }
}

/// All lines of an item: the editable heart of a dub.
public struct Script: Hashable, Sendable, Codable {
    /// The shape of this document: 1.
    public var version: Int
    /// The language that is spoken.
    public var language: Language
    /// How long the item is.
    public var duration: MediaTime
    /// In order of `start`.
    public var lines: [Line]

    /// Makes a script of version 1.
    public init(language: Language, duration: MediaTime, lines: [Line]) {
        version = 1
        self.language = language
        self.duration = duration
        self.lines = lines
    }
}
