internal import CFFmpeg
internal import DubCore

/// What a file holds, and what its packets are.
public enum Media {
    /// Reads what a file holds: its header and its first packets.
    ///
    /// - Throws: `input.missing` for no file, a directory, no permission or no bytes; `media.unreadable` for a file
    ///   in no known container or without any stream; `CancellationError`. A damaged file is not an error here as
    ///   long as its header can be read: see `MediaCheck`.
    public static func probe(_ path: String) async throws -> MediaInfo {
        try await MediaThread.run { cancellation in
            let demuxer = try Demuxer.open(path, cancellation: cancellation)
            return try demuxer.describe()
        }
    }
}

let microseconds = AVRational(num: 1, den: 1_000_000)

extension MediaTime {
    /// FFmpeg's timestamp as a value; `nil` for `AV_NOPTS_VALUE`.
    init?(_ ticks: Int64, _ timebase: AVRational) {
        guard ticks != dub_no_pts(), timebase.num > 0, timebase.den > 0 else { return nil }
        self.init(ticks: ticks, timebase: Rational(timebase.num, timebase.den))
    }
}

/// The dictionary's entries, by key.
func entries(_ dictionary: OpaquePointer?) -> [String: String] {
    var found: [String: String] = [:]
    var entry: UnsafeMutablePointer<AVDictionaryEntry>?
    while let next = av_dict_get(dictionary, "", entry, AV_DICT_IGNORE_SUFFIX) {
        found[String(cString: next.pointee.key)] = String(cString: next.pointee.value)
        entry = next
    }
    return found
}

extension Demuxer {
    /// - Throws: `media.unreadable` without any stream.
    func describe() throws -> MediaInfo {
        guard streamCount > 0 else { throw DubError.unreadable(path, dub_error_invalid_data()) }
        let format = context.pointee
        let streams = streams.map { Self.describe($0) }
        let metadata = entries(format.metadata)
        let timecode =
            metadata["timecode"]
            ?? self.streams.lazy.compactMap {
                entries($0.pointee.metadata).first { $0.key.lowercased() == "timecode" }
            }
            .first?.value
        return MediaInfo(
            path: path, container: container, start: MediaTime(zero, microseconds) ?? .zero,
            duration: format.duration > 0 ? MediaTime(format.duration, microseconds) : nil,
            size: max(0, avio_size(format.pb)), bitRate: format.bit_rate > 0 ? format.bit_rate : nil,
            metadata: metadata, timecode: timecode, chapters: chapters, streams: streams)
    }

    private var chapters: [Chapter] {
        (0..<Int(context.pointee.nb_chapters)).compactMap { index in
            guard let chapter = context.pointee.chapters[index]?.pointee,
                let start = MediaTime(chapter.start, chapter.time_base),
                let end = MediaTime(chapter.end, chapter.time_base)
            else { return nil }
            return Chapter(start: start, end: end, title: entries(chapter.metadata)["title"] ?? "")
        }
    }

    private static func describe(_ stream: UnsafeMutablePointer<AVStream>) -> StreamInfo {
        let parameters = stream.pointee.codecpar.pointee
        let tags = entries(stream.pointee.metadata)
        let kind = StreamKind(parameters.codec_type)
        let timebase = stream.pointee.time_base
        let codec =
            parameters.codec_id == AV_CODEC_ID_NONE
            ? "unknown" : String(cString: avcodec_get_name(parameters.codec_id))
        return StreamInfo(
            index: Int(stream.pointee.index), kind: kind, codec: codec,
            profile: avcodec_profile_name(parameters.codec_id, parameters.profile).map {
                String(cString: $0)
            },
            language: tags["language"].flatMap { try? Language($0) }, languageTag: tags["language"],
            title: tags["title"], dispositions: dispositionNames(stream.pointee.disposition),
            start: MediaTime(stream.pointee.start_time, timebase),
            duration: stream.pointee.duration > 0 ? MediaTime(stream.pointee.duration, timebase) : nil,
            timebase: Rational(timebase.num, max(1, timebase.den)),
            frames: stream.pointee.nb_frames > 0 ? stream.pointee.nb_frames : nil,
            video: kind == .video ? video(stream) : nil, audio: kind == .audio ? audio(parameters) : nil)
    }

    private static func video(_ stream: UnsafeMutablePointer<AVStream>) -> VideoInfo {
        let parameters = stream.pointee.codecpar.pointee
        let rate = stream.pointee.avg_frame_rate
        return VideoInfo(
            width: Int(parameters.width), height: Int(parameters.height),
            pixelFormat: av_get_pix_fmt_name(AVPixelFormat(parameters.format)).map { String(cString: $0) },
            frameRate: rate.num > 0 && rate.den > 0 ? Rational(rate.num, rate.den) : nil,
            rotation: rotation(stream),
            isAttachedPicture: stream.pointee.disposition & AV_DISPOSITION_ATTACHED_PIC != 0)
    }

    private static func rotation(_ stream: UnsafeMutablePointer<AVStream>) -> Int {
        guard let matrix = av_stream_get_side_data(stream, AV_PKT_DATA_DISPLAYMATRIX, nil) else { return 0 }
        let degrees = matrix.withMemoryRebound(to: Int32.self, capacity: 9) { av_display_rotation_get($0) }
        guard degrees.isFinite else { return 0 }
        return (Int(degrees.rounded()) % 360 + 360) % 360
    }

    private static func audio(_ parameters: AVCodecParameters) -> AudioInfo {
        let layout = ChannelLayout(copying: parameters.ch_layout)
        let bits = max(parameters.bits_per_raw_sample, parameters.bits_per_coded_sample)
        return AudioInfo(
            sampleRate: Int(parameters.sample_rate), channels: layout.count, layout: layout.name,
            bitRate: parameters.bit_rate > 0 ? parameters.bit_rate : nil,
            bitsPerSample: bits > 0 ? Int(bits) : nil)
    }
}

extension StreamKind {
    init(_ type: AVMediaType) {
        self =
            switch type {
            case AVMEDIA_TYPE_VIDEO: .video
            case AVMEDIA_TYPE_AUDIO: .audio
            case AVMEDIA_TYPE_SUBTITLE: .subtitle
            case AVMEDIA_TYPE_ATTACHMENT: .attachment
            default: .data
            }
    }
}

/// FFmpeg's names of the flags that are up.
func dispositionNames(_ flags: Int32) -> [String] {
    (0..<31).compactMap { bit in
        let flag = Int32(1) << bit
        guard flags & flag != 0, let name = av_disposition_to_string(flag) else { return nil }
        return String(cString: name)
    }
}

/// The flags of these names; unknown names are our own bug and count for nothing.
func dispositionFlags(_ names: [String]) -> Int32 {
    names.reduce(0) { flags, name in
        let flag = av_disposition_from_string(name)
        return flag > 0 ? flags | flag : flags
    }
}
