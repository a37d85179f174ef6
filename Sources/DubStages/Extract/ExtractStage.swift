internal import DubCore
internal import DubGraph
internal import DubMedia
internal import DubRunner

/// Decodes the dialogue stream for the recognisers: 16 kHz, mono, 16 bit, on the item's timeline, turned up where it is
/// faint.
struct ExtractStage: Stage {
    let signature = StageSignature(
        name: "extract", version: 2, inputs: [.one("media"), .one("info")], outputs: [.one("speech")])

    /// What Whisper and silero take.
    static let format = AudioFormat(sampleRate: 16_000, layout: "mono")

    func run(_ inputs: StageInputs, in context: StageContext) async throws -> [String: StageValue] {
        let path = context.path(of: try context.artifact("media", of: inputs))
        let info = try context.read(MediaInfo.self, "info", of: inputs)
        let stream = info.dialogueStream?.index
        let output = "\(try context.scratch)/speech.wav"
        try await MediaThread.run { cancellation in
            func write(gain: Float) throws -> Float {
                var decoder = try AudioDecoder.open(path, stream: stream, as: Self.format, cancellation: cancellation)
                var encoder = try AudioEncoder.create(output, codec: .pcm16, format: Self.format)
                var peak: Float = 0
                while let block = try decoder.next() {
                    for sample in block.samples { peak = max(peak, abs(sample)) }
                    try encoder.write(gain == 1 ? block.samples : block.samples.map { $0 * gain })
                    if let total = decoder.durationFrames, total > 0 {
                        context.progress(Double(block.start) / Double(total))
                    }
                }
                try encoder.finish()
                return peak
            }
            let gain = ListeningGain.factor(peak: try write(gain: 1))
            if gain > 1 { _ = try write(gain: gain) }
        }
        return ["speech": .one(try context.store.adopt(fileAt: output, type: "wav"))]
    }
}
