internal import DubCore

/// How loud a track is over time, as people draw it.
public struct SoundPeaks: Hashable, Sendable {
    /// The largest sample of each part, 0…1 and beyond where it is clipped.
    public var peaks: [Float]
    /// How long a part is, in seconds.
    public var part: Double

    /// Reads a track, mixed down to one channel, in parts of 20 ms.
    ///
    /// - Parameter stream: its index in the file; `nil` for the stream flagged `default`, else the first audio stream.
    /// - Throws: as `AudioDecoder`.
    public static func read(_ path: String, stream: Int? = nil, cancellation: Cancellation) throws -> SoundPeaks {
        let format = AudioFormat(sampleRate: 8000, layout: "mono")
        let step = format.sampleRate / 50
        var decoder = try AudioDecoder.open(path, stream: stream, as: format, cancellation: cancellation)
        var peaks: [Float] = []
        var (peak, count): (Float, Int) = (0, 0)
        while let block = try decoder.next() {
            for sample in block.samples {
                peak = max(peak, abs(sample))
                count += 1
                if count == step {
                    peaks.append(peak)
                    (peak, count) = (0, 0)
                }
            }
        }
        if count > 0 { peaks.append(peak) }
        return SoundPeaks(peaks: peaks, part: 0.02)
    }
}
