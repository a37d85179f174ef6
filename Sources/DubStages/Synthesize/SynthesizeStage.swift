internal import DubCore
internal import DubGraph
internal import DubMedia
internal import DubRunner
internal import DubTiming
internal import DubWorkers

/// Voices one line.
struct SynthesizeStage: Stage {
    let engines: Engines
    let signature = StageSignature(
        name: "synthesize", version: 1, inputs: [.one("take")], outputs: [.one("audio"), .one("take")],
        resource: .worker)

    func models(for inputs: StageInputs, in store: any Store) throws -> [ModelIdentity] {
        guard let artifact = inputs.artifact("take") else { return [] }
        return [try engine(store.read(TakeRequest.self, from: artifact)).identity]
    }

    private func engine(_ take: TakeRequest) throws(DubError) -> Engines.Engine {
        try engines.speaking(take.language, wanted: take.engine)
    }

    func run(_ inputs: StageInputs, in context: StageContext) async throws -> [String: StageValue] {
        let take = try context.read(TakeRequest.self, "take", of: inputs)
        let engine = try engine(take)
        if engine.clones { _ = try Consent.require(take.consent, of: "this speaker", for: engine.name) }
        let path = "\(try context.scratch)/take.wav"
        do {
            guard !take.text.isEmpty else { return try await silent(engine, "nothing to say", path, context) }
            var spoken = try await speak(take, engine, rate: 1, to: path)
            let long = (spoken.speech.end.seconds - spoken.speech.start.seconds) / take.seconds
            if long > Self.tolerance {
                // An engine that speaks faster sounds better than one that is squeezed afterwards.
                spoken = try await speak(take, engine, rate: min(Self.fastest, long), to: path)
            }
            let record = TakeRecord(
                engine: engine.name, voice: spoken.voice ?? "", isDraft: engine.isDraft, seconds: spoken.audio.seconds,
                speech: try await Self.speech(in: path, rate: spoken.audio.sampleRate), notes: spoken.notes ?? [])
            return [
                "audio": .one(try context.store.adopt(fileAt: path, type: "wav")),
                "take": .one(try context.store.put(json: record)),
            ]
        } catch let error as DubError where error.code == .workerRejectedOutput {
            return try await silent(engine, error.what, path, context)
        }
    }

    /// How much longer than its time a take may be before it is asked for again.
    private static let tolerance = 1.1
    /// The fastest that an engine is asked to speak.
    private static let fastest = 1.3

    private func speak(
        _ take: TakeRequest, _ engine: Engines.Engine, rate: Double, to path: String
    ) async throws -> Synthesis.Output {
        try await Synthesis(batcher: engines.batcher, model: engine.name).speak(
            Synthesis.Request(
                text: take.text, language: take.language.primary, voice: take.voice, rate: rate,
                pitch: take.pitch, timbre: take.timbre, outputPath: path)
        ).value
    }

    /// A line that cannot be said is not lost: it is a take without speech, and the verdict counts it.
    private func silent(
        _ engine: Engines.Engine, _ why: String, _ path: String, _ context: StageContext
    ) async throws -> [String: StageValue] {
        let format = ExtractStage.format
        try await MediaThread.run { _ in
            var encoder = try AudioEncoder.create(path, codec: .pcm16, format: format)
            try encoder.write([Float](repeating: 0, count: format.sampleRate / 100))
            try encoder.finish()
        }
        let record = TakeRecord(
            engine: engine.name, voice: "", isDraft: engine.isDraft, seconds: 0, speech: [], notes: [why])
        return [
            "audio": .one(try context.store.adopt(fileAt: path, type: "wav")),
            "take": .one(try context.store.put(json: record)),
        ]
    }

    /// Where a take sounds: louder than 1 % of its peak, pauses of 0.12 s and more left out.
    private static func speech(in path: String, rate: Int) async throws -> [Span] {
        let samples = try await MediaThread.run { _ in
            try AudioFile.readAll(path, as: AudioFormat(sampleRate: rate, layout: "mono"))
        }
        let hop = rate / 100
        let peak = samples.reduce(0) { max($0, abs($1)) }
        guard peak > 0, hop > 0 else { return [] }
        var spans: [Span] = []
        for start in stride(from: 0, to: samples.count, by: hop) {
            let end = min(samples.count, start + hop)
            guard samples[start..<end].contains(where: { abs($0) > peak * 0.01 }) else { continue }
            spans.append(Span(start: Double(start) / Double(rate), end: Double(end) / Double(rate)))
        }
        return spans.merged(closing: 0.12)
    }
}
