internal import DubCore
internal import DubGraph
internal import DubTiming
internal import DubWorkers
internal import Foundation

/// The models that listen to a dub.
struct Ear: Sendable {
    private let batcher: Batcher
    private let language: Language
    private let speech: Engines.Engine
    /// `nil` where nobody is to listen for words, or no model knows the language.
    private let words: Engines.Engine?
    private let tongue: Engines.Engine?

    /// From how likely another language is, a piece is recognised as that: Whisper would translate it.
    private static let certain = 0.7

    /// - Throws: `language.unsupported`, `worker.model-missing` where no model finds speech.
    init(_ engines: Engines, language: Language, model: String = "auto", listens: Bool) throws(DubError) {
        batcher = engines.batcher
        self.language = language
        speech = try engines.candidates(for: .detectSpeech, wanted: "auto", purpose: "find speech")[0]
        guard listens else {
            (words, tongue) = (nil, nil)
            return
        }
        words = try? engines.candidates(for: .transcribe, wanted: model, purpose: "recognise \(language.name)") {
            $0.languages.contains(language.primary) || $0.languages.contains("*")
        }.first
        tongue = try? engines.candidates(for: .detectLanguage, wanted: "auto", purpose: "recognise the language").first
    }

    /// All that take part.
    var models: [ModelIdentity] { [speech, words, tongue].compactMap { $0?.identity } }

    /// Listens to a WAV file (16 kHz, mono).
    func hear(_ path: String, _ task: PieceTask) async throws -> HeardPiece {
        let found = try await find(path, seconds: task.seconds)
        let spoken = found.map { Span(start: $0.start.seconds, end: $0.end.seconds) }
        var heard = HeardPiece(speech: spoken)
        guard task.hasWords, let words else { return heard }
        guard !spoken.isEmpty else {
            heard.text = ""
            return heard
        }
        if let tongue {
            let told = try await LanguageDetection(batcher: batcher, model: tongue.name)
                .tell(ofFile: path, speech: found, seconds: task.seconds).value
            heard.language = told.language
            heard.probability = told.candidates.first { $0.language == language.primary }?.probability ?? 0
            if told.language != language.primary, told.probability >= Self.certain {
                heard.text = try await recognise(path, words, in: told.language, seconds: task.seconds)
                return heard
            }
        }
        heard.text = try await recognise(path, words, in: language.primary, seconds: task.seconds)
        return heard
    }

    /// Where somebody speaks in a WAV file.
    func find(_ path: String, seconds: Double) async throws -> [SpeechDetection.Span] {
        try await SpeechDetection(batcher: batcher, model: speech.name).find(inFile: path, seconds: seconds).value
            .segments
    }

    private func recognise(
        _ path: String, _ model: Engines.Engine, in language: String, seconds: Double
    ) async throws -> String {
        // Words are counted, not timed: greedy search tells as much, in half the time.
        let heard = try await Transcription(
            batcher: batcher, model: model.name, options: ["beam": 1, "words": false]
        ).recognise(file: path, language: language, seconds: seconds)
        return heard.value.segments.map { $0.text.trimmingCharacters(in: .whitespaces) }.joined(separator: " ")
    }
}
