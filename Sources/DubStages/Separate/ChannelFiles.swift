internal import DubMedia

/// Channels of a stream in files of their own, for a model that takes one.
struct ChannelFiles: Sendable {
    /// A file a channel, mono floats; one for two that are the same.
    var files: [String]
    /// How long each is, in frames.
    var frames: Int64
    /// What the samples were multiplied by, for a model that hears little of what is faint.
    var gain: Float = 1

    /// Decodes a stream and writes some of its channels, turned up where they are faint.
    ///
    /// - Parameters:
    ///   - format: of the decoded stream.
    ///   - channels: which of them.
    ///   - folder: where the files go.
    static func write(
        _ path: String, stream: Int?, _ format: AudioFormat, channels: [Int], to folder: String,
        _ cancellation: Cancellation, progress: (Double) -> Void
    ) throws -> ChannelFiles {
        let mono = AudioFormat(sampleRate: format.sampleRate)
        let width = format.channels
        // CAF has no limit of 4 GiB, and libsndfile reads it as FFmpeg writes it: of W64 it misreads floats.
        let names = channels.map { "\(folder)/channel-\($0).caf" }
        func write(gain: Float) throws -> (files: ChannelFiles, peak: Float) {
            let files = try names.map { try OpenFile(AudioEncoder.create($0, codec: .pcmFloat, format: mono)) }
            var decoder = try AudioDecoder.open(path, stream: stream, as: format, cancellation: cancellation)
            var frames: Int64 = 0
            var areSame = channels.count == 2
            var peak: Float = 0
            while let block = try decoder.next() {
                var first: [Float] = []
                for (place, channel) in channels.enumerated() {
                    let samples = (0..<block.frames).map { block.samples[$0 * width + channel] * gain }
                    for sample in samples { peak = max(peak, abs(sample)) }
                    if place == 0 { first = samples }
                    if place == 1, areSame { areSame = samples == first }
                    try files[place].write(samples)
                }
                frames = block.start + Int64(block.frames)
                if let total = decoder.durationFrames, total > 0 { progress(Double(frames) / Double(total)) }
            }
            for place in files.indices { try files[place].finish() }
            return (ChannelFiles(files: areSame ? [names[0]] : names, frames: frames, gain: gain), peak)
        }
        let plain = try write(gain: 1)
        let gain = ListeningGain.factor(peak: plain.peak)
        return gain > 1 ? try write(gain: gain).files : plain.files
    }
}

/// An encoder in an array: what owns things cannot lie in one by itself.
private final class OpenFile {
    private var encoder: AudioEncoder?

    init(_ encoder: consuming AudioEncoder) { self.encoder = consume encoder }

    func write(_ samples: [Float]) throws { try encoder?.write(samples) }

    func finish() throws {
        guard let encoder = encoder.take() else { return }
        try encoder.finish()
    }
}
