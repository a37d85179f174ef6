internal import DubCore
internal import DubGraph
internal import DubRunner
internal import DubSpeakers
internal import DubTiming
internal import DubWorkers

/// How the voices in a chunk sound; times from the chunk's start.
struct ChunkVoices: Codable, Hashable, Sendable {
    /// The model that listened; empty where nobody did.
    var model: String
    /// In order; those of one stretch of speech overlap.
    var windows: [Window]

    /// A stretch of at most 1.6 s.
    struct Window: Codable, Hashable, Sendable {
        var span: Span
        var print: Voiceprint
        var pitch: Double?
    }
}

/// Listens to the voices of a chunk. It needs to know where speech is and not what is said, so that who speaks is known
/// while chunks are still being recognised.
struct EmbedStage: Stage {
    let engines: Engines
    let signature = StageSignature(
        name: "embed", version: 1, inputs: [.one("audio"), .one("speech")], outputs: [.one("voices")],
        parameters: ["model": "auto", "speakers": "auto"], resource: .worker)

    func models(for inputs: StageInputs, in store: any Store) throws -> [ModelIdentity] {
        try SpeakerCount(inputs).isKnownToBeOne ? [] : [engine(inputs).identity]
    }

    private func engine(_ inputs: StageInputs) throws(DubError) -> Engines.Engine {
        try engines.candidates(
            for: .embed, wanted: inputs.parameters["model"]?.string ?? "auto", purpose: "tell speakers apart")[0]
    }

    func run(_ inputs: StageInputs, in context: StageContext) async throws -> [String: StageValue] {
        let speech = try context.read(ChunkSpeech.self, "speech", of: inputs)
        let spans = Self.windows(of: speech.speech)
        guard try !SpeakerCount(inputs).isKnownToBeOne, !spans.isEmpty else {
            let nothing = ChunkVoices(model: "", windows: [])
            return ["voices": .one(try context.store.put(json: nothing))]
        }
        let engine = try engine(inputs)
        let heard = try await VoiceEmbedding(batcher: engines.batcher, model: engine.name).listen(
            toFile: context.path(of: try context.artifact("audio", of: inputs)),
            spans: spans.map { .init(start: MediaTime(seconds: $0.start), end: MediaTime(seconds: $0.end)) })
        let windows = zip(spans, heard.value.spans).map {
            ChunkVoices.Window(span: $0, print: Voiceprint($1.vector), pitch: $1.pitch)
        }
        return ["voices": .one(try context.store.put(json: ChunkVoices(model: engine.name, windows: windows)))]
    }

    /// Windows of 1.6 s, which is what d-vectors are trained on, every 0.8 s at most; none reaches over a pause, where
    /// the speaker may change. What is shorter is a window of its own, from 0.3 s on.
    static func windows(of speech: [Span]) -> [Span] {
        let length = 1.6
        return speech.flatMap { span -> [Span] in
            guard span.length >= 0.3 else { return [] }
            guard span.length > length else { return [span] }
            let count = Int(((span.length - length) / (length / 2)).rounded(.up)) + 1
            let step = (span.length - length) / Double(count - 1)
            return (0..<count).map {
                let start = span.start + step * Double($0)
                return Span(start: start, end: min(span.end, start + length))
            }
        }
    }
}

/// The parameter `speakers`: how many there are, or `auto`.
struct SpeakerCount {
    /// `nil` where it has to be found.
    var count: Int?

    /// - Throws: `parameter.invalid`.
    init(_ inputs: StageInputs) throws(DubError) {
        let given = inputs.parameters["speakers"]
        let text = given?.string ?? given.map(\.canonical) ?? "auto"
        guard text != "auto" else { return }
        guard let count = Int(text), (1...100).contains(count) else {
            throw DubError(
                .parameterInvalid, "There cannot be `\(text)` speakers.", at: "speakers",
                fix: "Give a number from 1 to 100, or auto.")
        }
        self.count = count
    }

    var isKnownToBeOne: Bool { count == 1 }
}
