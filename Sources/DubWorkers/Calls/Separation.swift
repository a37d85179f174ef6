internal import DubCore

/// Asks for the speech in a sound, apart from all else.
public struct Separation: Sendable {
    /// Which part of which file, and where its speech goes.
    public struct Request: Hashable, Sendable {
        /// A WAV or CAF file, 48 kHz, mono.
        public var path: String
        /// Where the part begins, in seconds.
        public var start: Double
        /// Where it ends, in seconds.
        public var end: Double
        /// The WAV file to be written; its folder exists.
        public var outputPath: String

        /// Makes a request.
        public init(path: String, start: Double, end: Double, outputPath: String) {
            self.path = path
            self.start = start
            self.end = end
            self.outputPath = outputPath
        }
    }

    /// What was written.
    public struct Output: Hashable, Sendable, Codable {
        /// The speech: as long as the part, each frame in its place.
        public var audio: Synthesis.Audio
    }

    private struct Item: Encodable {
        struct Part: Encodable {
            var path: String
            var start: Double
            var end: Double
        }
        var audio: Part
        var output: AudioPath
    }

    /// Hz of what is taken in and given out.
    public static let sampleRate = 48_000

    private let batcher: Batcher
    private let model: String

    /// Makes calls to `model`.
    public init(batcher: Batcher, model: String) {
        self.batcher = batcher
        self.model = model
    }

    /// Writes the speech of a part into a file.
    ///
    /// - Throws: `worker.bad-audio` and the errors of `Batcher.run`. A sound without speech is not an error.
    public func speech(_ request: Request) async throws -> Answer<Output> {
        let item = Item(
            audio: Item.Part(path: request.path, start: request.start, end: request.end),
            output: AudioPath(path: request.outputPath))
        return try await batcher.call(
            .separate, model: model, options: [:], item: item, cost: request.end - request.start)
    }
}
