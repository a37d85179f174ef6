internal import DubCore

/// Asks how voices sound.
public struct VoiceEmbedding: Sendable {
    /// What was heard in each span, in order.
    public struct Output: Hashable, Sendable, Codable {
        /// One for each span that was asked for.
        public var spans: [Heard]
    }

    /// A span's voice.
    public struct Heard: Hashable, Sendable, Codable {
        /// A direction: the same voice gives directions close together.
        public var vector: [Float]
        /// The middle of the fundamental in Hz; `nil` where hardly anything is voiced.
        public var pitch: Double?
    }

    private struct Item: Encodable {
        var audio: AudioPath
        var spans: [SpeechDetection.Span]
    }

    private let batcher: Batcher
    private let model: String

    /// Makes calls to `model`.
    public init(batcher: Batcher, model: String) {
        self.batcher = batcher
        self.model = model
    }

    /// Listens to at most 256 spans of a WAV file (16 kHz, mono), each 0.1 s or longer.
    ///
    /// - Throws: `worker.bad-audio` and the errors of `Batcher.run`.
    public func listen(toFile path: String, spans: [SpeechDetection.Span]) async throws -> Answer<Output> {
        let seconds = spans.reduce(0) { $0 + $1.end.seconds - $1.start.seconds }
        return try await batcher.call(
            .embed, model: model, options: [:], item: Item(audio: AudioPath(path: path), spans: spans), cost: seconds)
    }
}
