internal import DubCore

/// A decoded stream, levelled on the way: as long as the stream, sample for sample in its place.
struct LevelledAudio: ~Copyable {
    private var decoder: AudioDecoder
    private var graph: FilterGraph?
    private var made: Int64 = 0
    private var decoded: Int64 = 0
    private var hasEnded = false

    /// - Parameter levelling: `nil` gives the stream as it is.
    /// - Throws: `media.failed` where the filters refuse.
    init(_ decoder: consuming AudioDecoder, _ levelling: Levelling? = nil) throws {
        let format = decoder.format
        // All that can fail first: a type that owns things cannot be left half made.
        let graph = try Self.graph(levelling, format)
        self.decoder = decoder
        self.graph = graph
    }

    private static func graph(_ levelling: Levelling?, _ format: AudioFormat) throws -> FilterGraph? {
        guard let levelling else { return nil }
        return try FilterGraph.make(
            levelling.chain(rate: format.sampleRate), inputs: [format], output: format)
    }

    var format: AudioFormat { decoder.format }

    var channels: Int { decoder.output.channels }

    /// The next block; each starts where the one before ended, the first at 0. `nil` after the end.
    mutating func next() throws -> AudioBlock? {
        guard graph != nil else { return try decoder.next() }
        while true {
            if let samples = try graph?.pull(), let block = block(samples) { return block }
            guard !hasEnded else { break }
            if let next = try decoder.next() {
                decoded = next.start + Int64(next.frames)
                try graph?.push(next.samples)
            } else {
                hasEnded = true
                try graph?.finish()
            }
        }
        // Resamplers may end a sample short.
        return block([Float](repeating: 0, count: Int(decoded - made) * channels))
    }

    private mutating func block(_ samples: [Float]) -> AudioBlock? {
        let frames = min(samples.count / channels, Int(decoded - made))
        guard frames > 0 else { return nil }
        defer { made += Int64(frames) }
        return AudioBlock(start: made, frames: frames, samples: Array(samples[..<(frames * channels)]))
    }
}
