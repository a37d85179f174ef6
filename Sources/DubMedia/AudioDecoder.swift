internal import CFFmpeg
internal import DubCore

/// Decodes one audio stream to Float32 on the item's timeline, in constant memory.
///
/// Zero of that timeline is the container's start time. Sample frames lie where the timestamps say: priming and edit
/// lists are cut off, a late start and gaps of more than 5 ms are filled with silence, overlaps are cut. Smaller
/// differences are rounding of the container's clock and are ignored. A jump of more than 10 s in a container whose
/// clock may jump (MPEG-TS, MPEG-PS, …), or backwards in any, is a new clock and not a gap: the sound goes on.
///
/// Not `Sendable`: it stays in the closure of one `MediaThread.run`.
public struct AudioDecoder: ~Copyable {
    /// The shape of the blocks.
    public let format: AudioFormat
    /// The index of the stream that is decoded.
    public let stream: Int
    /// Frames at `format`'s rate that the header promises: for progress, not for arithmetic.
    public let durationFrames: Int64?
    /// How often the demuxer or the decoder complained: lost or damaged packets, jumps of the clock.
    public private(set) var problemCount = 0
    /// The first 16 complaints, with their times.
    public private(set) var problems: [String] = []

    let demuxer: Demuxer
    private let decoder: StreamDecoder
    private let packet: Packet
    let frame: Frame
    var resampler: Resampler?
    var output: FloatBuffer
    /// The place of the next input frame, at the input's rate.
    var expected: Int64 = 0
    /// What is added to the places that timestamps give, after jumps of the clock.
    var shift: Int64 = 0
    var emitted: Int64 = 0
    var placedAny = false
    /// Silence that is still to be put before the frame that is held.
    var pending: Int64 = 0
    /// Frames to cut from the head of the frame that is held; `nil` while none is.
    var held: Int64?
    private var state = State.reading

    private enum State { case reading, draining, ended }

    /// The fewest frames a block has, but for the last.
    static let blockFrames = 8192

    private init(
        _ demuxer: consuming Demuxer, _ decoder: consuming StreamDecoder, _ packet: consuming Packet,
        _ frame: consuming Frame, stream: Int, format: AudioFormat, channels: Int, durationFrames: Int64?
    ) {
        self.packet = packet
        self.frame = frame
        output = FloatBuffer(channels: channels, frames: Self.blockFrames * 2)
        self.demuxer = demuxer
        self.decoder = decoder
        self.stream = stream
        self.format = format
        self.durationFrames = durationFrames
    }

    /// Opens a file's audio stream.
    ///
    /// - Parameters:
    ///   - stream: its index in the file; `nil` for the stream flagged `default`, else the first audio stream.
    ///   - format: the rate and layout to convert to.
    /// - Throws: `input.missing`, `media.unreadable`; `media.no-stream` where there is no such audio stream;
    ///   `media.unsupported` for a codec without a decoder; `CancellationError`.
    public static func open(
        _ path: String, stream: Int? = nil, as format: AudioFormat, cancellation: Cancellation
    ) throws -> AudioDecoder {
        try open(path, stream: stream, optionalFormat: format, cancellation: cancellation)
    }

    /// As above; `nil` keeps the stream's own rate and layout.
    static func open(
        _ path: String, stream: Int?, optionalFormat: AudioFormat?, cancellation: Cancellation
    ) throws -> AudioDecoder {
        let channels = try optionalFormat?.checked().count
        let demuxer = try Demuxer.open(path, cancellation: cancellation)
        let audio = demuxer.streams.filter { $0.pointee.codecpar.pointee.codec_type == AVMEDIA_TYPE_AUDIO }
        let chosen =
            if let stream { audio.first { Int($0.pointee.index) == stream } } else {
                audio.first { $0.pointee.disposition & AV_DISPOSITION_DEFAULT != 0 } ?? audio.first
            }
        guard let chosen else {
            throw DubError(
                .mediaNoStream,
                stream.map { "Stream \($0) is not an audio stream of this file." }
                    ?? "The file has no audio stream.",
                at: path, fix: "Choose a file with sound; `dubmill inspect` shows what a file holds.")
        }
        let index = Int(chosen.pointee.index)
        let decoder = try StreamDecoder.open(chosen, at: path)
        demuxer.keepOnly([index])
        let own = chosen.pointee.codecpar.pointee
        let format =
            optionalFormat
            ?? AudioFormat(
                sampleRate: Int(own.sample_rate), layout: ChannelLayout(copying: own.ch_layout).name)
        let width = try channels ?? format.checked().count
        let length =
            chosen.pointee.duration > 0
            ? MediaTime(chosen.pointee.duration, chosen.pointee.time_base)
            : MediaTime(max(0, demuxer.context.pointee.duration), microseconds)
        return AudioDecoder(
            demuxer, decoder, try Packet(), try Frame(), stream: index, format: format, channels: width,
            durationFrames: length?.samples(at: format.sampleRate))
    }

    /// The next block; each starts where the one before ended, the first at 0.
    ///
    /// - Returns: at least 8192 frames, fewer at the end; `nil` after the end.
    /// - Throws: `media.unreadable` where the demuxer gives up; `media.failed`; `CancellationError`. A damaged packet
    ///   is not an error: it is noted in `problems`, and its place is silent.
    public mutating func next() throws -> AudioBlock? {
        MediaLog.begin()
        while output.frames < Self.blockFrames, state != .ended {
            try demuxer.cancellation.check()
            try step()
        }
        guard output.frames > 0 else { return nil }
        let block = AudioBlock(start: emitted, frames: output.frames, samples: output.take())
        emitted += Int64(block.frames)
        return block
    }

    private mutating func step() throws {
        if held != nil { return try placeHeld() }
        let received = avcodec_receive_frame(decoder.context, frame.raw)
        if received >= 0 {
            try hold()
        } else if received == dub_error_eof() {
            try flush()
            state = .ended
        } else if received != dub_error_again() {
            note("cannot be decoded: \(reason(received))")
        } else {
            try feed()
        }
    }

    /// Hands the decoder one packet of this stream, or the end.
    private mutating func feed() throws {
        guard state == .reading, try demuxer.read(into: packet) else {
            if state == .reading { avcodec_send_packet(decoder.context, nil) }
            state = .draining
            return
        }
        defer { packet.clear() }
        guard Int(packet.raw.pointee.stream_index) == stream else { return }
        if packet.raw.pointee.flags & AV_PKT_FLAG_CORRUPT != 0 { note("is damaged") }
        let sent = avcodec_send_packet(decoder.context, packet.raw)
        if sent < 0, sent != dub_error_again(), sent != dub_error_eof() {
            if sent == dub_error_errno(12) { throw DubError.noMemory(demuxer.path) }
            note("cannot be decoded: \(reason(sent))")
        }
    }

    mutating func note(_ what: String) {
        problemCount += 1
        guard problems.count < 16 else { return }
        let seconds = MediaTime(packet.raw.pointee.pts, demuxer.stream(stream).pointee.time_base)?.seconds
        let place = seconds.map { "the packet at \(($0 * 1000).rounded() / 1000) s" } ?? "a packet"
        problems.append("audio stream \(stream): \(place) \(what)")
    }
}
