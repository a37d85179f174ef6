internal import DubCore
public import DubMedia

/// How loud an audio stream is: what `measure` writes.
struct MeasuredStream: Codable, Hashable, Sendable {
    /// Its index in the source.
    var stream: Int
    /// Its language as the container has it.
    var language: String?
    /// What was measured over all of its channels.
    var loudness: LoudnessReport
}

/// What became of an audio stream: what `normalise` writes, and the verdict repeats with its own measure.
public struct StreamLoudness: Codable, Hashable, Sendable {
    /// Its index in the source.
    public var stream: Int
    /// Its index in the output; `nil` where it was copied.
    public var index: Int?
    /// Its language as the container has it.
    public var language: String?
    /// What was done to it; `nil` where it was copied bit for bit.
    public var levelling: Levelling?
    /// FFmpeg's name of the codec that it was written in; `nil` where it was copied.
    public var codec: String?
    /// In the source.
    public var before: LoudnessReport
    /// In the output.
    public var after: LoudnessReport
}

/// What `normalise` did to a file.
struct NormaliseReport: Codable, Hashable, Sendable {
    /// The profile's name.
    var profile: String
    /// What was asked of the streams.
    var streams: [StreamLoudness]
    /// Why the container is not the source's.
    var reason: String?
    /// What of the source is not in the output, and why.
    var dropped: [String]
}
