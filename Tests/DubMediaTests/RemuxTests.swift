import DubCore
import DubMedia
import Foundation
import FoundationXML
import Testing

@Suite("remuxing", .needsFFmpeg)
struct RemuxTests {
    /// A source clip of 3 s, and what is expected of its dub.
    struct Clip: Sendable, CustomTestStringConvertible {
        var suffix: String
        var video: [String]
        var audio: [String]
        var container: String
        var codec: String
        var extra: [String] = []
        var testDescription: String { suffix + " " + (audio.last ?? "") }
    }

    static let clips = [
        Clip(suffix: "mp4", video: ["libx264"], audio: ["aac"], container: "mp4", codec: "aac"),
        Clip(suffix: "m4v", video: ["libx264"], audio: ["ac3"], container: "mp4", codec: "ac3"),
        Clip(suffix: "mov", video: ["libx264"], audio: ["pcm_s24le"], container: "mov", codec: "pcm_s24le"),
        Clip(suffix: "mkv", video: ["libx264"], audio: ["eac3"], container: "matroska", codec: "eac3"),
        Clip(suffix: "mkv", video: ["mpeg4"], audio: ["flac"], container: "matroska", codec: "flac"),
        Clip(
            suffix: "webm", video: ["libvpx", "-b:v", "100k"], audio: ["libopus"], container: "webm",
            codec: "opus"),
        Clip(suffix: "ts", video: ["libx264"], audio: ["aac"], container: "mpegts", codec: "aac"),
        Clip(
            suffix: "ts", video: ["libx264"], audio: ["ac3"], container: "mpegts", codec: "ac3",
            extra: ["-output_ts_offset", "3600"]),
        Clip(
            suffix: "avi", video: ["mpeg4", "-bf", "0"], audio: ["libmp3lame"], container: "matroska",
            codec: "mp3"),
        Clip(suffix: "flv", video: ["libx264"], audio: ["aac"], container: "matroska", codec: "aac"),
        Clip(suffix: "mpg", video: ["mpeg1video"], audio: ["mp2"], container: "matroska", codec: "aac"),
        Clip(
            suffix: "mp4", video: ["libx264"], audio: ["aac"], container: "mp4", codec: "aac",
            extra: ["-itsoffset-audio"]),
    ]

    private func source(_ clip: Clip, _ scratch: Scratch) throws -> String {
        let late = clip.extra.contains("-itsoffset-audio") ? ["-itsoffset", "0.75"] : []
        let extra = clip.extra.filter { $0 != "-itsoffset-audio" }
        return try scratch.ffmpeg(
            ["-f", "lavfi", "-i", "testsrc2=s=96x64:r=25:d=3"] + late + [
                "-f", "lavfi", "-i", "sine=300:d=3:r=48000",
            ]
                + ["-map", "0:v", "-map", "1:a", "-c:v"] + clip.video + ["-c:a"] + clip.audio + extra,
            to: "source." + clip.suffix)
    }

    private func dub(_ scratch: Scratch, seconds: Double = 4) throws -> (path: String, samples: [Float]) {
        let samples = Signal.noise(Int(seconds * 48000))
        try AudioFile.write(samples, to: scratch.path("dub.flac"), codec: .flac, format: mono48)
        return (scratch.path("dub.flac"), samples)
    }

    @Test("every original packet stays, and the dub lies where it should", arguments: clips)
    func keepsAndAdds(clip: Clip) async throws {
        try await withScratch { scratch in
            let source = try source(clip, scratch)
            let dub = try dub(scratch)
            let report = try await Remuxer.run(
                RemuxRequest(
                    source: source, outputStem: scratch.path("out put"),
                    audio: [AddedAudio(path: dub.path, language: try Language("es"), title: "Español")],
                    subtitles: [
                        AddedSubtitle(
                            cues: [
                                Cue(
                                    start: MediaTime(seconds: 0.5), end: MediaTime(seconds: 1),
                                    text: "Hola.\n\n¿Qué?")
                            ], language: try Language("es"))
                    ]))
            #expect(report.container == clip.container)
            #expect((report.reason != nil) == (clip.container == "matroska" && clip.suffix != "mkv"))
            let before = try await Media.packetDigests(source, kinds: [.video, .audio])
            let after = try await Media.packetDigests(report.path, kinds: [.video, .audio])
            #expect(after.count == before.count + 1)
            for (old, new) in zip(before, after) {
                #expect(new.digest == old.digest, "stream \(old.stream)")
                #expect(new.packets == old.packets)
                // Matroska stores no decoding times, and FFmpeg's guess of MPEG-1's is off by one.
                if clip.suffix != "mpg" { #expect(new.disorders == old.disorders) }
            }
            let added = try #require(after.last)
            #expect(added.stream == report.added.first?.index)
            #expect(added.disorders == 0)
            func offset(_ digests: [PacketDigest], _ audio: Int) throws -> Double {
                try max(0, #require(digests[audio].firstPTS).seconds)
                    - max(0, #require(digests[0].firstPTS).seconds)
            }
            let offsetBefore = try offset(before, 1)
            let offsetCopied = try offset(after, 1)
            let offsetAdded = try offset(after, 2)
            #expect(abs(offsetCopied - offsetBefore) <= 0.001)
            #expect(abs(offsetAdded - offsetBefore) <= 0.001)
            let infoBefore = try await Media.probe(source)
            let info = try await Media.probe(report.path)
            let length = try #require(info.duration).seconds - #require(infoBefore.duration).seconds
            #expect(abs(length) <= 0.1)
            let track = info.streams[added.stream]
            #expect(track.codec == clip.codec)
            #expect(track.language?.tag == "es")
            if clip.container != "mpegts" {
                #expect(info.dialogueStream?.index == added.stream)
                #expect(!info.streams[1].dispositions.contains("default"))
                let text = try #require(info.streams.last)
                #expect(text.kind == .subtitle)
                #expect(text.language?.tag == "es")
                #expect(report.dropped.isEmpty)
            } else {
                #expect(report.dropped.count == 1)
            }
            let heard = try AudioFile.readAll(report.path, stream: added.stream, as: mono48)
            let lag = try #require(Signal.lag(heard, behind: dub.samples, within: 600))
            #expect(abs(lag) <= (clip.container == "matroska" || clip.container == "webm" ? 48 : 1))
            #expect(!scratch.names.contains { $0.hasSuffix(".part") })
        }
    }

    @Test("rotation, chapters, tags, time code and the cover are kept")
    func keepsTheRest() async throws {
        try await withScratch { scratch in
            let chapters =
                ";FFMETADATA1\ntitle=A film\nartist=Someone\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=1500\ntitle=One\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=1500\nEND=3000\ntitle=Two\n"
            try Data(chapters.utf8).write(to: URL(fileURLWithPath: scratch.path("m.txt")))
            let plain = try scratch.ffmpeg(
                [
                    "-f", "lavfi", "-i", "testsrc2=s=96x64:r=25:d=3", "-f", "lavfi", "-i", "sine=d=3", "-i",
                    scratch.path("m.txt"), "-map", "0:v", "-map", "1:a", "-map_metadata", "2",
                    "-map_chapters", "2",
                    "-c:v", "libx264", "-c:a", "aac", "-timecode", "01:02:03:04",
                ], to: "plain.mov")
            let source = try scratch.ffmpeg(
                ["-i", plain, "-map", "0", "-map", "-0:d", "-c", "copy", "-metadata:s:v:0", "rotate=90"],
                to: "source.mov")
            let before = try await Media.probe(source)
            try #require(before.chapters.count == 2)
            let report = try await Remuxer.run(
                RemuxRequest(
                    source: source, outputStem: scratch.path("out"),
                    audio: [AddedAudio(path: try dub(scratch).path, language: try Language("fr"))]))
            let info = try await Media.probe(report.path)
            #expect(info.chapters.map(\.title) == ["One", "Two"])
            #expect(info.chapters.map(\.start.seconds) == before.chapters.map(\.start.seconds))
            #expect(info.metadata["title"] == "A film")
            #expect(info.timecode == before.timecode)
            #expect(info.pictureStream?.video?.rotation == before.pictureStream?.video?.rotation)
            let added = try #require(report.added.first)
            #expect(info.streams[added.index].language?.tag == "fr")
        }
    }

    @Test("Matroska keeps attached files, and covers as such")
    func keepsAttachments() async throws {
        try await withScratch { scratch in
            let cover = try scratch.ffmpeg(
                ["-f", "lavfi", "-i", "color=red:s=32x32:d=1", "-frames:v", "1"], to: "c.png")
            let source = try scratch.ffmpeg(
                [
                    "-f", "lavfi", "-i", "testsrc2=s=96x64:r=25:d=3", "-f", "lavfi", "-i", "sine=d=3", "-c:v",
                    "libx264",
                    "-c:a", "aac", "-attach", cover, "-metadata:s:t", "mimetype=image/png", "-attach",
                    scratch.path("c.png"), "-metadata:s:t:1", "mimetype=application/x-truetype-font",
                ], to: "source.mkv")
            let before = try await Media.probe(source)
            try #require(before.streams.count == 4)
            let report = try await Remuxer.run(
                RemuxRequest(
                    source: source, outputStem: scratch.path("out"),
                    audio: [AddedAudio(path: try dub(scratch).path, language: try Language("es"))]))
            let info = try await Media.probe(report.path)
            #expect(info.streams.count == 5)
            #expect(
                info.streams.count { $0.video?.isAttachedPicture == true }
                    == before.streams.count { $0.video?.isAttachedPicture == true })
            #expect(
                info.streams.count { $0.kind == .attachment }
                    == before.streams.count { $0.kind == .attachment })
            #expect(info.streams[2].dispositions.contains("default"))
            #expect(info.streams[1].dispositions.contains("original"))
        }
    }

    @Test(
        "sound alone works too",
        arguments: [("wav", "matroska"), ("m4a", "ipod"), ("mp3", "matroska"), ("ogg", "ogg")])
    func soundAlone(suffix: String, container: String) async throws {
        try await withScratch { scratch in
            let codec = ["wav": "pcm_s16le", "m4a": "aac", "mp3": "libmp3lame", "ogg": "libopus"][
                suffix, default: ""]
            let source = try scratch.ffmpeg(
                ["-f", "lavfi", "-i", "sine=d=3:r=48000", "-c:a", codec], to: "s." + suffix)
            let dub = try dub(scratch)
            let report = try await Remuxer.run(
                RemuxRequest(
                    source: source, outputStem: scratch.path("out"),
                    audio: [AddedAudio(path: dub.path, language: try Language("es"))]))
            #expect(report.container == container)
            let before = try await Media.packetDigests(source)
            let after = try await Media.packetDigests(report.path)
            #expect(after.first?.digest == before.first?.digest)
            #expect(after.count == 2)
            let heard = try AudioFile.readAll(report.path, stream: 1, as: mono48)
            let lag = try #require(Signal.lag(heard, behind: dub.samples, within: 600))
            // Matroska's clock ticks in 1 ms, and both the track and the file's start are rounded to it.
            #expect(abs(lag) <= 96)
        }
    }

    @Test("cancelling leaves nothing behind")
    func cancelLeavesNothing() async throws {
        try await withScratch { scratch in
            let source = try source(Self.clips[0], scratch)
            let dub = try dub(scratch, seconds: 60)
            let names = scratch.names
            let request = RemuxRequest(
                source: source, outputStem: scratch.path("out"),
                audio: [AddedAudio(path: dub.path, language: try Language("es"))])
            let task = Task { try await Remuxer.run(request) { _ in withUnsafeCurrentTask { $0?.cancel() } } }
            task.cancel()
            await #expect(throws: CancellationError.self) { try await task.value }
            #expect(scratch.names == names)
        }
    }

    @Test("a folder that is not there, and a source without a file, are refused")
    func refuses() async throws {
        try await withScratch { scratch in
            let source = try source(Self.clips[0], scratch)
            let names = scratch.names
            let nowhere = RemuxRequest(source: source, outputStem: scratch.path("none/out"))
            #expect(await code { _ = try await Remuxer.run(nowhere) } == .outputUnwritable)
            let noDub = RemuxRequest(
                source: source, outputStem: scratch.path("out"),
                audio: [AddedAudio(path: scratch.path("none.flac"), language: try Language("es"))])
            #expect(await code { _ = try await Remuxer.run(noDub) } == .inputMissing)
            #expect(scratch.names == names)
        }
    }

    @Test("a full disk is said to be full, and nothing is left on it")
    func fullDisk() async throws {
        try await withScratch { scratch in
            let source = try source(Self.clips[2], scratch)
            let disk = scratch.path("disk")
            // Only root may mount; elsewhere the folder that is not there stands for this.
            guard Tool.mountSmallDisk(disk) else { return }
            let request = RemuxRequest(source: source, outputStem: disk + "/out")
            let remuxed = await code { _ = try await Remuxer.run(request) }
            let samples = Signal.noise(96_000)
            let written = await code {
                try AudioFile.write(samples, to: disk + "/a.wav", codec: .pcm24, format: mono48)
            }
            let left = try? FileManager.default.contentsOfDirectory(atPath: disk)
            Tool.unmount(disk)
            #expect(remuxed == .outputUnwritable)
            #expect(written == .outputUnwritable)
            #expect(left == [])
        }
    }
}

@Suite("subtitle files")
struct SubtitleFileTests {
    let cues = [
        Cue(start: MediaTime(seconds: 2), end: MediaTime(seconds: 3.5), text: "Dos <b>\n\n& tres "),
        Cue(start: MediaTime(seconds: 0.25), end: MediaTime(seconds: 1), text: "Uno"),
        Cue(start: MediaTime(seconds: 4), end: MediaTime(seconds: 5), text: " \n"),
    ]

    @Test("SRT in order of time, without empty cues")
    func srt() async throws {
        try await withScratch { scratch in
            try SubtitleFile.write(cues, to: scratch.path("a.srt"), format: .srt)
            let text = try String(contentsOfFile: scratch.path("a.srt"), encoding: .utf8)
            #expect(
                text
                    == "1\n00:00:00,250 --> 00:00:01,000\nUno\n\n2\n00:00:02,000 --> 00:00:03,500\nDos <b>\n& tres\n\n"
            )
        }
    }

    @Test("TTML is well-formed, says the language, and breaks lines")
    func ttml() async throws {
        try await withScratch { scratch in
            try SubtitleFile.write(cues, to: scratch.path("a.ttml"), format: .ttml, language: Language("es"))
            let document = try XMLDocument(contentsOf: URL(filePath: scratch.path("a.ttml")))
            let root = try #require(document.rootElement())
            #expect(root.attribute(forName: "xml:lang")?.stringValue == "es")
            let lines = try root.nodes(forXPath: "//*[local-name()='p']").compactMap { $0 as? XMLElement }
            let times = lines.map { ($0.attributes ?? []).compactMap(\.stringValue) }
            #expect(times == [["00:00:00.250", "00:00:01.000"], ["00:00:02.000", "00:00:03.500"]])
            #expect(lines.last?.children?.compactMap(\.stringValue) == ["Dos <b>", "", "& tres"])
        }
    }

    @Test("WebVTT escapes what would be markup")
    func vtt() async throws {
        try await withScratch { scratch in
            try SubtitleFile.write(cues, to: scratch.path("a.vtt"), format: .vtt, language: Language("es"))
            let text = try String(contentsOfFile: scratch.path("a.vtt"), encoding: .utf8)
            #expect(
                text
                    == "WEBVTT\n\n00:00.250 --> 00:01.000\nUno\n\n00:02.000 --> 00:03.500\nDos &lt;b&gt;\n&amp; tres\n"
            )
            #expect(scratch.names == ["a.vtt"])
        }
    }
}
