internal import CFFmpeg
public import DubCore

#if canImport(Glibc)
    internal import Glibc
#endif

/// Writes an added subtitle track piece by piece.
struct CueFeed {
    let stream: Int
    private let codec: AVCodecID
    private let cues: [Cue]
    private let sink: Muxer.Sink
    private let offset: Int64
    private var next = 0

    /// Seconds per tick that cues are written in.
    static let unit = AVRational(num: 1, den: 1000)

    /// - Parameter offset: what is added to a cue's time to be on the output's clock, in microseconds.
    init(stream: Int, codec: AVCodecID, cues: [Cue], end: MediaTime?, sink: Muxer.Sink, offset: Int64) {
        self.stream = stream
        self.codec = codec
        self.sink = sink
        self.offset = offset
        self.cues = Self.ordered(cues, end: end, apart: codec == AV_CODEC_ID_MOV_TEXT)
    }

    /// Whether there is nothing to write.
    var isEmpty: Bool { cues.isEmpty }

    /// Cues by start, without empty ones, cut at `end`; where tracks cannot show two at once, each is cut at the next.
    static func ordered(_ cues: [Cue], end: MediaTime?, apart: Bool) -> [Cue] {
        var kept: [Cue] = []
        for cue in cues.sorted(by: { ($0.start, $0.end) < ($1.start, $1.end) }) {
            var cue = cue
            if let end { cue.end = min(cue.end, end) }
            cue.text = lines(cue.text)
            guard cue.start >= .zero, cue.start < cue.end, !cue.text.isEmpty else { continue }
            if apart, let last = kept.last, last.end > cue.start {
                kept[kept.count - 1].end = cue.start
                if last.start >= cue.start { kept.removeLast() }
            }
            kept.append(cue)
        }
        return kept
    }

    /// The text without empty lines, which would end a cue in SRT and WebVTT.
    private static func lines(_ text: String) -> String {
        text.split(whereSeparator: \.isNewline).map { line in
            var line = line
            while line.last?.isWhitespace == true { line.removeLast() }
            while line.first?.isWhitespace == true { line.removeFirst() }
            return String(line)
        }.filter { !$0.isEmpty }.joined(separator: "\n")
    }

    /// Writes the cues that start up to `clock`, in microseconds of the item's timeline; `nil` writes all.
    mutating func advance(to clock: Int64?) throws {
        while next < cues.count {
            let cue = cues[next]
            let start = Int64((cue.start.seconds * 1_000_000).rounded())
            if let clock, start > clock { return }
            try write(cue, start: start)
            next += 1
        }
    }

    private func write(_ cue: Cue, start: Int64) throws {
        let packet = try Packet()
        let payload = Self.payload(cue.text, codec)
        let status = av_new_packet(packet.raw, Int32(payload.count))
        guard status >= 0, let data = packet.raw.pointee.data else { throw DubError.noMemory(sink.path) }
        data.update(from: payload, count: payload.count)
        let begin = av_rescale_q(start + offset, microseconds, Self.unit)
        let end = av_rescale_q(
            Int64((cue.end.seconds * 1_000_000).rounded()) + offset, microseconds, Self.unit)
        packet.raw.pointee.pts = begin
        packet.raw.pointee.dts = begin
        packet.raw.pointee.duration = max(1, end - begin)
        packet.raw.pointee.flags |= AV_PKT_FLAG_KEY
        try sink.write(packet, from: Self.unit, to: stream)
    }

    /// The text as packets of this codec hold it.
    private static func payload(_ text: String, _ codec: AVCodecID) -> [UInt8] {
        switch codec {
        case AV_CODEC_ID_MOV_TEXT:
            // 3GPP TS 26.245: the length in bytes, big-endian, then UTF-8.
            var bytes = Array(text.utf8)
            if bytes.count > 0xFFFF {
                bytes.removeLast(bytes.count - 0xFFFF)
                while let last = bytes.last, last & 0xC0 == 0x80 { bytes.removeLast() }
                if let last = bytes.last, last & 0x80 != 0 { bytes.removeLast() }
            }
            return [UInt8(bytes.count >> 8), UInt8(bytes.count & 0xFF)] + bytes
        case AV_CODEC_ID_WEBVTT:
            // W3C WebVTT 4.2.2: text escapes these three.
            return Array(
                text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
                    .utf8)
        case AV_CODEC_ID_TTML:
            // What goes into a `p`: character data and line breaks (W3C TTML2, 8.1.5 and 8.1.7).
            return Array(
                text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
                    .replacing("\n", with: "<br/>").utf8)
        default:
            return Array(text.utf8)
        }
    }

    /// Sets up a muxer's stream for cues of this codec.
    static func describe(_ stream: UnsafeMutablePointer<AVStream>, codec: AVCodecID) throws {
        stream.pointee.codecpar.pointee.codec_type = AVMEDIA_TYPE_SUBTITLE
        stream.pointee.codecpar.pointee.codec_id = codec
        stream.pointee.time_base = unit
        let header: [UInt8]
        switch codec {
        case AV_CODEC_ID_MOV_TEXT: header = textSampleEntry
        // Tells FFmpeg's muxer that packets are paragraphs and not whole documents.
        case AV_CODEC_ID_TTML: header = Array("lavc-ttmlenc".utf8)
        default: return
        }
        guard let room = av_mallocz(header.count + Int(AV_INPUT_BUFFER_PADDING_SIZE)) else {
            throw DubError.noMemory("subtitles")
        }
        let bytes = room.assumingMemoryBound(to: UInt8.self)
        bytes.update(from: header, count: header.count)
        stream.pointee.codecpar.pointee.extradata = bytes
        stream.pointee.codecpar.pointee.extradata_size = Int32(header.count)
    }

    /// The tail of a `tx3g` sample entry (3GPP TS 26.245, 5.16): bottom centre, white, one sans-serif font of 18.
    private static let textSampleEntry: [UInt8] = [
        0, 0, 0, 0,  // display flags
        1, 0xFF,  // centred, at the bottom
        0, 0, 0, 0,  // transparent background
        0, 0, 0, 0, 0, 0, 0, 0,  // text box: the whole track
        0, 0, 0, 0, 0, 1, 0, 18, 0xFF, 0xFF, 0xFF, 0xFF,  // all characters: font 1, size 18, white, opaque
        0, 0, 0, 18, 0x66, 0x74, 0x61, 0x62,  // 'ftab', 18 bytes
        0, 1, 0, 1, 5, 0x53, 0x65, 0x72, 0x69, 0x66,  // one font: 1, "Serif"
    ]
}

/// Subtitle files that stand beside the video.
public enum SubtitleFile {
    /// The kinds that are written.
    public enum Format: String, Sendable, Codable, Hashable, CaseIterable {
        /// SubRip.
        case srt
        /// WebVTT.
        case vtt
        /// W3C Timed Text, as broadcasters take it.
        case ttml

        /// Codec and muxer.
        fileprivate var writer: (codec: AVCodecID, muxer: String) {
            switch self {
            case .srt: (AV_CODEC_ID_SUBRIP, "srt")
            case .vtt: (AV_CODEC_ID_WEBVTT, "webvtt")
            case .ttml: (AV_CODEC_ID_TTML, "ttml")
            }
        }
    }

    /// Writes cues with FFmpeg's muxers: under a temporary name, then under the final one.
    ///
    /// - Parameters:
    ///   - cues: in any order; empty ones are left out.
    ///   - language: noted in TTML; the other two cannot say it, so the name should.
    /// - Throws: `output.unwritable`, `media.failed`.
    public static func write(
        _ cues: [Cue], to path: String, format: Format, language: Language? = nil
    ) throws {
        let (codec, name) = format.writer
        var muxer = try Muxer.create(path, format: name, cancellation: Cancellation())
        let stream = try muxer.addStream()
        try CueFeed.describe(stream, codec: codec)
        if let language {
            // TTML's `xml:lang` is a BCP 47 tag.
            let name = format == .ttml ? language.tag : language.container
            av_dict_set(&stream.pointee.metadata, "language", name, 0)
        }
        try muxer.writeHeader()
        var feed = CueFeed(stream: 0, codec: codec, cues: cues, end: nil, sink: muxer.sink, offset: 0)
        try feed.advance(to: nil)
        try muxer.commit()
    }
}
