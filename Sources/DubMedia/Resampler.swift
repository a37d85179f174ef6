internal import CFFmpeg
internal import DubCore

/// Owns one `SwrContext`: from one sample format, rate and layout to another.
struct Resampler: ~Copyable {
    /// One side of a conversion.
    struct Side: ~Copyable {
        var sample: AVSampleFormat
        var rate: Int32
        var layout: ChannelLayout
    }

    private let context: OpaquePointer
    let input: Side
    let output: Side

    private init(adopting context: OpaquePointer, _ input: consuming Side, _ output: consuming Side) {
        self.context = context
        self.input = input
        self.output = output
    }

    /// - Throws: `media.failed` where swresample refuses the pair.
    static func make(from input: consuming Side, to output: consuming Side) throws -> Resampler {
        var made: OpaquePointer?
        var source = input.layout.raw
        var target = output.layout.raw
        let status = swr_alloc_set_opts2(
            &made, &target, output.sample, output.rate, &source, input.sample, input.rate, 0, nil)
        guard status >= 0, let made else {
            throw DubError.failed("resampler", "Making the resampler", status)
        }
        let resampler = Resampler(adopting: made, input, output)
        let ready = swr_init(resampler.context)
        guard ready >= 0 else { throw DubError.failed("resampler", "Starting the resampler", ready) }
        return resampler
    }

    /// Whether its input is of this kind.
    func accepts(_ sample: AVSampleFormat, _ rate: Int32, _ layout: borrowing ChannelLayout) -> Bool {
        input.sample == sample && input.rate == rate && input.layout.same(as: layout.raw)
    }

    /// Output frames that the next `count` input frames can make at most.
    func capacity(for count: Int32) -> Int { max(0, Int(swr_get_out_samples(context, count))) }

    /// Converts; what does not fit into `room` frames stays inside for the next call.
    ///
    /// - Parameter source: planes of `count` frames; `nil` ends the input and gives out the resampler's tail.
    /// - Returns: frames written at `target`.
    func convert(
        _ source: UnsafeMutablePointer<UnsafeMutablePointer<UInt8>?>?, count: Int32,
        into target: UnsafeMutablePointer<UnsafeMutablePointer<UInt8>?>, room: Int32
    ) throws -> Int {
        let made: Int32
        if let source {
            made = source.withMemoryRebound(to: UnsafePointer<UInt8>?.self, capacity: 1) {
                swr_convert(context, target, room, $0, count)
            }
        } else {
            made = swr_convert(context, target, room, nil, 0)
        }
        guard made >= 0 else { throw DubError.failed("resampler", "Resampling", made) }
        return Int(made)
    }

    deinit {
        var freeing: OpaquePointer? = context
        swr_free(&freeing)
    }
}

extension Resampler.Side {
    /// Interleaved Float32, as everything of ours is.
    static func floats(_ format: AudioFormat) throws -> Resampler.Side {
        Resampler.Side(
            sample: AV_SAMPLE_FMT_FLT, rate: Int32(format.sampleRate), layout: try format.checked())
    }
}

/// Conversion of samples in memory.
public enum Resample {
    /// The samples at another rate, or in another layout. Downmixing follows swresample's coefficients, normalised so
    /// that nothing clips.
    ///
    /// - Parameter samples: `[frame][channel]`, Float32; a trailing part of a frame is ignored.
    /// - Returns: `round(frames × rate ÷ rate)` frames, `[frame][channel]`.
    /// - Throws: `media.unsupported` for a layout or a rate that FFmpeg does not take.
    public static func apply(_ samples: [Float], from: AudioFormat, to: AudioFormat) throws -> [Float] {
        let input = try Resampler.Side.floats(from)
        let output = try Resampler.Side.floats(to)
        let channels = input.layout.count
        let width = output.layout.count
        let frames = samples.count / channels
        guard from != to else { return Array(samples.prefix(frames * channels)) }
        guard frames > 0 else { return [] }
        let resampler = try Resampler.make(from: input, to: output)
        let wanted = Int((Double(frames) * Double(to.sampleRate) / Double(from.sampleRate)).rounded())
        return try [Float](unsafeUninitializedCapacity: wanted * width) { buffer, count in
            var filled = 0
            var read = 0
            func pull(_ source: UnsafeMutablePointer<UInt8>?, _ given: Int) throws -> Int {
                guard filled < wanted, let base = buffer.baseAddress else { return 0 }
                var target =
                    UnsafeMutableRawPointer(base + filled * width)
                    .assumingMemoryBound(to: UInt8.self) as UnsafeMutablePointer<UInt8>?
                var planes = source
                let room = Int32(clamping: wanted - filled)
                let made =
                    source == nil
                    ? try resampler.convert(nil, count: 0, into: &target, room: room)
                    : try resampler.convert(&planes, count: Int32(given), into: &target, room: room)
                filled += made
                return made
            }
            try samples.withUnsafeBytes { bytes in
                while read < frames {
                    let step = min(frames - read, 65536)
                    let start = bytes.baseAddress.map {
                        UnsafeMutableRawPointer(mutating: $0) + read * channels * 4
                    }
                    _ = try pull(start?.assumingMemoryBound(to: UInt8.self), step)
                    read += step
                }
            }
            while try pull(nil, 0) > 0 {}
            // The resampler's tail may be a frame short of the rounded length.
            if filled < wanted, let base = buffer.baseAddress {
                (base + filled * width).initialize(repeating: 0, count: (wanted - filled) * width)
            }
            count = wanted * width
        }
    }
}
