public import DubTiming

/// How high a voice lies, by the middle of its fundamental: all that is needed to choose a voice like it.
public enum VoiceClass: String, Sendable, Codable {
    /// Under 165 Hz.
    case low
    /// 165 Hz and more.
    case high

    /// The class of a median fundamental in Hz. Men's medians lie around 120 Hz and women's around 210 (Titze 1989);
    /// 165 Hz is between both on the ear's scale.
    public init(hertz: Double) { self = hertz < 165 ? .low : .high }
}

/// A stretch of speech and how its voice sounds.
public struct HeardWindow: Hashable, Sendable {
    /// Where it lies on the item's timeline. Windows may overlap.
    public var span: Span
    /// Its voice.
    public var print: Voiceprint
    /// The middle of its fundamental in Hz; `nil` where hardly anything is voiced.
    public var pitch: Double?

    /// Describes a window.
    public init(span: Span, print: Voiceprint, pitch: Double?) {
        self.span = span
        self.print = print
        self.pitch = pitch
    }
}

/// Somebody who speaks.
public struct FoundSpeaker: Hashable, Sendable, Codable {
    /// `S1`, `S2`, … in the order of appearance.
    public var name: String
    /// The mean of all windows; `nil` where nothing was measured.
    public var print: Voiceprint?
    /// The middle of the fundamental over all windows, in Hz.
    public var pitch: Double?
    /// For how many seconds.
    public var seconds: Double
    /// A clean stretch of 3 to 10 s, for engines that clone; `nil` where there is none.
    public var reference: Span?

    /// Describes a speaker.
    public init(
        name: String, print: Voiceprint? = nil, pitch: Double? = nil, seconds: Double = 0, reference: Span? = nil
    ) {
        self.name = name
        self.print = print
        self.pitch = pitch
        self.seconds = seconds
        self.reference = reference
    }
}

/// A stretch in which one person speaks.
public struct Turn: Hashable, Sendable, Codable {
    /// Where.
    public var span: Span
    /// Who.
    public var speaker: String
    /// Who else is heard at the same time, as far as that can be told.
    public var also: String?

    /// Describes a turn.
    public init(span: Span, speaker: String, also: String? = nil) {
        self.span = span
        self.speaker = speaker
        self.also = also
    }
}

/// Who speaks, and when.
public struct Diarization: Hashable, Sendable, Codable {
    /// In the order of appearance.
    public var speakers: [FoundSpeaker]
    /// In order, disjoint.
    public var turns: [Turn]

    /// Describes a result.
    public init(speakers: [FoundSpeaker], turns: [Turn]) {
        self.speakers = speakers
        self.turns = turns
    }

    /// Who speaks for most of the time in some stretches; `nil` where no turn touches them.
    public func speaker(in spans: [Span]) -> String? {
        Self.shares(of: turns, in: spans).first?.speaker
    }

    /// For how long each speaks in some stretches, longest first; those who do not are left out.
    public static func shares(of turns: [Turn], in spans: [Span]) -> [(speaker: String, seconds: Double)] {
        var seconds: [String: Double] = [:]
        for turn in turns {
            let shared = spans.reduce(0) { $0 + $1.overlap(turn.span) }
            if shared > 0 { seconds[turn.speaker, default: 0] += shared }
        }
        return seconds.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.map { ($0.key, $0.value) }
    }
}
