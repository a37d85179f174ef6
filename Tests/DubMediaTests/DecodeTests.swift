import DubCore
import DubMedia
import Foundation
import Testing

@Suite("decoding")
struct DecodeTests {
    @Test(
        "an impulse comes back where it was written",
        arguments: [
            ("a.wav", AudioCodec.pcm16), ("b.wav", .pcm24), ("c.wav", .pcmFloat), ("d.flac", .flac),
            ("e.m4a", .aac),
            ("f.ogg", .opus), ("g.mka", .flac), ("h.mka", .pcm16), ("i.mov", .pcm24), ("j.mp4", .eac3),
        ])
    func impulseStays(name: String, codec: AudioCodec) async throws {
        try await withScratch { scratch in
            let path = scratch.path(name)
            let samples = Signal.burst(at: 30_011, of: 96_000, rate: 48000)
            try AudioFile.write(samples, to: path, codec: codec, format: mono48)
            let back = try AudioFile.readAll(path, as: mono48)
            let place = try #require(Signal.loudest(back))
            #expect(abs(place - 30_011) <= 1)
            #expect(abs(back.count - samples.count) <= (codec.isLossless ? 0 : 2048))
            if codec == .pcmFloat { #expect(back == samples) }
        }
    }

    @Test("blocks follow each other from zero, without a seam")
    func blocksFollow() async throws {
        try await withScratch { scratch in
            let path = scratch.path("a.flac")
            try AudioFile.write(Signal.noise(100_000), to: path, codec: .flac, format: mono48)
            var decoder = try AudioDecoder.open(
                path, as: AudioFormat(sampleRate: 16000), cancellation: Cancellation())
            var next: Int64 = 0
            while let block = try decoder.next() {
                #expect(block.start == next)
                #expect(block.samples.count == block.frames)
                next += Int64(block.frames)
            }
            #expect(abs(next - 33_333) <= 1)
            #expect(decoder.durationFrames == 33_333)
            #expect(decoder.problemCount == 0)
        }
    }

    @Test(
        "sound that starts late is late", .needsFFmpeg,
        arguments: ["mp4", "mov", "mkv", "ts"])
    func lateStart(suffix: String) async throws {
        try await withScratch { scratch in
            let sound = scratch.path("s.wav")
            try AudioFile.write(
                Signal.burst(at: 24_000, of: 96_000, rate: 48000), to: sound, codec: .pcm16, format: mono48)
            let codec = suffix == "mov" ? "pcm_s16le" : "aac"
            let path = try scratch.ffmpeg(
                [
                    "-f", "lavfi", "-i", "testsrc2=s=64x48:r=25:d=3", "-itsoffset", "0.75", "-i", sound,
                    "-map",
                    "0:v", "-map", "1:a", "-c:v", "libx264", "-bf", "0", "-c:a", codec,
                ], to: "late." + suffix)
            let back = try AudioFile.readAll(path, as: mono48)
            let place = try #require(Signal.loudest(back))
            // The containers' clocks tick in 1 ms (Matroska) at the coarsest; MPEG-TS keeps the encoder's priming.
            #expect(abs(place - 60_000) <= 60, "\(place)")
            #expect(!back[..<34_000].contains { abs($0) > 0.001 })
        }
    }

    @Test("a transport stream that starts at an hour begins at zero", .needsFFmpeg)
    func farStart() async throws {
        try await withScratch { scratch in
            let path = try scratch.ffmpeg(
                [
                    "-f", "lavfi", "-i", "testsrc2=s=64x48:r=25:d=2", "-f", "lavfi", "-i", "sine=d=2", "-c:v",
                    "libx264", "-c:a", "aac", "-output_ts_offset", "3600",
                ], to: "far.ts")
            let info = try await Media.probe(path)
            #expect(info.start.seconds > 3600)
            let back = try AudioFile.readAll(path, as: mono48)
            #expect((95_000...99_000).contains(back.count))
        }
    }

    @Test("a gap is silent, and what follows keeps its place", .needsFFmpeg)
    func gapIsSilent() async throws {
        try await withScratch { scratch in
            let sound = scratch.path("s.wav")
            var samples = Signal.noise(144_000)
            let burst = Signal.burst(at: 0, of: 2000, rate: 48000)
            for (index, sample) in burst.enumerated() { samples[110_000 + index] = sample * 1.2 }
            try AudioFile.write(samples, to: sound, codec: .pcm16, format: mono48)
            let path = try scratch.ffmpeg(
                ["-i", sound, "-af", "aselect='not(between(t,1,1.5))'", "-c:a", "pcm_s16le"], to: "gap.mkv")
            let back = try AudioFile.readAll(path, as: mono48)
            #expect(abs(back.count - 144_000) <= 1024)
            #expect(!back[51_000..<70_000].contains { $0 != 0 })
            #expect(
                Signal.lag(Array(back[80_000...]), behind: Array(samples[80_000...]), within: 100).map(abs)
                    ?? 99 <= 48)
        }
    }

    @Test(
        "the sound is what the ffmpeg program decodes", .needsFFmpeg,
        arguments: ["aac", "ac3", "libmp3lame", "flac"])
    func sameAsReferee(codec: String) async throws {
        try await withScratch { scratch in
            let path = try scratch.ffmpeg(
                [
                    "-f", "lavfi", "-i", "testsrc2=s=64x48:r=25:d=4", "-f", "lavfi", "-i",
                    "aevalsrc=0.4*sin(440*t*(1+t))|0.3*sin(3000*t):d=4:s=44100", "-c:v", "libx264", "-c:a",
                    codec,
                    "-strict", "-2",
                ], to: "a.mkv")
            let reference = try scratch.ffmpeg(
                [
                    "-i", path, "-map", "0:a", "-af", "aresample=async=1:first_pts=0:out_sample_rate=16000",
                    "-ac", "1",
                    "-ar", "16000", "-f", "f32le",
                ], to: "r.raw")
            let bytes = try Data(contentsOf: URL(fileURLWithPath: reference))
            let wanted = bytes.withUnsafeBytes { Array($0.bindMemory(to: Float.self)) }
            #expect(try AudioFile.readAll(path, as: AudioFormat(sampleRate: 16000)) == wanted)
        }
    }

    @Test("the default track is the dialogue", .needsFFmpeg)
    func picksDefault() async throws {
        try await withScratch { scratch in
            let path = try scratch.ffmpeg(
                [
                    "-f", "lavfi", "-i", "anullsrc=d=1", "-f", "lavfi", "-i", "sine=d=1", "-map", "0", "-map",
                    "1",
                    "-c:a", "flac", "-disposition:a:0", "0", "-disposition:a:1", "default",
                ], to: "two.mka")
            #expect(try await Media.probe(path).dialogueStream?.index == 1)
            #expect(try AudioFile.readAll(path, as: mono48).contains { abs($0) > 0.05 })
            #expect(try !AudioFile.readAll(path, stream: 0, as: mono48).contains { $0 != 0 })
            #expect(await code { _ = try AudioFile.readAll(path, stream: 2, as: mono48) } == .mediaNoStream)
        }
    }

    @Test("cancelling stops a decode")
    func cancels() async throws {
        try await withScratch { scratch in
            let path = scratch.path("a.flac")
            try AudioFile.write(Signal.noise(48_000 * 20), to: path, codec: .flac, format: mono48)
            let task = Task {
                try await MediaThread.run { cancellation in
                    var decoder = try AudioDecoder.open(path, as: mono48, cancellation: cancellation)
                    while true {
                        if try decoder.next() == nil {
                            decoder = try AudioDecoder.open(path, as: mono48, cancellation: cancellation)
                        }
                    }
                }
            }
            task.cancel()
            await #expect(throws: CancellationError.self) { try await task.value }
        }
    }
}

@Suite("refusals")
struct RefusalTests {
    @Test("what is no media file is refused by a code")
    func refuses() async throws {
        try await withScratch { scratch in
            #expect(await code { _ = try await Media.probe(scratch.path("none.mp4")) } == .inputMissing)
            #expect(await code { _ = try await Media.probe(scratch.folder.path) } == .inputMissing)
            #expect(await code { _ = try await Media.probe("") } == .inputMissing)
            try Data().write(to: URL(fileURLWithPath: scratch.path("empty.mp4")))
            #expect(await code { _ = try await Media.probe(scratch.path("empty.mp4")) } == .inputMissing)
            try Data(String(repeating: "This is text. ", count: 99).utf8)
                .write(to: URL(fileURLWithPath: scratch.path("text.mp4")))
            #expect(await code { _ = try await Media.probe(scratch.path("text.mp4")) } == .mediaUnreadable)
        }
    }

    @Test("a playlist is not followed to other files")
    func noPlaylists() async throws {
        try await withScratch { scratch in
            try AudioFile.write(Signal.noise(48000), to: scratch.path("a.wav"), codec: .pcm16, format: mono48)
            let list = "ffconcat version 1.0\nfile 'a.wav'\n"
            try Data(list.utf8).write(to: URL(fileURLWithPath: scratch.path("list.mkv")))
            #expect(await code { _ = try await Media.probe(scratch.path("list.mkv")) } == .mediaUnreadable)
            let hls = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\na.wav\n#EXT-X-ENDLIST\n"
            try Data(hls.utf8).write(to: URL(fileURLWithPath: scratch.path("list.mp4")))
            #expect(await code { _ = try await Media.probe(scratch.path("list.mp4")) } == .mediaUnreadable)
        }
    }

    @Test(
        "awkward names are only names",
        arguments: ["-i.wav", "a:b.wav", "a 'b' \"c\".wav", "new\nline.wav", "日本é.wav"])
    func awkwardNames(name: String) async throws {
        try await withScratch { scratch in
            try AudioFile.write(Signal.noise(4800), to: scratch.path(name), codec: .pcm16, format: mono48)
            #expect(try await Media.probe(scratch.path(name)).streams.count == 1)
            #expect(scratch.names == [name])
        }
    }

    @Test("formats out of reach are refused")
    func badFormats() async {
        #expect(
            await code { _ = try Resample.apply([0], from: mono48, to: AudioFormat(sampleRate: 0)) }
                == .mediaUnsupported)
        let nonsense = AudioFormat(sampleRate: 48000, layout: "nonsense")
        #expect(await code { _ = try Resample.apply([0], from: nonsense, to: mono48) } == .mediaUnsupported)
        #expect(nonsense.channels == 0)
    }
}
