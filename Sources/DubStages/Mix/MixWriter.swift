internal import DubMedia
internal import DubTiming

/// Writes the mix and measures it as it goes by.
struct MixWriter: ~Copyable {
    private var encoder: AudioEncoder
    private var whole: LoudnessMeter
    private var dialogue: LoudnessMeter
    private let speech: [Span]
    private let format: AudioFormat
    private let channels: Int
    private var index = 0
    private var written: Int64 = 0

    init(_ path: String, format: AudioFormat, speech: [Span]) throws {
        // All that can fail first: a type that owns things cannot be left half made.
        let whole = try LoudnessMeter.make(format)
        let dialogue = try LoudnessMeter.make(format, peaks: false)
        let encoder = try AudioEncoder.create(path, codec: .flac, format: format)
        self.encoder = encoder
        self.whole = whole
        self.dialogue = dialogue
        self.speech = speech
        self.format = format
        channels = format.channels
    }

    mutating func write(_ samples: [Float]) throws {
        try encoder.write(samples)
        try whole.add(samples)
        let rate = Double(format.sampleRate)
        let frames = samples.count / channels
        let (start, end) = (Double(written) / rate, Double(written + Int64(frames)) / rate)
        while index < speech.count, speech[index].end <= start { index += 1 }
        var at = index
        while at < speech.count, speech[at].start < end {
            let low = max(0, Int((speech[at].start - start) * rate))
            let high = min(frames, Int((speech[at].end - start) * rate))
            if low < high { try dialogue.add(Array(samples[low * channels..<high * channels])) }
            at += 1
        }
        written += Int64(frames)
    }

    /// Ends the file, and gives the measures of all and of the dub's speech.
    consuming func finish() throws -> (whole: LoudnessReport, dialogue: LoudnessReport) {
        let whole = try whole.finish()
        let dialogue = try dialogue.finish()
        try encoder.finish()
        return (whole, dialogue)
    }
}
