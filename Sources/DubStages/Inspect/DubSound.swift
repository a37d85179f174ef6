internal import DubMedia

/// A track as loud as it is, and how much of it is clipped.
struct DubSound: Sendable {
    /// By EBU R 128, in the track's own channels.
    var loudness: LoudnessReport
    /// Samples in runs of three and more at full scale, as a share of all, 0…1.
    var clipped: Double

    /// As near to full scale as this counts as clipped.
    private static let fullScale: Float = 0.9985

    /// Measures an audio stream, decoded to 48 kHz.
    static func of(_ path: String, stream: Int, layout: String?, cancellation: Cancellation) throws -> DubSound {
        let known = ["mono", "stereo", "5.1", "5.1(side)", "7.1", "3.0", "5.0", "5.0(side)"]
        let format = AudioFormat(
            sampleRate: 48_000, layout: layout.map { known.contains($0) ? $0 : "stereo" } ?? "stereo")
        var decoder = try AudioDecoder.open(path, stream: stream, as: format, cancellation: cancellation)
        var meter = try LoudnessMeter.make(format)
        var runs = [Int](repeating: 0, count: format.channels)
        var (clipped, total) = (0, 0)
        while let block = try decoder.next() {
            try meter.add(block.samples)
            total += block.samples.count
            for index in block.samples.indices {
                let channel = index % runs.count
                guard abs(block.samples[index]) >= fullScale else {
                    runs[channel] = 0
                    continue
                }
                runs[channel] += 1
                clipped += runs[channel] == 3 ? 3 : runs[channel] > 3 ? 1 : 0
            }
        }
        return DubSound(loudness: try meter.finish(), clipped: total > 0 ? Double(clipped) / Double(total) : 0)
    }
}
