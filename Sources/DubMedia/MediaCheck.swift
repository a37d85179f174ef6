internal import CFFmpeg
internal import DubCore

/// Something that is wrong with a media file.
public struct MediaProblem: Hashable, Sendable, Codable {
    /// How bad it is.
    public enum Severity: String, Sendable, Codable {
        /// Picture or sound is lost, or the file is cut off.
        case damage
        /// The file says something untrue of itself, and all of it is there.
        case oddity
    }

    /// A stable name: `file.truncated`, `packet.corrupt`, `audio.undecodable`, `picture.undecodable`, `stream.short`,
    /// `file.malformed`, `header.overstated`.
    public var code: String
    /// How bad it is.
    public var severity: Severity
    /// What is wrong, as a sentence.
    public var what: String
    /// Where: a stream, a time, a byte.
    public var place: String
}

/// Looks for damage that a player would bridge silently.
public enum MediaCheck {
    /// Reads the whole file once, decodes all its sound, and of its pictures a key frame every 2 s.
    ///
    /// - Returns: what is wrong, damage first; empty for a sound file. A stream that FFmpeg has no decoder for is not
    ///   looked into, and is no problem.
    /// - Throws: `input.missing`, `media.unreadable` where nothing of the file can be read; `CancellationError`.
    public static func check(_ path: String) async throws -> [MediaProblem] {
        try await MediaThread.run { try check(path, cancellation: $0) }
    }

    static func check(_ path: String, cancellation: Cancellation) throws -> [MediaProblem] {
        let demuxer = try Demuxer.open(path, cancellation: cancellation)
        guard demuxer.streamCount > 0 else { throw DubError.unreadable(path, dub_error_invalid_data()) }
        var inspection = Inspection(demuxer)
        inspection.heed(MediaLog.take(), while: "the header was read")
        if demuxer.container.hasPrefix("mov,"), let fault = BoxWalk.overrun(path) { inspection.add(fault) }
        try inspection.run(demuxer)
        inspection.compareLengths(demuxer)
        return inspection.problems.sorted { $0.severity == .damage && $1.severity == .oddity }
    }
}

/// What one pass over a file finds.
private struct Inspection {
    private(set) var problems: [MediaProblem] = []
    private var counts: [String: Int] = [:]
    private var decoders: [Int: CheckedDecoder] = [:]
    private var ends: [Int: Int64] = [:]
    /// Problems of one kind and stream that are listed; the last says how many more there are.
    private static let most = 4

    init(_ demuxer: borrowing Demuxer) {
        for stream in demuxer.streams {
            let index = Int(stream.pointee.index)
            let type = stream.pointee.codecpar.pointee.codec_type
            let cover = stream.pointee.disposition & AV_DISPOSITION_ATTACHED_PIC != 0
            guard !cover, type == AVMEDIA_TYPE_AUDIO || type == AVMEDIA_TYPE_VIDEO else { continue }
            decoders[index] = CheckedDecoder(stream, at: demuxer.path)
        }
    }

    mutating func add(_ problem: MediaProblem) {
        // Many alike say no more than a few.
        let key = problem.code + problem.place.prefix { $0 != "," }
        counts[key, default: 0] += 1
        if counts[key, default: 0] <= Self.most { problems.append(problem) }
    }

    private mutating func add(_ code: String, _ what: String, _ place: String) {
        add(MediaProblem(code: code, severity: .damage, what: what, place: place))
    }

    /// Turns what FFmpeg logged into problems.
    mutating func heed(_ log: [MediaLog.Entry], while doing: String, code: String = "file.malformed") {
        for entry in log {
            let cut = ["ended prematurely", "partial file", "Packet corrupt", "PES packet size mismatch"]
            if let sign = cut.first(where: entry.text.contains) {
                let lost = sign == "Packet corrupt" || sign == "PES packet size mismatch"
                add(
                    lost ? "packet.corrupt" : "file.truncated", "FFmpeg says: \(entry.text).",
                    "while \(doing)")
            } else if entry.level <= AV_LOG_ERROR {
                add(code, "FFmpeg says: \(entry.text).", "while \(doing)")
            }
        }
    }

    mutating func run(_ demuxer: borrowing Demuxer) throws {
        let packet = try Packet()
        let frame = try Frame()
        MediaLog.begin()
        reading: while true {
            try demuxer.cancellation.check()
            do {
                guard try demuxer.read(into: packet) else { break reading }
            } catch let error as DubError {
                add("file.truncated", error.what, "while packets were read")
                break reading
            }
            defer { packet.clear() }
            heed(MediaLog.take(), while: "packets were read")
            let raw = packet.raw.pointee
            let index = Int(raw.stream_index)
            let timebase = demuxer.stream(index).pointee.time_base
            let place = Self.place(index, MediaTime(raw.pts == dub_no_pts() ? raw.dts : raw.pts, timebase))
            if raw.pts != dub_no_pts() {
                ends[index] = max(ends[index] ?? .min, raw.pts + max(0, raw.duration))
            }
            if raw.flags & AV_PKT_FLAG_CORRUPT != 0 {
                add("packet.corrupt", "The container marks a packet as damaged.", place)
            }
            if let fault = decoders[index]?.decode(packet, frame) { tell(fault, index, place) }
            MediaLog.begin()
        }
        heed(MediaLog.take(), while: "packets were read")
        for (index, decoder) in decoders.sorted(by: { $0.key < $1.key }) {
            if let fault = decoder.finish(frame) { tell(fault, index, Self.place(index, nil)) }
        }
    }

    private mutating func tell(_ fault: String, _ index: Int, _ place: String) {
        let audio = decoders[index]?.isAudio == true
        add(
            audio ? "audio.undecodable" : "picture.undecodable",
            "\(audio ? "Sound" : "A key frame") cannot be decoded whole: \(fault).", place)
    }

    private static func place(_ stream: Int, _ time: MediaTime?) -> String {
        guard let time else { return "stream \(stream), at the end" }
        return "stream \(stream), \((time.seconds * 1000).rounded() / 1000) s"
    }

    /// What the header promises against the last packet that came.
    mutating func compareLengths(_ demuxer: borrowing Demuxer) {
        var last: Int64 = .min
        for stream in demuxer.streams {
            let index = Int(stream.pointee.index)
            let timebase = stream.pointee.time_base
            guard let end = ends[index] else { continue }
            last = max(last, av_rescale_q(end, timebase, microseconds))
            let type = stream.pointee.codecpar.pointee.codec_type
            let start = stream.pointee.start_time
            let promised = stream.pointee.duration
            guard type == AVMEDIA_TYPE_AUDIO || type == AVMEDIA_TYPE_VIDEO, promised > 0,
                start != dub_no_pts(),
                demuxer.container.hasPrefix("mov,")
            else { continue }
            let missing = Double(start + promised - end) * Double(timebase.num) / Double(timebase.den)
            if missing > 0.5 {
                add(
                    "stream.short", "The header promises \(Self.seconds(missing)) s more than there is.",
                    Self.place(index, MediaTime(end, timebase)))
            }
        }
        let container = demuxer.context.pointee
        guard container.duration > 0, container.start_time != dub_no_pts(), last != .min,
            container.duration_estimation_method == AVFMT_DURATION_FROM_STREAM
        else { return }
        let missing = Double(container.start_time + container.duration - last) / 1_000_000
        if missing > 1, demuxer.container.hasPrefix("matroska") {
            add(
                "file.truncated", "The header promises \(Self.seconds(missing)) s more than there is.",
                "the end")
        } else if missing > 0.02, demuxer.container.hasPrefix("mov,") {
            add(
                MediaProblem(
                    code: "header.overstated", severity: .oddity,
                    what: "The header promises \(Self.seconds(missing)) s more than any stream has.",
                    place: "moov"))
        }
    }

    private static func seconds(_ value: Double) -> Double { (value * 1000).rounded() / 1000 }
}

/// Decodes a stream to see whether it can be. A class, as noncopyable values cannot be in a dictionary.
private final class CheckedDecoder {
    let isAudio: Bool
    private let decoder: StreamDecoder
    private let interval: Int64
    private var nextPicture = Int64.min
    /// AAC and its kin may complain of the very first packet alone, which is priming.
    private var packets = 0

    init?(_ stream: UnsafeMutablePointer<AVStream>, at path: String) {
        let audio = stream.pointee.codecpar.pointee.codec_type == AVMEDIA_TYPE_AUDIO
        let opened = try? StreamDecoder.open(stream, at: path) { context in
            if !audio { context.pointee.skip_frame = AVDISCARD_NONKEY }
            // Say so instead of painting over it.
            context.pointee.err_recognition |= AV_EF_CRCCHECK
            context.pointee.error_concealment = 0
        }
        guard let opened else { return nil }
        decoder = opened
        isAudio = audio
        interval = av_rescale_q(2_000_000, microseconds, stream.pointee.time_base)
    }

    /// - Returns: what the decoder complained of; `nil` where all is well, or the packet need not be looked at.
    func decode(_ packet: borrowing Packet, _ frame: borrowing Frame) -> String? {
        let raw = packet.raw.pointee
        if !isAudio {
            guard raw.flags & AV_PKT_FLAG_KEY != 0 else { return nil }
            let time = raw.pts == dub_no_pts() ? raw.dts : raw.pts
            guard time == dub_no_pts() || time >= nextPicture else { return nil }
            nextPicture = time == dub_no_pts() ? .min : time.addingReportingOverflow(interval).partialValue
        }
        packets += 1
        return feed(packet.raw, frame)
    }

    /// Empties the decoder.
    func finish(_ frame: borrowing Frame) -> String? { packets > 0 ? feed(nil, frame) : nil }

    private func feed(_ packet: UnsafeMutablePointer<AVPacket>?, _ frame: borrowing Frame) -> String? {
        MediaLog.begin()
        var fault: String?
        let sent = avcodec_send_packet(decoder.context, packet)
        if sent < 0, sent != dub_error_again(), sent != dub_error_eof() { fault = reason(sent) }
        while true {
            let received = avcodec_receive_frame(decoder.context, frame.raw)
            if received == dub_error_again() || received == dub_error_eof() { break }
            guard received >= 0 else {
                fault = fault ?? reason(received)
                break
            }
            if frame.raw.pointee.flags & AV_FRAME_FLAG_CORRUPT != 0
                || frame.raw.pointee.decode_error_flags != 0
            {
                fault = fault ?? "errors in the data were concealed"
            }
            frame.clear()
        }
        if fault == nil, let line = MediaLog.take().first(where: { $0.level <= AV_LOG_ERROR }) {
            fault = line.text
        }
        return fault
    }
}
