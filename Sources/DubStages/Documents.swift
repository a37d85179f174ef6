internal import DubCore
internal import DubTiming

// The JSON that passes between stages: one type a document. Times are seconds; each type says on which timeline.

/// Where speech lies in a chunk; times from the chunk's start, so that the same audio elsewhere is the same document.
struct ChunkSpeech: Codable, Hashable, Sendable {
    /// The chunk's length.
    var duration: Double
    /// In order, disjoint.
    var speech: [Span]
}

/// Where the chunks lie on the item's timeline.
struct Layout: Codable, Hashable, Sendable {
    /// The length of the item's audio.
    var duration: Double
    /// In order, without gaps.
    var chunks: [Span]
    /// Where speech lies, on the item's timeline.
    var speech: [Span]
}

/// The language that is spoken: nothing but that, so that all which is recognised stays the same when a file is cut
/// anew or its language is named.
struct SpokenLanguage: Codable, Hashable, Sendable {
    /// Which.
    var language: Language
}

/// How the language was found.
struct LanguageEvidence: Codable, Hashable, Sendable {
    /// How sure the recogniser is, 0…1; 1 where the user said so.
    var probability: Double
    /// Whether the user said so.
    var isGiven: Bool
}

/// The lines of a chunk; times from the chunk's start.
struct ChunkLines: Codable, Hashable, Sendable {
    /// The language of `text`.
    var language: Language
    /// In order.
    var lines: [ChunkLine]
    /// What a reader should know, about no line in particular.
    var notes: [String]
}

/// A line of a chunk; times from the chunk's start.
struct ChunkLine: Codable, Hashable, Sendable {
    /// The digest of the chunk's audio and a number.
    var id: String
    /// From the first to the last sound of speech.
    var window: Span
    /// Where speech lies in the window.
    var speech: [Span]
    /// Who speaks, where that is known.
    var speaker: String?
    /// What is said.
    var text: String
    /// The words; empty where a person changed the text.
    var words: [Word]
    /// What is to be said; only behind `translate`.
    var translation: Translation?
    /// The glossary's terms in the text, by language tag or `any`; `nil` where there are none.
    var terms: [String: Glossary]?
}

/// What is to be voiced: nothing but what can change the sound.
struct TakeRequest: Codable, Hashable, Sendable {
    /// What is to be said.
    var text: String
    /// In which language.
    var language: Language
    /// Which voice of the engine; `nil` leaves it to the engine.
    var voice: String?
    /// Semitones by which the voice is moved; `nil` is not at all.
    var pitch: Double?
    /// A factor for its formants; `nil` is not at all.
    var timbre: Double?
    /// Where the consent to a clone is on record; only for engines that clone.
    var consent: String?
    /// Which engine; `auto` leaves it to the catalogue.
    var engine: String
    /// How long there is for it, in seconds, in steps of a quarter: what takes longer is asked for again, faster.
    var seconds: Double
}

/// What came of a `TakeRequest`; times from the take's start.
struct TakeRecord: Codable, Hashable, Sendable {
    /// The engine that spoke.
    var engine: String
    /// Its voice.
    var voice: String
    /// Whether the engine is only good enough for a draft.
    var isDraft: Bool
    /// The length of the audio.
    var seconds: Double
    /// Where speech lies in it.
    var speech: [Span]
    /// What a reader should know.
    var notes: [String]
}

/// Where every take goes; times on the item's timeline.
struct Placement: Codable, Hashable, Sendable {
    /// The language that is voiced.
    var language: Language
    /// The length of the item.
    var duration: Double
    /// Where the source speaks.
    var sourceSpeech: [Span]
    /// In the order of the takes handed to the mix.
    var lines: [Entry]

    /// One line and its place.
    struct Entry: Codable, Hashable, Sendable {
        /// The line's id in the script.
        var id: String
        /// Where the source says it.
        var window: Span
        /// What is said instead.
        var text: String
        /// Where its take goes.
        var placed: PlacedLine
        /// Which engine translated, and which spoke.
        var engines: Engines
        /// What a reader should know.
        var notes: [String]
        /// What terms of the glossary are called that the text lacks; `nil` where it has none to keep to.
        var missing: [String]?
    }

    /// Who made a line.
    struct Engines: Codable, Hashable, Sendable {
        /// The translator; empty for a person's words.
        var translator: String
        /// The voice engine.
        var voice: String
        /// Whether either is only good enough for a draft.
        var isDraft: Bool
        /// Whether the translator is not the one that comes first for this pair.
        var isFallback: Bool
    }
}
