import DubCore
import DubMedia
import Foundation
import Testing

@Suite("replacing audio", .needsFFmpeg)
struct ReplaceTests {
    /// A container, the arguments for its streams, and the codec that is expected of the replaced one.
    struct Clip: Sendable, CustomTestStringConvertible {
        var suffix: String
        var arguments: [String]
        var codec: String
        var container: String?
        var testDescription: String { "\(suffix) \(codec)" }
    }

    static let clips = [
        Clip(suffix: "mp4", arguments: ["-c:v", "libx264", "-c:a", "aac"], codec: "aac"),
        Clip(suffix: "mov", arguments: ["-c:v", "libx264", "-c:a", "pcm_s24le"], codec: "pcm_s24le"),
        Clip(suffix: "mkv", arguments: ["-c:v", "libx264", "-c:a", "flac"], codec: "flac"),
        Clip(suffix: "mkv", arguments: ["-c:v", "mpeg4", "-c:a", "libopus"], codec: "opus"),
        Clip(suffix: "mkv", arguments: ["-c:v", "mpeg4", "-c:a", "libvorbis"], codec: "opus"),
        Clip(suffix: "webm", arguments: ["-c:v", "libvpx", "-b:v", "99k", "-c:a", "libopus"], codec: "opus"),
        Clip(suffix: "ts", arguments: ["-c:v", "libx264", "-c:a", "ac3"], codec: "ac3"),
        Clip(
            suffix: "avi", arguments: ["-c:v", "mpeg4", "-c:a", "libmp3lame"], codec: "mp3", container: "matroska"),
    ]

    /// Two tracks of 3 s in two languages; the second begins later.
    private func source(_ clip: Clip, _ scratch: Scratch) throws -> String {
        try scratch.ffmpeg(
            [
                "-f", "lavfi", "-i", "testsrc2=s=96x64:r=25:d=3", "-f", "lavfi", "-i",
                "anoisesrc=c=brown:d=3:r=48000:seed=1:a=0.2", "-itsoffset", "0.4", "-f", "lavfi", "-i",
                "anoisesrc=c=brown:d=2.5:r=48000:seed=2:a=0.2", "-map", "0:v", "-map", "1:a",
                "-map", "2:a", "-metadata:s:a:0", "language=eng", "-metadata:s:a:1", "language=fra",
                "-metadata:s:a:1", "title=Commentary", "-metadata:s:a:1", "REPLAYGAIN_TRACK_GAIN=-3 dB",
                "-disposition:a:0", "default", "-disposition:a:1", "0",
            ] + clip.arguments, to: "source." + clip.suffix)
    }

    @Test(
        "the replaced stream keeps place, name and time at its new level; all others keep every packet",
        arguments: clips)
    func replaces(clip: Clip) async throws {
        try await withScratch { scratch in
            let source = try source(clip, scratch)
            let before = try await Media.probe(source)
            for stream in [1, 2] {
                let report = try await Remuxer.run(
                    RemuxRequest(
                        source: source, outputStem: scratch.path("out"),
                        replaced: [ReplacedAudio(stream: stream, levelling: Levelling(gain: 6))]))
                let after = try await Media.probe(report.path)
                if let container = clip.container { #expect(report.container == container) }
                #expect((report.reason == nil) == (clip.container == nil))
                #expect(report.added.isEmpty)
                let replaced = try #require(report.replaced)
                #expect(replaced.map(\.source) == [stream] && replaced.map(\.index) == [stream])
                #expect(after.streams.count == before.streams.count)
                let (old, new) = (before.streams[stream], after.streams[stream])
                #expect(new.codec == clip.codec)
                #expect(new.languageTag == old.languageTag)
                #expect(new.title == old.title)
                if clip.container == nil { #expect(new.dispositions == old.dispositions) }
                #expect(new.audio?.layout == old.audio?.layout)
                #expect(new.audio?.sampleRate == old.audio?.sampleRate)
                let was = try await Media.packetDigests(source)
                let now = try await Media.packetDigests(report.path)
                for index in [0, 3 - stream] { #expect(now[index].digest == was[index].digest, "stream \(index)") }
                // A packet of the codec, or a tick of Matroska's clock, is as near as a stream's end can be told.
                let length = try #require(after.duration).seconds - #require(before.duration).seconds
                #expect(abs(length) < (clip.codec == "opus" || clip.container != nil ? 0.03 : 0.001), "\(length) s")
                let format = AudioFormat(sampleRate: 48_000)
                let (heard, wanted) = (
                    try AudioFile.readAll(report.path, stream: stream, as: format),
                    try AudioFile.readAll(source, stream: stream, as: format)
                )
                let lag = try #require(Signal.lag(heard, behind: wanted, within: 200))
                #expect(abs(lag) <= 48, "\(lag) samples")
                let (quiet, loud) = (
                    try LoudnessMeter.measure(source, stream: stream, cancellation: Cancellation()),
                    try LoudnessMeter.measure(report.path, stream: stream, cancellation: Cancellation())
                )
                let change = try #require(loud.integrated) - #require(quiet.integrated)
                // LAME takes 0.45 dB away by itself.
                #expect(abs(change - 6) < (clip.codec == "mp3" ? 0.5 : 0.2), "\(change) LU")
            }
        }
    }

    @Test(
        "a file of one sound keeps its kind", arguments: ["wav", "flac", "mp3", "m4a", "ogg", "ac3", "aac"])
    func soundAlone(suffix: String) async throws {
        try await withScratch { scratch in
            let codec = [
                "wav": "pcm_s24le", "flac": "flac", "mp3": "libmp3lame", "m4a": "aac", "ogg": "libopus", "ac3": "ac3",
                "aac": "aac",
            ][suffix, default: ""]
            let source = try scratch.ffmpeg(
                ["-f", "lavfi", "-i", "sine=300:d=3:r=48000", "-c:a", codec, "-metadata", "title=A tone"],
                to: "s." + suffix)
            let report = try await Remuxer.run(
                RemuxRequest(
                    source: source, outputStem: scratch.path("out"),
                    replaced: [ReplacedAudio(stream: 0, levelling: Levelling(gain: -3, ceiling: -6))]))
            #expect(report.path == scratch.path("out." + suffix))
            let (before, after) = (try await Media.probe(source), try await Media.probe(report.path))
            #expect(after.streams.count == 1)
            #expect(after.streams[0].codec == before.streams[0].codec)
            #expect(after.metadata["title"] == before.metadata["title"])
            // A bare stream of AAC has no place for its length: FFmpeg guesses.
            if suffix != "aac" {
                let length = try #require(after.duration).seconds - #require(before.duration).seconds
                #expect(abs(length) < (suffix == "ac3" ? 0.033 : 0.001), "\(length) s")
            }
        }
    }

    @Test("a limiter holds true peaks, and takes neither a sample nor a moment", arguments: [44_100, 48_000, 96_000])
    func limits(rate: Int) async throws {
        try await withScratch { scratch in
            // Tones at a quarter of the rate whose samples all miss the peak by 3 dB, in bursts over a bass.
            let samples = (0..<rate * 4 + 17).flatMap { index -> [Float] in
                let time = Double(index) / Double(rate)
                let burst = index % rate < rate / 3 ? 0.6 * sin(.pi / 2 * Double(index) + .pi / 4) : 0
                return [Float(burst + 0.3 * sin(2 * .pi * 60 * time)), Float(0.3 * sin(2 * .pi * 90 * time))]
            }
            let format = AudioFormat(sampleRate: rate, layout: "stereo")
            let source = scratch.path("a.wav")
            try AudioFile.write(samples, to: source, codec: .pcmFloat, format: format)
            let report = try await Remuxer.run(
                RemuxRequest(
                    source: source, outputStem: scratch.path("out"),
                    replaced: [ReplacedAudio(stream: 0, levelling: Levelling(gain: 6, ceiling: -2))]))
            let after = try AudioFile.readAll(report.path, as: format)
            #expect(after.count == samples.count)
            let loudness = try LoudnessMeter.measure(report.path, cancellation: Cancellation())
            let peak = try #require(loudness.truePeak)
            #expect(peak <= -1.7 && peak > -2.5, "\(peak) dBTP")
            // Where nothing is limited it is the source, 6 dB up, in its place.
            let quiet = (rate * 2 * 8 / 10)..<(rate * 2 * 9 / 10)
            #expect(quiet.allSatisfy { abs(after[$0] - samples[$0] * 1.9953) < 2e-3 })
        }
    }
}
