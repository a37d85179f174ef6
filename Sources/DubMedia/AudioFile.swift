internal import DubCore

/// Short clips in memory: a line's voice, a sample of the speaker.
public enum AudioFile {
    /// All samples of a file's audio, from zero of its timeline.
    ///
    /// - Returns: `[frame][channel]`, Float32, at `format`.
    /// - Throws: as `AudioDecoder.open` and `next`; `media.failed` for more than 2 hours, which is no clip.
    public static func readAll(
        _ path: String, stream: Int? = nil, as format: AudioFormat,
        cancellation: Cancellation = Cancellation()
    ) throws -> [Float] {
        var decoder = try AudioDecoder.open(path, stream: stream, as: format, cancellation: cancellation)
        let most = format.sampleRate * 7200 * format.channels
        var samples: [Float] = []
        samples.reserveCapacity(
            min(most, Int(clamping: decoder.durationFrames ?? 0) * format.channels + 8192))
        while let block = try decoder.next() {
            samples.append(contentsOf: block.samples)
            guard samples.count <= most else {
                throw DubError(
                    .mediaFailed, "The file is longer than two hours.", at: path,
                    fix: "Decode it in blocks instead of as one clip.")
            }
        }
        return samples
    }

    /// Writes samples to a file; its container goes by the extension. See `AudioEncoder.create`.
    ///
    /// - Parameter samples: `[frame][channel]`, Float32, −1…1.
    /// - Throws: `output.unwritable`, `media.unsupported`, `media.failed`.
    public static func write(
        _ samples: [Float], to path: String, codec: AudioCodec, format: AudioFormat, bitRate: Int64? = nil,
        cancellation: Cancellation = Cancellation()
    ) throws {
        var encoder = try AudioEncoder.create(
            path, codec: codec, format: format, bitRate: bitRate, cancellation: cancellation)
        try encoder.write(samples)
        try encoder.finish()
    }
}
