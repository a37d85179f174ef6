internal import DubCore
internal import DubGraph
internal import DubMedia
internal import DubRunner

/// Decodes the dialogue stream for the recognisers: 16 kHz, mono, 16 bit, on the item's timeline.
struct ExtractStage: Stage {
    let signature = StageSignature(
        name: "extract", version: 1, inputs: [.one("media"), .one("info")], outputs: [.one("speech")])

    /// What Whisper and silero take.
    static let format = AudioFormat(sampleRate: 16_000, layout: "mono")

    func run(_ inputs: StageInputs, in context: StageContext) async throws -> [String: StageValue] {
        let path = context.path(of: try context.artifact("media", of: inputs))
        let info = try context.read(MediaInfo.self, "info", of: inputs)
        let stream = info.dialogueStream?.index
        let output = try "\(context.scratch)/speech.wav"
        try await MediaThread.run { cancellation in
            var decoder = try AudioDecoder.open(path, stream: stream, as: Self.format, cancellation: cancellation)
            var encoder = try AudioEncoder.create(output, codec: .pcm16, format: Self.format)
            while let block = try decoder.next() {
                try encoder.write(block.samples)
                if let total = decoder.durationFrames, total > 0 {
                    context.progress(Double(block.start) / Double(total))
                }
            }
            try encoder.finish()
        }
        return ["speech": .one(try context.store.adopt(fileAt: output, type: "wav"))]
    }
}
