internal import CFFmpeg
internal import DubCore

/// Encodes a new track piece by piece, so that it runs beside the packets that are copied.
///
/// The track begins where its guide, a stream of the source, begins. Codecs that start with priming put it there: in front
/// of zero where the container can say so (MP4's edit list), else in place of the first milliseconds, so that every
/// later sample lies where it should.
struct DubFeed: ~Copyable {
    let stream: Int
    /// The source's stream that it begins, runs and ends with.
    let guide: Int?
    private var sound: LevelledAudio
    private var encoder: StreamEncoder
    private let sink: Muxer.Sink
    private let rate: Int64
    private let channels: Int
    /// Zero of the timeline on the source's clock, in the file's frames.
    private let zero: Int64
    /// What is added to the encoder's timestamps, in its time base, to be on the output's clock.
    private let offset: Int64
    /// The place on the timeline of the next frame to be encoded, at the file's rate.
    private var position: Int64
    private var block: [Float] = []
    private var blockStart: Int64 = 0
    private var soundEnded = false
    /// Whether the track ends with its sound, whatever the guide's last packets hold of padding.
    private let endsWithSound: Bool

    /// - Parameters:
    ///   - endsWithSound: whether it is not silent from the sound's end to the guide's.
    ///   - start: first timestamp of the guide, in microseconds of the source's clock.
    ///   - zero: zero of the timeline, likewise.
    ///   - shift: what is added to the source's clock in the output.
    init(
        stream: Int, guide: Int?, _ sound: consuming LevelledAudio, _ encoder: consuming StreamEncoder,
        endsWithSound: Bool, sink: Muxer.Sink, start: Int64, zero: Int64, shift: Int64
    ) {
        let codecUnit = AVRational(num: 1, den: Int32(encoder.sampleRate))
        let fileUnit = AVRational(num: 1, den: Int32(sound.format.sampleRate))
        // A stream that starts before zero has its priming there: so has the dub, however long its own is.
        let content =
            start < zero
            ? av_rescale_q(zero, microseconds, codecUnit)
            : av_rescale_q(start, microseconds, codecUnit) + encoder.priming
        self.stream = stream
        self.guide = guide
        self.endsWithSound = endsWithSound
        self.sink = sink
        self.zero = av_rescale_q(zero, microseconds, fileUnit)
        offset = content + av_rescale_q(shift, microseconds, codecUnit)
        position = av_rescale_q(content, codecUnit, fileUnit) - self.zero
        rate = Int64(sound.format.sampleRate)
        channels = sound.channels
        self.sound = sound
        self.encoder = encoder
    }

    /// What Matroska adds to the times of an Opus stream's blocks, in the stream's time base: the pre-skip of its
    /// header (RFC 7845, 5.1); `nil` for other codecs.
    static func opusDelay(_ stream: UnsafeMutablePointer<AVStream>) -> Int64? {
        let parameters = stream.pointee.codecpar.pointee
        guard parameters.codec_id == AV_CODEC_ID_OPUS, parameters.extradata_size >= 12,
            let head = parameters.extradata
        else { return nil }
        let skip = Int64(head[10]) | Int64(head[11]) << 8
        return av_rescale_q(skip, AVRational(num: 1, den: 48000), stream.pointee.time_base)
    }

    /// Encodes up to `clock`, in microseconds of the source's clock. Beyond the sound's end it is silent, or ends.
    mutating func advance(to clock: Int64) throws {
        let limit = av_rescale_q(clock, microseconds, AVRational(num: 1, den: Int32(rate))) - zero
        while position < limit {
            let blockEnd = blockStart + Int64(block.count / channels)
            if position >= blockEnd, !soundEnded {
                guard let next = try sound.next() else {
                    soundEnded = true
                    continue
                }
                block = next.samples
                blockStart = next.start
            } else if position >= blockEnd, endsWithSound {
                return
            } else if position < blockStart || position >= blockEnd {
                let quiet = min(
                    position < blockStart ? blockStart - position : limit - position, limit - position, 8192)
                try encode([Float](repeating: 0, count: Int(quiet) * channels), 0, Int(quiet))
            } else {
                let count = min(limit, blockEnd) - position
                try encode(block, Int(position - blockStart), Int(count))
            }
        }
    }

    private mutating func encode(_ samples: [Float], _ first: Int, _ count: Int) throws {
        let (sink, stream, offset) = (sink, stream, offset)
        let timebase = encoder.context.pointee.time_base
        try samples.withUnsafeBufferPointer { all in
            let part = UnsafeBufferPointer(rebasing: all[(first * channels)..<((first + count) * channels)])
            try encoder.write(part) { try Self.send($0, offset, timebase, stream, sink) }
        }
        position += Int64(count)
    }

    /// Encodes up to `clock` and ends the track.
    mutating func finish(at clock: Int64) throws {
        try advance(to: clock)
        let (sink, stream, offset) = (sink, stream, offset)
        let timebase = encoder.context.pointee.time_base
        try encoder.finish { try Self.send($0, offset, timebase, stream, sink) }
    }

    private static func send(
        _ packet: borrowing Packet, _ offset: Int64, _ timebase: AVRational, _ stream: Int, _ sink: Muxer.Sink
    ) throws {
        packet.raw.pointee.pts += offset
        packet.raw.pointee.dts += offset
        if sink.isMatroska, let target = sink.context.pointee.streams[stream], let delay = opusDelay(target) {
            let moved = av_rescale_q(delay, target.pointee.time_base, timebase)
            packet.raw.pointee.pts += moved
            packet.raw.pointee.dts += moved
        }
        try sink.write(packet, from: timebase, to: stream)
    }
}
