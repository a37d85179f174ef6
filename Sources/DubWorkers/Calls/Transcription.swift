public import DubCore

/// Asks what is said, and when.
public struct Transcription: Sendable {
    /// What was recognised.
    public struct Output: Hashable, Sendable, Codable {
        /// The language it was taken for: a primary subtag.
        public var language: String
        /// In order of time.
        public var segments: [Segment]
        /// How many tries it took; `nil` where the model does not say.
        public var attempts: Int?
    }

    /// A stretch of speech; times count from the start of the audio that was sent.
    public struct Segment: Hashable, Sendable {
        /// Where it begins.
        public var start: MediaTime
        /// Where it ends.
        public var end: MediaTime
        /// What is said.
        public var text: String
        /// Mean log probability of the tokens, ≤ 0; `nil` where the model does not say.
        public var averageLogProbability: Double?
        /// How likely it is that nobody speaks, 0…1; `nil` where the model does not say.
        public var noSpeechProbability: Double?
        /// How well the text compresses: above about 2.4 it repeats itself. `nil` where the model does not say.
        public var compressionRatio: Double?
        /// The words; empty where the model gives none.
        public var words: [TimedWord]
    }

    /// One word and how sure the model is of it.
    public struct TimedWord: Hashable, Sendable {
        /// The word, punctuation attached, no space around.
        public var text: String
        /// Where it begins.
        public var start: MediaTime
        /// Where it ends.
        public var end: MediaTime
        /// 0…1; `nil` where the model does not say.
        public var probability: Double?

        /// The word as a script holds it, moved by `offset`.
        public func word(movedBy offset: MediaTime = .zero) -> Word {
            Word(
                text: text, start: MediaTime(seconds: start.seconds + offset.seconds),
                end: MediaTime(seconds: end.seconds + offset.seconds))
        }
    }

    private struct Item: Encodable {
        var audio: AudioPath
        var language: String?
    }

    private let batcher: Batcher
    private let model: String
    private let options: JSONValue

    /// Makes calls to `model`.
    public init(batcher: Batcher, model: String, options: JSONValue = [:]) {
        self.batcher = batcher
        self.model = model
        self.options = options
    }

    /// Recognises a WAV file (16 kHz, mono) of `seconds` seconds.
    ///
    /// - Parameter language: a primary subtag; `nil` lets the model find out.
    /// - Throws: `worker.bad-audio`, `worker.unsupported-language` and the errors of `Batcher.run`.
    public func recognise(file path: String, language: String?, seconds: Double) async throws -> Answer<
        Output
    > {
        try await batcher.call(
            .transcribe, model: model, options: options,
            item: Item(audio: AudioPath(path: path), language: language), cost: seconds)
    }
}

extension Transcription.Segment: Codable {
    private enum CodingKeys: String, CodingKey {
        case start, end, text, words
        case averageLogProbability = "avg_logprob"
        case noSpeechProbability = "no_speech_prob"
        case compressionRatio = "compression_ratio"
    }

    /// Reads a segment; figures and words may be absent.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        start = try container.decode(MediaTime.self, forKey: .start)
        end = try container.decode(MediaTime.self, forKey: .end)
        text = try container.decode(String.self, forKey: .text)
        averageLogProbability = try container.decodeIfPresent(Double.self, forKey: .averageLogProbability)
        noSpeechProbability = try container.decodeIfPresent(Double.self, forKey: .noSpeechProbability)
        compressionRatio = try container.decodeIfPresent(Double.self, forKey: .compressionRatio)
        words = try container.decodeIfPresent([Transcription.TimedWord].self, forKey: .words) ?? []
    }
}

extension Transcription.TimedWord: Codable {}
