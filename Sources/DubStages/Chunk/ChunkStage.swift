internal import DubCore
internal import DubGraph
internal import DubMedia
internal import DubRunner
internal import DubTiming
internal import DubWorkers

/// Finds the speech and cuts the audio into chunks for recognition, each named by its samples.
struct ChunkStage: Stage {
    let engines: Engines
    let signature = StageSignature(
        name: "chunk", version: 1, inputs: [.one("speech")],
        outputs: [.list("audio"), .list("speech"), .one("layout")], parameters: ["model": "auto"], resource: .worker)

    func models(for inputs: StageInputs, in store: any Store) throws -> [ModelIdentity] {
        [try engine(inputs).identity]
    }

    private func engine(_ inputs: StageInputs) throws(DubError) -> Engines.Engine {
        try engines.candidates(
            for: .detectSpeech, wanted: inputs.parameters["model"]?.string ?? "auto", purpose: "find speech")[0]
    }

    func run(_ inputs: StageInputs, in context: StageContext) async throws -> [String: StageValue] {
        let audio = try context.artifact("speech", of: inputs)
        let path = context.path(of: audio)
        let found = try await SpeechDetection(batcher: engines.batcher, model: engine(inputs).name)
            .find(inFile: path, seconds: Double(audio.size) / 32_000)
        let duration = found.value.duration.seconds
        let speech = found.value.segments.map { Span(start: $0.start.seconds, end: $0.end.seconds) }.merged()
        guard !speech.isEmpty else {
            throw DubError(
                .speechNone, "Nobody speaks in this file: there is nothing to dub.", at: "the dialogue stream",
                fix: "Check that the right audio stream is flagged as default.")
        }
        let rate = ExtractStage.format.sampleRate
        let chunks = ChunkCutter().chunks(of: speech, duration: duration).map { span in
            Int64((span.start * Double(rate)).rounded())..<Int64((span.end * Double(rate)).rounded())
        }
        let folder = try context.scratch
        try await MediaThread.run { cancellation in
            try Self.cut(path, into: chunks, folder: folder, cancellation: cancellation)
        }
        var artifacts: [Artifact] = []
        var maps: [Artifact] = []
        var spans: [Span] = []
        for (index, range) in chunks.enumerated() {
            let span = Span(
                start: Double(range.lowerBound) / Double(rate), end: Double(range.upperBound) / Double(rate))
            spans.append(span)
            artifacts.append(try context.store.adopt(fileAt: "\(folder)/\(index).wav", type: "wav"))
            let inside = speech.compactMap { $0.clipped(to: span) }.map {
                Span(start: Self.round($0.start - span.start), end: Self.round($0.end - span.start))
            }
            maps.append(try context.store.put(json: ChunkSpeech(duration: span.length, speech: inside)))
        }
        let layout = Layout(duration: duration, chunks: spans, speech: speech)
        return [
            "audio": .list(artifacts), "speech": .list(maps), "layout": .one(try context.store.put(json: layout)),
        ]
    }

    /// To a tenth of a millisecond, so that equal audio has equal documents wherever it lies.
    private static func round(_ seconds: Double) -> Double { (seconds * 10_000).rounded() / 10_000 }

    /// The samples of a stretch, at the recognisers' rate.
    static func samples(of span: Span) -> Range<Int64> {
        let rate = Double(ExtractStage.format.sampleRate)
        return Int64((span.start * rate).rounded())..<Int64((span.end * rate).rounded())
    }

    /// Writes each range of samples to `folder/INDEX.wav`, in one pass, made louder by the factor `gain`.
    static func cut(
        _ path: String, into ranges: [Range<Int64>], folder: String, gain: Float = 1, cancellation: Cancellation
    ) throws {
        var decoder = try AudioDecoder.open(path, as: ExtractStage.format, cancellation: cancellation)
        var block = try decoder.next()
        for (index, range) in ranges.enumerated() {
            var encoder = try AudioEncoder.create(
                "\(folder)/\(index).wav", codec: .pcm16, format: ExtractStage.format)
            while let current = block {
                let span = current.start..<current.start + Int64(current.frames)
                let part = span.clamped(to: range)
                if !part.isEmpty {
                    let low = Int(part.lowerBound - span.lowerBound)
                    try encoder.write(current.samples[low..<low + part.count].map { $0 * gain })
                }
                if span.upperBound >= range.upperBound { break }
                block = try decoder.next()
            }
            try encoder.finish()
        }
    }
}
