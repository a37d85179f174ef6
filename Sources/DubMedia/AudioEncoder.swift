internal import CFFmpeg
public import DubCore

/// Writes one track of audio to a file of its own: under a temporary name until `finish`.
///
/// Not `Sendable`: it stays in the closure of one `MediaThread.run`.
public struct AudioEncoder: ~Copyable {
    /// What `write` is given.
    public let format: AudioFormat
    private var muxer: Muxer
    private var encoder: StreamEncoder
    private let channels: Int

    private init(
        _ format: AudioFormat, _ muxer: consuming Muxer, _ encoder: consuming StreamEncoder, channels: Int
    ) {
        self.format = format
        self.muxer = muxer
        self.encoder = encoder
        self.channels = channels
    }

    /// Starts a file; its container goes by the extension (`.wav`, `.flac`, `.m4a`, `.mka`, `.ogg`, …).
    ///
    /// - Parameters:
    ///   - bitRate: a wish in bits a second; raised to what the codec needs for good sound; `nil` for just that.
    ///   - language: what the track is in.
    ///   - title: what players show for it.
    /// - Throws: `output.unwritable`; `media.unsupported` where FFmpeg lacks the codec, or the container does.
    public static func create(
        _ path: String, codec: AudioCodec, format: AudioFormat, bitRate: Int64? = nil,
        language: Language? = nil,
        title: String? = nil, cancellation: Cancellation = Cancellation()
    ) throws -> AudioEncoder {
        let channels = try format.checked().count
        var muxer = try Muxer.create(path, format: nil, cancellation: cancellation)
        let encoder = try StreamEncoder.open(
            codec, format: format, bitRate: bitRate, globalHeader: muxer.wantsGlobalHeader, at: path)
        guard avformat_query_codec(muxer.context.pointee.oformat, encoder.context.pointee.codec_id, -2) != 0
        else {
            throw DubError(
                .mediaUnsupported, "A \(muxer.format) file cannot hold \(codec.rawValue).", at: path,
                fix: "Use .mka, which holds every codec, or another codec.")
        }
        let stream = try muxer.addStream()
        encoder.describe(stream)
        if let language { av_dict_set(&stream.pointee.metadata, "language", language.container, 0) }
        if let title { av_dict_set(&stream.pointee.metadata, "title", title, 0) }
        try muxer.writeHeader()
        return AudioEncoder(format, muxer, encoder, channels: channels)
    }

    /// Encodes the next samples: `[frame][channel]`, Float32; beyond ±1 they clip in all codecs but `pcmFloat`.
    ///
    /// - Throws: `output.unwritable`, `media.failed`; `CancellationError`.
    public mutating func write(_ samples: borrowing [Float]) throws {
        try samples.withUnsafeBufferPointer { try write($0) }
    }

    /// As above, from memory of the caller's.
    public mutating func write(_ samples: UnsafeBufferPointer<Float>) throws {
        precondition(samples.count % channels == 0, "whole frames only")
        MediaLog.begin()
        let sink = muxer.sink
        let timebase = encoder.context.pointee.time_base
        try sink.cancellation.check()
        try encoder.write(samples) { try sink.write($0, from: timebase, to: 0) }
    }

    /// Writes what is left, waits until the disk has it, and gives the file its name.
    ///
    /// - Throws: `output.unwritable`, `media.failed`; then no file is left.
    public consuming func finish() throws {
        MediaLog.begin()
        let sink = muxer.sink
        let timebase = encoder.context.pointee.time_base
        try encoder.finish { try sink.write($0, from: timebase, to: 0) }
        try muxer.commit()
    }
}
