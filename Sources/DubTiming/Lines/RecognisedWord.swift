/// A word as a recogniser gave it.
public struct RecognisedWord: Hashable, Sendable, Codable {
    /// The word with its own spacing: most engines put a space before a word of a language that has spaces.
    public var text: String
    /// Where the engine says it begins, in seconds on the timeline of the chunk; loose by some tenths of a second.
    public var start: Double
    /// Where the engine says it ends, in seconds on the timeline of the chunk.
    public var end: Double
    /// How sure the engine is, 0…1.
    public var probability: Double
    /// Which segment of the engine's output it belongs to; equal for words recognised together.
    public var segment: Int

    /// Makes a word.
    public init(text: String, start: Double, end: Double, probability: Double = 1, segment: Int = 0) {
        self.text = text
        self.start = start
        self.end = end
        self.probability = probability
        self.segment = segment
    }
}

/// An utterance to translate and voice. All times in seconds on the timeline of the chunk.
public struct BuiltLine: Hashable, Sendable, Codable {
    /// Where it begins: an onset of speech, or a cut between two lines within speech.
    public var start: Double
    /// Where it ends; > `start`.
    public var end: Double
    /// What is said, spaced as the language is.
    public var text: String
    /// Its words as recognised, their times held within the line.
    public var words: [RecognisedWord]
    /// Where speech lies in it; in order, disjoint, from `start` to `end`.
    public var speech: [Span]

    /// Makes a line.
    public init(start: Double, end: Double, text: String, words: [RecognisedWord], speech: [Span]) {
        self.start = start
        self.end = end
        self.text = text
        self.words = words
        self.speech = speech
    }

    /// From start to end.
    public var window: Span { Span(start: start, end: end) }
}

/// How words become lines.
public struct LineRules: Hashable, Sendable, Codable {
    /// A silence that ends a line when enough has been said, in seconds.
    public var pause = 1.5
    /// The same behind a comma or another mark that ends a clause, in seconds.
    public var clausePause = 0.6
    /// A silence that always ends a line, in seconds.
    public var longPause = 2.0
    /// How many words are enough for `pause`; in languages without spaces twice as many characters.
    public var clauseWords = 3
    /// The longest line, in seconds; a line of one word may be longer.
    public var maxSeconds = 12.0
    /// The longest line, in characters; half as many in languages without spaces.
    public var maxCharacters = 180
    /// Lines shorter than this, in seconds, of one word, join a neighbour …
    public var tinySeconds = 0.7
    /// … when the silence between is no longer, in seconds.
    public var tinyGap = 0.5
    /// How far from any speech a segment may lie and still be believed, in seconds.
    public var slack = 0.15

    /// The defaults.
    public init() {}
}
