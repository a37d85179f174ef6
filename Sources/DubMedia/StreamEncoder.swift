internal import CFFmpeg
internal import DubCore

/// Owns one `AVCodecContext` that encodes interleaved Float32, converting to what the codec takes.
struct StreamEncoder: ~Copyable {
    let context: UnsafeMutablePointer<AVCodecContext>
    private let path: String
    private let resampler: Resampler
    private let frame: Frame
    private let packet: Packet
    /// Frames that the frame being filled holds already.
    private var filled: Int32 = 0
    /// Frames given to the codec, at its rate.
    private var sent: Int64 = 0
    private let channels: Int

    private init(
        adopting context: UnsafeMutablePointer<AVCodecContext>, path: String, channels: Int,
        _ resampler: consuming Resampler, _ frame: consuming Frame, _ packet: consuming Packet
    ) {
        self.context = context
        self.path = path
        self.channels = channels
        self.resampler = resampler
        self.frame = frame
        self.packet = packet
    }

    /// - Parameters:
    ///   - format: what `write` is given. The codec's own rate and layout are the nearest that it takes.
    ///   - bitRate: a wish in bits a second; `nil` for the codec's usual one.
    ///   - globalHeader: whether the container wants the codec's header outside the packets.
    /// - Throws: `media.unsupported` where FFmpeg lacks the encoder; `media.failed` where it refuses.
    static func open(
        _ codec: AudioCodec, format: AudioFormat, bitRate: Int64?, globalHeader: Bool, at path: String
    ) throws -> StreamEncoder {
        MediaLog.begin()
        let layout = try format.checked()
        guard let encoder = avcodec_find_encoder_by_name(codec.encoderName) else {
            throw DubError(
                .mediaUnsupported, "This FFmpeg cannot encode \(codec.rawValue).", at: path,
                fix: "Install an FFmpeg with \(codec.encoderName), or choose another codec.")
        }
        guard let context = avcodec_alloc_context3(encoder) else { throw DubError.noMemory(path) }
        var freeing: UnsafeMutablePointer<AVCodecContext>? = context
        do {
            let chosen = nearestLayout(encoder, layout)
            context.pointee.sample_rate = nearestRate(encoder, Int32(format.sampleRate))
            av_channel_layout_copy(&context.pointee.ch_layout, [chosen.raw])
            context.pointee.sample_fmt = sampleFormat(encoder, codec)
            context.pointee.time_base = AVRational(num: 1, den: context.pointee.sample_rate)
            context.pointee.bit_rate = codec.bitRate(bitRate, channels: chosen.count) ?? 0
            context.pointee.thread_count = 1
            if codec == .flac { context.pointee.bits_per_raw_sample = 24 }
            if globalHeader { context.pointee.flags |= AV_CODEC_FLAG_GLOBAL_HEADER }
            let opened = avcodec_open2(context, encoder, nil)
            guard opened >= 0 else {
                throw DubError.failed(path, "Opening the \(codec.rawValue) encoder", opened)
            }
            let resampler = try Resampler.make(
                from: .floats(format),
                to: Resampler.Side(
                    sample: context.pointee.sample_fmt, rate: context.pointee.sample_rate, layout: chosen))
            let frame = try blankFrame(context, path)
            return StreamEncoder(
                adopting: context, path: path, channels: layout.count, resampler, frame, try Packet())
        } catch {
            avcodec_free_context(&freeing)
            throw error
        }
    }

    private static func blankFrame(
        _ context: UnsafeMutablePointer<AVCodecContext>, _ path: String
    ) throws -> Frame {
        let frame = try Frame()
        frame.raw.pointee.format = context.pointee.sample_fmt.rawValue
        frame.raw.pointee.sample_rate = context.pointee.sample_rate
        frame.raw.pointee.nb_samples = context.pointee.frame_size > 0 ? context.pointee.frame_size : 4096
        av_channel_layout_copy(&frame.raw.pointee.ch_layout, &context.pointee.ch_layout)
        let status = av_frame_get_buffer(frame.raw, 0)
        guard status >= 0 else { throw DubError.noMemory(path) }
        return frame
    }

    private static func nearestRate(_ encoder: UnsafePointer<AVCodec>, _ wish: Int32) -> Int32 {
        guard var entry = encoder.pointee.supported_samplerates else { return wish }
        var rates: [Int32] = []
        while entry.pointee != 0 {
            rates.append(entry.pointee)
            entry += 1
        }
        return rates.filter { $0 >= wish }.min() ?? rates.max() ?? wish
    }

    private static func nearestLayout(
        _ encoder: UnsafePointer<AVCodec>, _ wish: borrowing ChannelLayout
    ) -> ChannelLayout {
        guard var entry = encoder.pointee.ch_layouts else { return ChannelLayout(copying: wish.raw) }
        var sameCount: AVChannelLayout?
        var widest: AVChannelLayout?
        while entry.pointee.nb_channels > 0 {
            if wish.same(as: entry.pointee) { return ChannelLayout(copying: entry.pointee) }
            if Int(entry.pointee.nb_channels) == wish.count, sameCount == nil { sameCount = entry.pointee }
            if Int(entry.pointee.nb_channels) <= wish.count,
                entry.pointee.nb_channels > widest?.nb_channels ?? 0
            {
                widest = entry.pointee
            }
            entry += 1
        }
        return ChannelLayout(copying: sameCount ?? widest ?? wish.raw)
    }

    private static func sampleFormat(_ encoder: UnsafePointer<AVCodec>, _ codec: AudioCodec) -> AVSampleFormat {
        guard var entry = encoder.pointee.sample_fmts else { return AV_SAMPLE_FMT_FLT }
        var offered: [AVSampleFormat] = []
        while entry.pointee != AV_SAMPLE_FMT_NONE {
            offered.append(entry.pointee)
            entry += 1
        }
        let preferred = [AV_SAMPLE_FMT_FLTP, AV_SAMPLE_FMT_FLT, AV_SAMPLE_FMT_S32, AV_SAMPLE_FMT_S32P]
        return preferred.first { offered.contains($0) } ?? offered.first ?? AV_SAMPLE_FMT_FLT
    }

    deinit {
        var freeing: UnsafeMutablePointer<AVCodecContext>? = context
        avcodec_free_context(&freeing)
    }
}

extension StreamEncoder {
    /// Frames of priming before the first sample that was written, at the codec's rate.
    var priming: Int64 { Int64(max(0, context.pointee.initial_padding)) }

    /// The codec's rate.
    var sampleRate: Int { Int(context.pointee.sample_rate) }

    /// Sets up a muxer's stream for what it makes.
    func describe(_ stream: UnsafeMutablePointer<AVStream>) {
        avcodec_parameters_from_context(stream.pointee.codecpar, context)
        stream.pointee.time_base = context.pointee.time_base
    }

    /// The codec's layout.
    var layout: String { resampler.output.layout.name }

    /// Encodes interleaved samples; `each` is given every packet that is ready, in `context`'s time base, and may take
    /// its payload.
    mutating func write(
        _ samples: UnsafeBufferPointer<Float>, each: (borrowing Packet) throws -> Void
    ) throws {
        let frames = samples.count / channels
        var read = 0
        while read < frames {
            let step = min(frames - read, 4096)
            let start = samples.baseAddress.map { UnsafeMutableRawPointer(mutating: $0 + read * channels) }
            var plane = start?.assumingMemoryBound(to: UInt8.self)
            try fill(&plane, count: Int32(step), each: each)
            // What did not fit into one codec frame waits in the resampler.
            while filled == 0, try fill(&plane, count: 0, each: each) {}
            read += step
        }
    }

    /// Encodes what is left.
    mutating func finish(each: (borrowing Packet) throws -> Void) throws {
        while try fill(nil, count: 0, each: each) {}
        if filled > 0 {
            frame.raw.pointee.nb_samples = filled
            try send(frame.raw, each: each)
        }
        try send(nil, each: each)
    }

    /// Fills the frame from the resampler and sends it when it is full.
    ///
    /// - Returns: whether the frame became full.
    @discardableResult
    private mutating func fill(
        _ source: UnsafeMutablePointer<UnsafeMutablePointer<UInt8>?>?, count: Int32,
        each: (borrowing Packet) throws -> Void
    ) throws -> Bool {
        let raw = frame.raw
        if filled == 0 {
            let status = av_frame_make_writable(raw)
            guard status >= 0 else { throw DubError.noMemory(path) }
        }
        let sample = context.pointee.sample_fmt
        let planar = av_sample_fmt_is_planar(sample) != 0
        let width = Int(context.pointee.ch_layout.nb_channels)
        let stride = Int(av_get_bytes_per_sample(sample)) * (planar ? 1 : width)
        let size = raw.pointee.nb_samples
        let made = try withUnsafeTemporaryAllocation(
            of: UnsafeMutablePointer<UInt8>?.self, capacity: 64
        ) { planes in
            for plane in 0..<(planar ? width : 1) {
                planes[plane] = raw.pointee.extended_data[plane].map { $0 + Int(filled) * stride }
            }
            guard let base = planes.baseAddress else { return 0 }
            return try resampler.convert(source, count: count, into: base, room: size - filled)
        }
        filled += Int32(made)
        guard filled == size else { return false }
        try send(raw, each: each)
        return true
    }

    private mutating func send(
        _ raw: UnsafeMutablePointer<AVFrame>?, each: (borrowing Packet) throws -> Void
    ) throws {
        if let raw {
            raw.pointee.pts = sent
            sent += Int64(raw.pointee.nb_samples)
            filled = 0
        }
        let status = avcodec_send_frame(context, raw)
        guard status >= 0 || status == dub_error_eof() else {
            throw DubError.failed(path, "Encoding", status)
        }
        while true {
            let received = avcodec_receive_packet(context, packet.raw)
            if received == dub_error_again() || received == dub_error_eof() { return }
            guard received >= 0 else { throw DubError.failed(path, "Encoding", received) }
            defer { packet.clear() }
            try each(packet)
        }
    }
}
