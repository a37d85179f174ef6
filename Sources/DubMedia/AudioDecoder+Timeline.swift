internal import CFFmpeg
internal import DubCore

extension AudioDecoder {
    /// Finds where the decoded frame's timestamp wants it: what silence goes before it, or what is cut from its head.
    mutating func hold() throws {
        let raw = frame.raw
        let rate = raw.pointee.sample_rate
        let count = Int64(raw.pointee.nb_samples)
        guard rate > 0, count > 0, raw.pointee.ch_layout.nb_channels > 0 else { return frame.clear() }
        try adapt()
        held = 0
        if let position = position(rate: Int64(rate)) {
            let gap = position - expected
            let tick = demuxer.stream(stream).pointee.time_base
            let tolerance = max(
                Int64(rate) / 200, 3 * Int64(rate) * Int64(tick.num) / (2 * Int64(max(1, tick.den))))
            if gap > 0, gap > tolerance || !placedAny {
                pending = gap
            } else if gap < 0, -gap > tolerance || !placedAny {
                held = min(-gap, count)
            }
        }
        placedAny = true
    }

    /// Puts down a piece of the silence that is due, or else the frame that is held.
    mutating func placeHeld() throws {
        if pending > 0 {
            let step = min(pending, 16384)
            try silence(step)
            pending -= step
        } else if let skip = held {
            let count = Int64(frame.raw.pointee.nb_samples)
            if skip < count { try convert(frame.raw, from: Int(skip), count: Int(count - skip)) }
            expected += count - skip
            frame.clear()
            held = nil
        }
    }

    /// The frame's place at the input's rate; `nil` where it has no timestamp, or a senseless one.
    private mutating func position(rate: Int64) -> Int64? {
        let pts = frame.raw.pointee.best_effort_timestamp
        guard pts != dub_no_pts() else { return nil }
        let timebase = demuxer.stream(stream).pointee.time_base
        let unit = AVRational(num: 1, den: Int32(rate))
        let (ticks, far) = pts.subtractingReportingOverflow(
            av_rescale_q(demuxer.zero, microseconds, timebase))
        guard !far else { return nil }
        let place = av_rescale_q(ticks, timebase, unit)
        guard place > Int64.min / 4, place < Int64.max / 4 else { return nil }
        let jump = place + shift - expected
        let limit = 10 * rate
        let mayJump = demuxer.context.pointee.iformat.pointee.flags & AVFMT_TS_DISCONT != 0
        let length = demuxer.context.pointee.duration
        let beyond = length > 0 && place + shift > av_rescale_q(length, microseconds, unit) + limit
        if jump < -limit && placedAny || jump > limit && (beyond || mayJump && placedAny) {
            note("jumps by \(Double(jump) / Double(rate)) s: taken as a new clock")
            shift -= jump
        }
        return place + shift
    }

    /// Makes the resampler for this frame's rate, layout and sample format, if it is not the one at work.
    private mutating func adapt() throws {
        let raw = frame.raw
        let sample = AVSampleFormat(raw.pointee.format)
        let rate = raw.pointee.sample_rate
        let layout = ChannelLayout(copying: raw.pointee.ch_layout)
        if resampler?.accepts(sample, rate, layout) == true { return }
        if placedAny {
            try flush()
            expected = (emitted + Int64(output.frames)) * Int64(rate) / Int64(format.sampleRate)
        }
        resampler = try Resampler.make(
            from: Resampler.Side(sample: sample, rate: rate, layout: layout), to: .floats(format))
    }

    /// Gives `count` frames of silence to the resampler.
    private mutating func silence(_ count: Int64) throws {
        let quiet = try Frame()
        let raw = frame.raw
        quiet.raw.pointee.format = raw.pointee.format
        quiet.raw.pointee.sample_rate = raw.pointee.sample_rate
        quiet.raw.pointee.nb_samples = Int32(count)
        av_channel_layout_copy(&quiet.raw.pointee.ch_layout, &raw.pointee.ch_layout)
        let status = av_frame_get_buffer(quiet.raw, 0)
        guard status >= 0 else { throw DubError.noMemory(demuxer.path) }
        av_samples_set_silence(
            quiet.raw.pointee.extended_data, 0, quiet.raw.pointee.nb_samples,
            raw.pointee.ch_layout.nb_channels, AVSampleFormat(raw.pointee.format))
        try convert(quiet.raw.pointee.extended_data, count: Int32(count))
        expected += count
    }

    /// Gives a part of a frame to the resampler.
    private mutating func convert(_ raw: UnsafeMutablePointer<AVFrame>, from first: Int, count: Int) throws {
        guard first > 0 else { return try convert(raw.pointee.extended_data, count: Int32(count)) }
        let sample = AVSampleFormat(raw.pointee.format)
        let channels = Int(raw.pointee.ch_layout.nb_channels)
        let planar = av_sample_fmt_is_planar(sample) != 0
        let offset = first * Int(av_get_bytes_per_sample(sample)) * (planar ? 1 : channels)
        var planes = (0..<(planar ? channels : 1)).map { plane in
            raw.pointee.extended_data[plane].map { $0 + offset }
        }
        try planes.withUnsafeMutableBufferPointer { try convert($0.baseAddress, count: Int32(count)) }
    }

    /// Ends the resampler's input and collects its tail.
    mutating func flush() throws {
        try convert(nil, count: 0)
        resampler = nil
    }

    private mutating func convert(
        _ planes: UnsafeMutablePointer<UnsafeMutablePointer<UInt8>?>?, count: Int32
    ) throws {
        while let room = resampler?.capacity(for: count), room > 0 {
            var target = output.reserve(room)
            let made =
                try resampler?.convert(planes, count: count, into: &target, room: Int32(clamping: room)) ?? 0
            output.add(made)
            // A tail may come in pieces; ordinary input is taken whole, as there was room for all of it.
            if planes != nil || made == 0 { return }
        }
    }
}
