public import DubCore

/// Asks for text as speech.
public struct Synthesis: Sendable {
    /// What is to be said, and where the audio goes.
    public struct Request: Hashable, Sendable {
        /// What is to be said.
        public var text: String
        /// Its language: a BCP 47 tag.
        public var language: String
        /// A voice of the model; `nil` is its first for the language.
        public var voice: String?
        /// The pace: 1 is the voice's own, 2 twice as fast.
        public var rate: Double
        /// Semitones by which the voice is moved, −12…12; `nil` is not at all.
        public var pitch: Double?
        /// A factor for its formants, 0.7…1.4; `nil` is not at all.
        public var timbre: Double?
        /// The WAV file to be written; its folder exists.
        public var outputPath: String

        /// Makes a request.
        public init(
            text: String, language: String, voice: String? = nil, rate: Double = 1, pitch: Double? = nil,
            timbre: Double? = nil, outputPath: String
        ) {
            self.text = text
            self.language = language
            self.voice = voice
            self.rate = rate
            self.pitch = pitch
            self.timbre = timbre
            self.outputPath = outputPath
        }
    }

    /// What was said.
    public struct Output: Hashable, Sendable, Codable {
        /// The file that was written.
        public var audio: Audio
        /// Where speech begins and ends in it.
        public var speech: SpeechDetection.Span
        /// The engine that spoke, which after a fallback is not the model that was asked.
        public var engine: String
        /// The voice that spoke.
        public var voice: String?
        /// What a reader of the report should know, such as a fallback.
        public var notes: [String]?
    }

    /// A mono WAV file.
    public struct Audio: Hashable, Sendable, Codable {
        /// Where it lies.
        public var path: String
        /// Hz.
        public var sampleRate: Int
        /// Samples.
        public var frames: Int
        /// How long it is.
        public var seconds: Double

        private enum CodingKeys: String, CodingKey {
            case path, frames, seconds
            case sampleRate = "sample_rate"
        }
    }

    private struct Item: Encodable {
        var text: String
        var language: String
        var voice: String?
        var rate: Double
        var pitch: Double?
        var timbre: Double?
        var output: AudioPath
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

    /// Has a text spoken into a file.
    ///
    /// - Throws: `worker.unsupported-language`, `worker.rejected-output` for silence or noise, and the errors of
    ///   `Batcher.run`.
    public func speak(_ request: Request) async throws -> Answer<Output> {
        let item = Item(
            text: request.text, language: request.language, voice: request.voice, rate: request.rate,
            pitch: request.pitch, timbre: request.timbre, output: AudioPath(path: request.outputPath))
        return try await batcher.call(
            .synthesize, model: model, options: options, item: item, cost: Double(request.text.count))
    }
}
