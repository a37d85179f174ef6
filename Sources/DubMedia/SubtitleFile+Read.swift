internal import CFFmpeg
internal import DubCore
internal import Foundation

extension SubtitleFile {
    /// Reads the cues of a subtitle file, markup taken out; the format is told by the content.
    ///
    /// - Returns: in order of start; cues without text or length are left out.
    /// - Throws: `input.missing`, `media.unreadable`; `media.no-stream` where the file holds no text subtitles.
    public static func read(_ path: String) throws -> [Cue] {
        let demuxer = try Demuxer.open(path, cancellation: Cancellation())
        guard
            let stream = demuxer.streams.first(where: {
                [AV_CODEC_ID_SUBRIP, AV_CODEC_ID_WEBVTT, AV_CODEC_ID_TEXT].contains(
                    $0.pointee.codecpar.pointee.codec_id)
            })
        else {
            throw DubError(
                .mediaNoStream, "The file holds no text subtitles.", at: path, fix: "Use an .srt or .vtt file.")
        }
        let timebase = Rational(stream.pointee.time_base.num, max(1, stream.pointee.time_base.den))
        let packet = try Packet()
        var cues: [Cue] = []
        while try demuxer.read(into: packet) {
            defer { packet.clear() }
            let raw = packet.raw.pointee
            guard raw.stream_index == stream.pointee.index, let data = raw.data, raw.size > 0, raw.duration > 0,
                raw.pts != dub_no_pts()
            else { continue }
            let text = plain(
                String(decoding: UnsafeBufferPointer(start: data, count: Int(raw.size)), as: UTF8.self))
            guard !text.isEmpty else { continue }
            cues.append(
                Cue(
                    start: MediaTime(ticks: raw.pts, timebase: timebase),
                    end: MediaTime(ticks: raw.pts + raw.duration, timebase: timebase), text: text))
        }
        return cues.sorted { $0.start < $1.start }
    }

    /// Without tags (`<i>`, `<v Anna>`), ASS overrides (`{\an8}`) and the entities that WebVTT needs.
    static func plain(_ text: String) -> String {
        var plain = text.replacing(/<[^<>]*>/, with: "").replacing(/\{\\[^{}]*\}/, with: "")
        for (entity, character) in [
            ("&lt;", "<"), ("&gt;", ">"), ("&nbsp;", " "), ("&lrm;", ""), ("&rlm;", ""), ("&amp;", "&"),
        ] {
            plain = plain.replacingOccurrences(of: entity, with: character)
        }
        return plain.trimmingCharacters(in: .whitespacesAndNewlines)
    }
}
