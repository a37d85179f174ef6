public import DubTiming

/// Who speaks in a film or a series, and with which voice each is dubbed.
public struct Cast: Hashable, Sendable, Codable {
    /// The shape of this document: 1.
    public var version: Int
    /// By the name that lines carry as their speaker.
    public var speakers: [String: Member]
    /// What terms are called, by language tag; `any` for all. A term that is not to be translated is called by its name.
    public var glossary: [String: [String: String]]?

    /// Makes a cast of version 1.
    public init(speakers: [String: Member] = [:], glossary: [String: [String: String]]? = nil) {
        version = 1
        self.speakers = speakers
        self.glossary = glossary
    }

    private enum CodingKeys: String, CodingKey {
        case version, speakers, glossary
    }

    /// Reads a cast; one without speakers, which may hold a glossary alone, is one.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        version = try container.decode(Int.self, forKey: .version)
        speakers = try container.decodeIfPresent([String: Member].self, forKey: .speakers) ?? [:]
        glossary = try container.decodeIfPresent([String: [String: String]].self, forKey: .glossary)
    }

    /// One of the cast.
    public struct Member: Hashable, Sendable, Codable {
        /// What the member is called in full.
        public var name: String?
        /// Where the member's consent to a cloned voice is on record; needed by engines that clone.
        public var consent: String?
        /// The voice by language tag; `any` for all others.
        public var voices: [String: Voice]?
        /// How words are written so that they are said right, by language tag; `any` for all.
        public var lexicon: [String: [String: String]]?
        /// The member's voice, by which a speaker that is found is recognised.
        public var voiceprint: Voiceprint?
        /// The model that made it.
        public var model: String?
        /// The middle of the member's own fundamental, in Hz.
        public var pitch: Double?
        /// A clean stretch of the member's speech.
        public var reference: Reference?

        /// An empty member.
        public init() {}

        private enum CodingKeys: String, CodingKey, CaseIterable {
            case name, consent, voices, lexicon, voiceprint, model, pitch, reference
        }
    }

    /// The voice of a member in a language.
    public struct Voice: Hashable, Sendable, Codable {
        /// The engine, by its name in `dubmill models list`.
        public var engine: String?
        /// One of its voices.
        public var voice: String?
        /// Semitones, −12…12.
        public var pitch: Double?
        /// A factor for the formants, 0.7…1.4.
        public var timbre: Double?

        /// Describes a voice.
        public init(engine: String? = nil, voice: String? = nil, pitch: Double? = nil, timbre: Double? = nil) {
            self.engine = engine
            self.voice = voice
            self.pitch = pitch
            self.timbre = timbre
        }
    }

    /// Where a member is heard alone.
    public struct Reference: Hashable, Sendable, Codable {
        /// The file; the item itself where it is not given.
        public var file: String?
        /// Where it begins, in seconds.
        public var start: Double
        /// Where it ends, in seconds.
        public var end: Double

        /// Names a stretch of the item.
        public init(_ span: Span) {
            start = (span.start * 1000).rounded() / 1000
            end = (span.end * 1000).rounded() / 1000
        }
    }

    /// How alike a found speaker and a member have to be, as a cosine, to be the same person.
    ///
    /// Measured on short recordings in one language: 105 pairs of one actor lie at 0.86 and above, pairs of two people
    /// at 0.80 and below.
    public static let closeness = 0.82

    /// Which member each found speaker is; each member is found at most once, the most alike first.
    public func recognise(_ found: [FoundSpeaker], model: String) -> [String: String] {
        var pairs: [(speaker: String, member: String, cosine: Double)] = []
        for speaker in found {
            guard let print = speaker.print else { continue }
            for (name, member) in speakers where member.model == nil || member.model == model {
                guard let known = member.voiceprint else { continue }
                pairs.append((speaker.name, name, print.similarity(to: known)))
            }
        }
        var names: [String: String] = [:]
        // A cast may name found speakers as they are.
        for speaker in found where speakers[speaker.name].map({ $0.voiceprint == nil }) == true {
            names[speaker.name] = speaker.name
        }
        for pair in pairs.sorted(by: { ($1.cosine, $0.member) < ($0.cosine, $1.member) })
        where pair.cosine >= Self.closeness {
            guard names[pair.speaker] == nil, !names.values.contains(pair.member) else { continue }
            names[pair.speaker] = pair.member
        }
        return names
    }
}

extension Cast.Member {
    /// The voice for a language: its own, else that for any.
    public func voice(for language: String) -> Cast.Voice? { voices?[language] ?? voices?["any"] }

    /// The lexicon for a language, over that for any.
    public func lexicon(for language: String) -> [String: String] {
        (lexicon?["any"] ?? [:]).merging(lexicon?[language] ?? [:]) { $1 }
    }
}
