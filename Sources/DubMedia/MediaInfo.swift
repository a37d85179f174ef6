public import DubCore

/// What kind of thing a stream carries.
public enum StreamKind: String, Sendable, Codable, Hashable, CaseIterable {
    case video, audio, subtitle, data, attachment
}

/// What a media file holds: its container, its times, its streams. In JSON times are seconds.
public struct MediaInfo: Hashable, Sendable, Codable {
    /// The file.
    public var path: String
    /// FFmpeg's short names of the container, such as `mov,mp4,m4a,3gp,3g2,mj2`.
    public var container: String
    /// Zero of the item's timeline: the earliest start over the streams (FFmpeg's `start_time`).
    public var start: MediaTime
    /// From `start` to the end of the longest stream; `nil` where the container does not say.
    public var duration: MediaTime?
    /// Bytes.
    public var size: Int64
    /// Bits a second over all streams.
    public var bitRate: Int64?
    /// The file's own tags, as the container has them.
    public var metadata: [String: String]
    /// SMPTE time code of the first frame, such as `01:00:00:00`.
    public var timecode: String?
    /// In order of `start`.
    public var chapters: [Chapter]
    /// In the order of the file; `streams[i].index == i`.
    public var streams: [StreamInfo]
}

/// A named part of a file.
public struct Chapter: Hashable, Sendable, Codable {
    /// Where it begins, on the container's clock.
    public var start: MediaTime
    /// Where it ends.
    public var end: MediaTime
    /// Its name; empty where it has none.
    public var title: String
}

/// One stream of a media file.
public struct StreamInfo: Hashable, Sendable, Codable {
    /// Its place in the file, from 0.
    public var index: Int
    /// What it carries.
    public var kind: StreamKind
    /// FFmpeg's name of the codec, such as `h264`; `unknown` where it has none.
    public var codec: String
    /// FFmpeg's name of the profile, such as `High`.
    public var profile: String?
    /// The language, where the tag names one that dubmill knows.
    public var language: Language?
    /// The language tag as the container has it; `und` is kept.
    public var languageTag: String?
    /// What players show for it.
    public var title: String?
    /// FFmpeg's names: `default`, `dub`, `original`, `forced`, `attached_pic`, …
    public var dispositions: [String]
    /// Where it begins on the container's clock.
    public var start: MediaTime?
    /// How long it is.
    public var duration: MediaTime?
    /// Seconds per tick of its packets.
    public var timebase: Rational
    /// How many frames, where the container says.
    public var frames: Int64?
    /// Set for video alone.
    public var video: VideoInfo?
    /// Set for audio alone.
    public var audio: AudioInfo?
}

/// What is particular to a video stream.
public struct VideoInfo: Hashable, Sendable, Codable {
    /// Coded pixels across, before rotation.
    public var width: Int
    /// Coded pixels down, before rotation.
    public var height: Int
    /// FFmpeg's name, such as `yuv420p`.
    public var pixelFormat: String?
    /// Frames a second on average.
    public var frameRate: Rational?
    /// Degrees counter-clockwise that a player turns the picture by: 0, 90, 180, 270.
    public var rotation: Int
    /// Whether this is a cover and not moving picture.
    public var isAttachedPicture: Bool
}

/// What is particular to an audio stream.
public struct AudioInfo: Hashable, Sendable, Codable {
    /// Sample frames a second.
    public var sampleRate: Int
    /// How many.
    public var channels: Int
    /// FFmpeg's name, such as `stereo` or `5.1(side)`.
    public var layout: String
    /// Bits a second, where known.
    public var bitRate: Int64?
    /// Bits a sample of uncompressed and lossless codecs.
    public var bitsPerSample: Int?
}

extension MediaInfo {
    /// The stream that is spoken in: the audio stream flagged `default`, else the first; `nil` without audio.
    public var dialogueStream: StreamInfo? {
        let audio = streams.filter { $0.kind == .audio }
        return audio.first { $0.dispositions.contains("default") } ?? audio.first
    }

    /// The first video stream that is not a cover.
    public var pictureStream: StreamInfo? {
        streams.first { $0.video?.isAttachedPicture == false }
    }
}

extension Rational: Codable {
    /// Reads `"30000/1001"`.
    public init(from decoder: any Decoder) throws {
        let text = try decoder.singleValueContainer().decode(String.self)
        let terms = text.split(separator: "/", omittingEmptySubsequences: false).compactMap { Int32($0) }
        guard terms.count == 2, terms[1] > 0 else {
            throw DecodingError.dataCorrupted(
                .init(codingPath: decoder.codingPath, debugDescription: "\(text) is not a ratio"))
        }
        self.init(terms[0], terms[1])
    }

    /// Writes `"30000/1001"`.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode("\(numerator)/\(denominator)")
    }
}
