internal import DubCore

/// Asks how good a recording sounds, as people would judge it.
public struct QualityRating: Sendable {
    /// What was predicted.
    public struct Output: Hashable, Sendable, Codable {
        /// Mean opinion scores, 1 (bad) to 5 (excellent).
        public struct Scores: Hashable, Sendable, Codable {
            /// Of the whole sound (ITU-T P.835).
            public var overall: Double
            /// Of the voice alone (P.835).
            public var speech: Double
            /// Of what is behind it: 5 is nothing that disturbs (P.835).
            public var background: Double
        }

        /// Means over the windows.
        public var mos: Scores
        /// How many windows of 9 s were judged.
        public var windows: Int
    }

    private struct Item: Encodable {
        var audio: AudioPath
    }

    private let batcher: Batcher
    private let model: String

    /// Makes calls to `model`.
    public init(batcher: Batcher, model: String) {
        self.batcher = batcher
        self.model = model
    }

    /// Rates a WAV file (16 kHz, mono, an hour at most), every 9 s of it once; `seconds` is how long it is.
    ///
    /// - Throws: `worker.bad-audio`, for less than 0.1 s too, and the errors of `Batcher.run`.
    public func rate(file path: String, seconds: Double) async throws -> Answer<Output> {
        try await batcher.call(
            .quality, model: model, options: ["step": 9], item: Item(audio: AudioPath(path: path)), cost: seconds)
    }
}
