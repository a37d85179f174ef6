internal import CFFmpeg
internal import DubCore

#if canImport(Glibc)
    internal import Glibc
#endif

/// How loud a programme is, by EBU R 128 (ITU-R BS.1770-4).
public struct LoudnessReport: Hashable, Sendable, Codable {
    /// Integrated loudness, LUFS; `nil` where nothing passed the gate (silence, or less than 0.4 s).
    public var integrated: Double?
    /// Loudness range, LU; 0 where nothing passed the gate.
    public var range: Double
    /// The highest true peak over the channels, dBTP; `nil` for digital silence, and where it was not looked for.
    public var truePeak: Double?

    /// What was measured elsewhere.
    public init(integrated: Double?, range: Double, truePeak: Double?) {
        self.integrated = integrated
        self.range = range
        self.truePeak = truePeak
    }
}

/// Measures loudness while samples go by, with FFmpeg's ebur128 filter.
///
/// Not `Sendable`: it stays in the closure of one `MediaThread.run`.
public struct LoudnessMeter: ~Copyable {
    private var graph: FilterGraph
    private var integrated: Double?
    private var range = 0.0
    private var peak = 0.0
    private let rate: Int

    private init(_ graph: consuming FilterGraph, rate: Int) {
        self.graph = graph
        self.rate = rate
    }

    /// A meter for samples of this format.
    ///
    /// - Parameter peaks: whether true peaks are wanted, which cost more than all the rest: they are looked for at
    ///   192 kHz.
    /// - Throws: `media.unsupported` for a bad format.
    public static func make(_ format: AudioFormat, peaks: Bool = true) throws -> LoudnessMeter {
        // The filter works on blocks of 100 ms, and its peaks are those of the frame at hand.
        let graph = try FilterGraph.make(
            "ebur128=metadata=1:peak=\(peaks ? "true" : "none"):framelog=verbose", inputs: [format], output: format)
        return LoudnessMeter(graph, rate: format.sampleRate)
    }

    /// Takes samples in: `[frame][channel]`, Float32.
    public mutating func add(_ samples: borrowing [Float]) throws {
        try graph.push(samples)
        try drain()
    }

    /// What was measured over everything.
    public consuming func finish() throws -> LoudnessReport {
        // The gate sees whole blocks of 0.1 s alone: half a second of silence completes the last one, and being
        // silent it is gated out.
        try graph.finish()
        try drain()
        return LoudnessReport(
            integrated: integrated, range: range, truePeak: peak > 0 ? 20 * log10(peak) : nil)
    }

    private mutating func drain() throws {
        while let values = try graph.pullFrame({ raw, width in Self.values(raw.pointee.metadata, width) }) {
            if let value = values.integrated { integrated = value > -69.9 ? value : nil }
            if let value = values.range { range = value }
            peak = max(peak, values.peak)
        }
    }

    private static func values(
        _ metadata: OpaquePointer?, _ channels: Int
    ) -> (integrated: Double?, range: Double?, peak: Double) {
        func value(_ key: String) -> Double? {
            guard let entry = av_dict_get(metadata, "lavfi.r128." + key, nil, 0) else { return nil }
            return Double(String(cString: entry.pointee.value)).flatMap { $0.isFinite ? $0 : nil }
        }
        let peaks = (0..<channels).compactMap { value("true_peaks_ch\($0)") }
        return (value("I"), value("LRA"), peaks.max() ?? 0)
    }
}
