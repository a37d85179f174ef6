public import DubCore

/// Asks which language is spoken.
public struct LanguageDetection: Sendable {
    /// What was heard.
    public struct Output: Hashable, Sendable, Codable {
        /// The likeliest language: a primary subtag.
        public var language: String
        /// How likely it is, 0…1.
        public var probability: Double
        /// Others too, likeliest first.
        public var candidates: [Candidate]
    }

    /// A language and how likely it is; a string and a number in JSON.
    public struct Candidate: Hashable, Sendable, Codable {
        /// A primary subtag.
        public var language: String
        /// 0…1.
        public var probability: Double

        /// Reads a string and a number.
        public init(from decoder: any Decoder) throws {
            var pair = try decoder.unkeyedContainer()
            language = try pair.decode(String.self)
            probability = try pair.decode(Double.self)
        }

        /// Writes a string and a number.
        public func encode(to encoder: any Encoder) throws {
            var pair = encoder.unkeyedContainer()
            try pair.encode(language)
            try pair.encode(probability)
        }
    }

    private struct Item: Encodable {
        var audio: AudioPath
        var segments: [SpeechDetection.Span]?
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

    /// Tells the language of a WAV file (16 kHz, mono); `seconds` is how long it is.
    ///
    /// - Parameter speech: where somebody speaks; `nil` lets the worker find out.
    /// - Throws: `worker.bad-audio`, also where nobody speaks, and the errors of `Batcher.run`.
    public func tell(
        ofFile path: String, speech: [SpeechDetection.Span]? = nil, seconds: Double
    ) async throws -> Answer<Output> {
        try await batcher.call(
            .detectLanguage, model: model, options: options,
            item: Item(audio: AudioPath(path: path), segments: speech), cost: seconds)
    }
}
