internal import DubCore
internal import DubGraph
internal import DubRunner
internal import DubTiming
internal import DubWorkers
internal import Foundation

/// Recognises what is said in a chunk, and makes lines of it.
struct TranscribeStage: Stage {
    let engines: Engines
    let signature = StageSignature(
        name: "transcribe", version: 1, inputs: [.one("audio"), .one("speech"), .one("language")],
        outputs: [.one("lines")], parameters: ["model": "auto"], resource: .worker)

    func models(for inputs: StageInputs, in store: any Store) throws -> [ModelIdentity] {
        guard let artifact = inputs.artifact("language") else { return [] }
        return [try engine(inputs, store.read(SpokenLanguage.self, from: artifact).language).identity]
    }

    private func engine(_ inputs: StageInputs, _ language: Language) throws(DubError) -> Engines.Engine {
        try engines.candidates(
            for: .transcribe, wanted: inputs.parameters["model"]?.string ?? "auto",
            purpose: "recognise \(language.name)"
        ) { $0.languages.contains(language.primary) || $0.languages.contains("*") }[0]
    }

    func run(_ inputs: StageInputs, in context: StageContext) async throws -> [String: StageValue] {
        let audio = try context.artifact("audio", of: inputs)
        let map = try context.read(ChunkSpeech.self, "speech", of: inputs)
        let language = try context.read(SpokenLanguage.self, "language", of: inputs).language
        let heard = try await Transcription(batcher: engines.batcher, model: engine(inputs, language).name)
            .recognise(file: context.path(of: audio), language: language.primary, seconds: map.duration)
        let words = heard.value.segments.enumerated().flatMap { index, segment in
            segment.words.map {
                RecognisedWord(
                    text: $0.text, start: $0.start.seconds, end: $0.end.seconds, probability: $0.probability ?? 1,
                    segment: index)
            }
        }
        let built = LineBuilder().lines(from: words, speech: map.speech, language: language)
        let lines = built.lines.enumerated().map { index, line in
            ChunkLine(
                id: "\(audio.digest.hex.prefix(8))-\(index + 1)", window: line.window, speech: line.speech,
                speaker: nil, text: line.text,
                words: line.words.map {
                    Word(
                        text: $0.text.trimmingCharacters(in: .whitespaces), start: MediaTime(seconds: $0.start),
                        end: MediaTime(seconds: $0.end))
                },
                translation: nil)
        }
        let chunk = ChunkLines(language: language, lines: lines, notes: built.notes)
        return ["lines": .one(try context.store.put(json: chunk))]
    }
}
