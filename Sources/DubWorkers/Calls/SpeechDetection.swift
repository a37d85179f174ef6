public import DubCore

/// Asks where somebody speaks.
public struct SpeechDetection: Sendable {
    /// What was found.
    public struct Output: Hashable, Sendable, Codable {
        /// How long the audio is.
        public var duration: MediaTime
        /// Where somebody speaks, in order, apart from each other.
        public var segments: [Span]
    }

    /// A stretch of time; two numbers of seconds in JSON.
    public struct Span: Hashable, Sendable, Codable {
        /// Where it begins.
        public var start: MediaTime
        /// Where it ends; ≥ `start`.
        public var end: MediaTime

        /// Makes a stretch of time.
        public init(start: MediaTime, end: MediaTime) {
            self.start = start
            self.end = end
        }

        /// Reads two numbers of seconds.
        public init(from decoder: any Decoder) throws {
            var pair = try decoder.unkeyedContainer()
            start = try pair.decode(MediaTime.self)
            end = try pair.decode(MediaTime.self)
        }

        /// Writes two numbers of seconds.
        public func encode(to encoder: any Encoder) throws {
            var pair = encoder.unkeyedContainer()
            try pair.encode(start)
            try pair.encode(end)
        }
    }

    private struct Item: Encodable {
        var audio: AudioPath
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

    /// Finds the speech in a WAV file (16 kHz, mono); `seconds` is how long it is.
    ///
    /// - Throws: `worker.bad-audio` and the errors of `Batcher.run`. Audio without speech is not an error.
    public func find(inFile path: String, seconds: Double) async throws -> Answer<Output> {
        try await batcher.call(
            .detectSpeech, model: model, options: options, item: Item(audio: AudioPath(path: path)),
            cost: seconds)
    }
}
