internal import DubMedia

/// Holds the peaks of a mix; of a layout with a centre, those of the centre alone, so that all else stays as it was.
///
/// Not `Sendable`: it stays in the closure of one `MediaThread.run`.
struct PeakHold: ~Copyable {
    private var filter: FilterGraph
    private let channels: Int
    /// The channel that is treated; `nil` for all.
    private let only: Int?
    /// Samples whose treated channel is still inside the filter.
    private var waiting: [Float] = []

    /// - Parameters:
    ///   - chain: FFmpeg's description of filters that keep the length.
    ///   - only: the channel that it treats; `nil` for all.
    static func make(_ chain: String, _ format: AudioFormat, only: Int?) throws -> PeakHold {
        let own = only == nil ? format : AudioFormat(sampleRate: format.sampleRate)
        return PeakHold(
            filter: try FilterGraph.make(chain, inputs: [own], output: own), channels: format.channels, only: only)
    }

    private init(filter: consuming FilterGraph, channels: Int, only: Int?) {
        self.filter = filter
        self.channels = channels
        self.only = only
    }

    mutating func push(_ samples: [Float]) throws {
        guard let only else { return try filter.push(samples) }
        waiting += samples
        try filter.push(stride(from: only, to: samples.count, by: channels).map { samples[$0] })
    }

    mutating func finish() throws { try filter.finish() }

    /// What is ready; `nil` until more is pushed.
    mutating func pull() throws -> [Float]? {
        guard let held = try filter.pull() else { return nil }
        guard let only else { return held }
        let frames = min(held.count, waiting.count / channels)
        var samples = Array(waiting.prefix(frames * channels))
        waiting.removeFirst(frames * channels)
        for frame in 0..<frames { samples[frame * channels + only] = held[frame] }
        return samples
    }
}
