public import DubCore

/// One line of subtitles, on the item's timeline.
public struct Cue: Hashable, Sendable, Codable {
    /// When it appears; ≥ 0.
    public var start: MediaTime
    /// When it goes; > `start`.
    public var end: MediaTime
    /// Plain text; line breaks are kept.
    public var text: String

    /// Makes a cue.
    public init(start: MediaTime, end: MediaTime, text: String) {
        self.start = start
        self.end = end
        self.text = text
    }
}

/// An audio track to be added.
public struct AddedAudio: Hashable, Sendable, Codable {
    /// A file (FLAC, WAV, …) whose first sample lies at zero of the item's timeline.
    public var path: String
    /// What is spoken.
    public var language: Language
    /// What players show for it.
    public var title: String?
    /// FFmpeg's names; `nil` for the rule that `Remuxer` states.
    public var dispositions: [String]?
    /// `nil` for the family of the source's dialogue stream.
    public var codec: AudioCodec?
    /// Bits a second; `nil` for at least what the source's dialogue stream has.
    public var bitRate: Int64?

    /// Describes a track.
    public init(
        path: String, language: Language, title: String? = nil, dispositions: [String]? = nil,
        codec: AudioCodec? = nil, bitRate: Int64? = nil
    ) {
        self.path = path
        self.language = language
        self.title = title
        self.dispositions = dispositions
        self.codec = codec
        self.bitRate = bitRate
    }
}

/// An audio stream of the source that is written anew instead of copied: in its place, with its name and language.
public struct ReplacedAudio: Hashable, Sendable, Codable {
    /// Its index in the source.
    public var stream: Int
    /// What is done to it.
    public var levelling: Levelling

    /// Describes a replacement.
    public init(stream: Int, levelling: Levelling) {
        self.stream = stream
        self.levelling = levelling
    }
}

/// A subtitle track to be added.
public struct AddedSubtitle: Hashable, Sendable, Codable {
    /// In any order.
    public var cues: [Cue]
    /// What is written.
    public var language: Language
    /// What players show for it.
    public var title: String?
    /// FFmpeg's names: `default`, `forced`, `hearing_impaired`, …
    public var dispositions: [String]

    /// Describes a track.
    public init(cues: [Cue], language: Language, title: String? = nil, dispositions: [String] = []) {
        self.cues = cues
        self.language = language
        self.title = title
        self.dispositions = dispositions
    }
}

/// What is to be written: a source as it is, with tracks added, or audio streams replaced.
public struct RemuxRequest: Hashable, Sendable, Codable {
    /// The file that every stream is copied from.
    public var source: String
    /// The output's path without its extension, which goes by the container.
    public var outputStem: String
    /// In the order in which they are added.
    public var audio: [AddedAudio]
    /// In the order in which they are added, after the audio.
    public var subtitles: [AddedSubtitle]
    /// Each stream once; all others are copied.
    public var replaced: [ReplacedAudio]
    /// Whether a container that holds everything but text subtitles (MPEG-TS, Ogg) gives way to Matroska for them.
    ///
    /// Matroska frames H.264 otherwise than MPEG-TS, so that picture packets are no longer the same bytes: unless
    /// this is asked for, the container stays, and the report says that the subtitles are not in it.
    public var requiresSubtitles: Bool

    /// Describes an output.
    public init(
        source: String, outputStem: String, audio: [AddedAudio] = [], subtitles: [AddedSubtitle] = [],
        replaced: [ReplacedAudio] = [], requiresSubtitles: Bool = false
    ) {
        self.source = source
        self.outputStem = outputStem
        self.audio = audio
        self.subtitles = subtitles
        self.replaced = replaced
        self.requiresSubtitles = requiresSubtitles
    }
}

/// What was written.
public struct RemuxReport: Hashable, Sendable, Codable {
    /// A track that was added.
    public struct Track: Hashable, Sendable, Codable {
        /// Its index in the output, as FFmpeg counts.
        public var index: Int
        /// FFmpeg's name of its codec.
        public var codec: String
        /// What it is in.
        public var language: Language
        /// Bits a second that the encoder was asked for; `nil` for lossless audio and text.
        public var bitRate: Int64?
    }

    /// A stream that was written anew.
    public struct Replacement: Hashable, Sendable, Codable {
        /// Its index in the source.
        public var source: Int
        /// Its index in the output.
        public var index: Int
        /// FFmpeg's name of its codec.
        public var codec: String
        /// Bits a second that the encoder was asked for; `nil` for lossless audio.
        public var bitRate: Int64?
    }

    /// The finished file.
    public var path: String
    /// FFmpeg's name of its muxer: `mp4`, `matroska`, …
    public var container: String
    /// Why it is not the source's container; `nil` where it is.
    public var reason: String?
    /// The tracks that were added, audio first.
    public var added: [Track]
    /// The streams that were written anew; `nil` where none was asked for.
    public var replaced: [Replacement]?
    /// What of the source, or of the request, is not in the output, and why.
    public var dropped: [String]
    /// Copied packets whose timestamps went backwards in the source and were moved.
    public var repairedTimestamps: Int
}
