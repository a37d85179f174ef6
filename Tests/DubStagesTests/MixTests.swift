import DubCore
import DubGraph
import DubMedia
import DubStorage
import DubTestKit
import DubTiming
import Foundation
import Testing

@testable import DubStages

/// Signals in memory, and mixes of them.
private enum Sound {
    static func tone(_ pitch: Double, peak: Double, seconds: Double, rate: Int) -> [Float] {
        (0..<Int(seconds * Double(rate))).map { Float(peak * sin(2 * .pi * pitch * Double($0) / Double(rate))) }
    }

    static func noise(_ count: Int, peak: Float, seed: UInt64) -> [Float] {
        var random = SeededRandom(seed: seed)
        return (0..<count).map { _ in Float.random(in: -peak...peak, using: &random) }
    }

    static func write(_ samples: [Float], _ format: AudioFormat, to path: String) throws {
        var encoder = try AudioEncoder.create(path, codec: .pcm16, format: format)
        try encoder.write(samples)
        try encoder.finish()
    }

    static func measure(_ path: String, _ format: AudioFormat, in spans: [Span]? = nil) throws -> LoudnessReport {
        let samples = try AudioFile.readAll(path, as: format)
        var meter = try LoudnessMeter.make(format)
        for span in spans ?? [Span(start: 0, end: 1e6)] {
            let low = min(samples.count, Int(span.start * Double(format.sampleRate)) * format.channels)
            let high = min(samples.count, Int(span.end * Double(format.sampleRate)) * format.channels)
            try meter.add(Array(samples[low..<high]))
        }
        return try meter.finish()
    }
}

private func entry(_ id: String, _ window: Span, take: Double, at start: Double, rate: Double = 1) -> Placement.Entry {
    Placement.Entry(
        id: id, window: window, text: id,
        placed: PlacedLine(
            pieces: [PlacedPiece(takeStart: 0, takeEnd: take, start: start, rate: rate)], outcome: .fits),
        engines: Placement.Engines(translator: "stub", voice: "stub", isDraft: false, isFallback: false), notes: [])
}

@Suite struct SpeakerLayoutTests {
    @Test(
        "knows where the dialogue goes",
        arguments: [
            ("mono", 1, [0], nil), ("stereo", 2, [0, 1], nil), ("5.1", 6, [2], 2), ("5.1(side)", 6, [2], 2),
            ("7.1", 8, [2], 2), ("3.0", 3, [2], 2), ("2.1", 3, [0, 1], nil), ("quad", 4, [0, 1], nil),
        ] as [(String, Int, [Int], Int?)])
    func layouts(name: String, channels: Int, voice: [Int], centre: Int?) {
        let layout = SpeakerLayout(name, channels: channels)
        #expect(layout.voice == voice)
        #expect(layout.centre == centre)
    }
}

@Suite struct VoiceTrackTests {
    @Test("puts takes where they belong, whatever the blocks, and nothing anywhere else")
    func places() throws {
        let scratch = FileManager.default.temporaryDirectory.appendingPathComponent("voice-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: scratch, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: scratch) }
        let rate = 16_000
        let path = scratch.appendingPathComponent("take.wav").path
        try Sound.write(
            Sound.noise(rate, peak: 0.5, seed: 1), AudioFormat(sampleRate: rate), to: path)
        let take = try AudioFile.readAll(path, as: AudioFormat(sampleRate: rate))
        let spanish = try Language("es")
        let placement = Placement(
            language: spanish, duration: 6, sourceSpeech: [],
            lines: [
                entry("b", Span(start: 3, end: 4), take: 1, at: 3.25),
                entry("a", Span(start: 1, end: 2), take: 1, at: 1),
            ])
        func voice() -> VoiceTrack {
            VoiceTrack(placement, takes: [path, path], sampleRate: rate, gain: 0.5)
        }
        var whole = voice()
        let all = try whole.read(from: 0, count: 6 * rate)
        for index in all.indices {
            let seconds = Double(index) / Double(rate)
            let isVoiced = (1..<2).contains(seconds) || (3.25..<4.25).contains(seconds)
            if !isVoiced { #expect(all[index] == 0) }
        }
        for index in 200..<(rate - 200) {
            #expect(all[rate + index] == take[index] * 0.5)
            #expect(all[rate * 13 / 4 + index] == take[index] * 0.5)
        }
        #expect(abs(all[rate]) <= abs(take[0] * 0.5), "edges are faded")
        var random = SeededRandom(seed: 3)
        var pieces = voice()
        var joined: [Float] = []
        while joined.count < all.count {
            let count = min(Int.random(in: 1...5000, using: &random), all.count - joined.count)
            joined += try pieces.read(from: Int64(joined.count), count: count)
        }
        #expect(joined == all)
    }

    @Test("a take that is spoken faster keeps its pitch and takes less time")
    func faster() throws {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("fast-\(UUID().uuidString).wav").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        let rate = 16_000
        try Sound.write(
            Sound.tone(400, peak: 0.5, seconds: 2, rate: rate), AudioFormat(sampleRate: rate), to: path)
        let spanish = try Language("es")
        let placement = Placement(
            language: spanish, duration: 4, sourceSpeech: [],
            lines: [entry("a", Span(start: 1, end: 3), take: 2, at: 1, rate: 1.25)])
        var voice = VoiceTrack(placement, takes: [path], sampleRate: rate, gain: 1)
        let all = try voice.read(from: 0, count: 4 * rate)
        let last = try #require(all.lastIndex { abs($0) > 0.05 })
        #expect(abs(Double(last) / Double(rate) - 2.6) < 0.06)
        let middle = Array(all[Int(1.4 * Double(rate))..<Int(2.2 * Double(rate))])
        let turns = zip(middle, middle.dropFirst()).filter { $0 < 0 && $1 >= 0 }.count
        #expect(abs(Double(turns) / 0.8 - 400) < 10)
    }
}

@Suite(.serialized) struct MixStageTests {
    /// Three lines of humming over a faint bed; the dub hums elsewhere and at another level.
    private func mix(
        _ bench: StageBench, layout: String, voicePeak: Double, bedPeak: Float, takePeak: Double,
        with parameters: [String: JSONValue] = [:]
    ) async throws -> (report: MixReport, source: String, mixed: String, placement: Placement, format: AudioFormat) {
        let format = AudioFormat(sampleRate: 48_000, layout: layout)
        let rate = format.sampleRate
        let windows = [Span(start: 1, end: 3.5), Span(start: 5, end: 7.5), Span(start: 9, end: 11.5)]
        let frames = 13 * rate
        let channels = format.channels
        var samples = Sound.noise(frames * channels, peak: bedPeak, seed: 5)
        let speakers = SpeakerLayout(layout, channels: channels)
        for (index, window) in windows.enumerated() {
            let tone = Sound.tone(220 + 30 * Double(index), peak: voicePeak, seconds: window.length, rate: rate)
            let first = Int(window.start * Double(rate))
            for (offset, sample) in tone.enumerated() {
                for channel in speakers.voice { samples[(first + offset) * channels + channel] += sample }
            }
        }
        let source = bench.path("source.wav")
        try Sound.write(samples, format, to: source)
        let takes = try (0..<3).map { index -> Artifact in
            let path = bench.path("take-\(index).wav")
            try Sound.write(
                Sound.tone(300 + 40 * Double(index), peak: takePeak, seconds: 2.2, rate: 16_000),
                AudioFormat(sampleRate: 16_000), to: path)
            return try bench.file(path)
        }
        let spanish = try Language("es")
        let placement = Placement(
            language: spanish, duration: 13, sourceSpeech: windows,
            lines: windows.enumerated().map { index, window in
                entry("l-\(index)", window, take: 2.2, at: window.start + 0.1)
            })
        let outputs = try await bench.run(
            MixStage(),
            [
                "media": .one(try bench.file(source)), "info": try bench.value(try await Media.probe(source)),
                "placement": try bench.value(placement), "takes": .list(takes),
            ], with: parameters)
        let audio = try #require(outputs["audio"]?.artifacts.first)
        return (
            try bench.read(MixReport.self, outputs["report"]), source, bench.store.path(of: audio), placement, format
        )
    }

    @Test(
        "the dub is as loud as the source spoke, and no peak passes -1 dBTP",
        arguments: [
            ("mono", 0.3, 0.002, 0.05), ("mono", 0.05, 0.001, 0.9), ("stereo", 0.3, 0.01, 0.3),
            ("stereo", 0.7, 0.02, 0.02), ("5.1", 0.4, 0.01, 0.2),
        ] as [(String, Double, Float, Double)])
    func loudness(layout: String, voice: Double, bed: Float, take: Double) async throws {
        try await withBench { bench in
            let mixed = try await mix(bench, layout: layout, voicePeak: voice, bedPeak: bed, takePeak: take)
            let dub = mixed.placement.lines.compactMap(\.placed.span)
            let before = try #require(
                try Sound.measure(mixed.source, mixed.format, in: mixed.placement.sourceSpeech).integrated)
            let after = try #require(try Sound.measure(mixed.mixed, mixed.format, in: dub).integrated)
            #expect(abs(after - before) <= 1, "\(before) LUFS became \(after)")
            let whole = try Sound.measure(mixed.mixed, mixed.format)
            #expect(try #require(whole.truePeak) <= -1)
            #expect(abs((mixed.report.dialogue ?? 0) - after) < 0.3)
            let samples = try AudioFile.readAll(mixed.mixed, as: mixed.format)
            #expect(samples.count == 13 * 48_000 * mixed.format.channels, "as long as the source to the sample")
        }
    }

    @Test(
        "ducked, the source stays: whole between the lines, lowered by so much under them, in every channel",
        arguments: [("mono", 15.0), ("stereo", 15), ("5.1", 15), ("stereo", 6), ("mono", 10)])
    func ducks(layout: String, depth: Double) async throws {
        try await withBench { bench in
            let mixed = try await mix(
                bench, layout: layout, voicePeak: 0.3, bedPeak: 0.01, takePeak: 0.3,
                with: ["bed": "duck", "duck": .number(depth)])
            let before = try AudioFile.readAll(mixed.source, as: mixed.format)
            let after = try AudioFile.readAll(mixed.mixed, as: mixed.format)
            let channels = mixed.format.channels
            let voice = SpeakerLayout(layout, channels: channels).voice[0]
            /// The source's own tone at a time, in dB against the source.
            func level(_ pitch: Double, from: Double, to: Double) -> Double {
                func energy(_ samples: [Float]) -> Double {
                    var (sine, cosine) = (0.0, 0.0)
                    for frame in Int(from * 48_000)..<Int(to * 48_000) {
                        let phase = 2 * Double.pi * pitch * Double(frame) / 48_000
                        let sample = Double(samples[frame * channels + voice])
                        sine += sample * sin(phase)
                        cosine += sample * cos(phase)
                    }
                    return sine * sine + cosine * cosine
                }
                return 10 * log10(energy(after) / energy(before))
            }
            for (index, line) in mixed.placement.lines.enumerated() {
                let span = try #require(line.placed.span)
                let pitch = 220 + 30 * Double(index)
                let under = level(pitch, from: span.start + 0.1, to: span.end - 0.1)
                #expect(abs(under + depth) < 1, "line \(index): \(under) dB")
            }
            // A quarter of a second before each line to as much behind it; elsewhere nothing is touched.
            var free = Span(start: 0, end: 0)
            var touched = 0
            for span in mixed.placement.lines.compactMap(\.placed.span) + [Span(start: 13.25, end: 13.25)] {
                free.end = span.start - 0.26
                for index in Int(free.start * 48_000) * channels..<Int(free.end * 48_000) * channels
                where abs(before[index] - after[index]) > 1.5 / 32_768 {
                    touched += 1
                }
                free.start = span.end + 0.26
            }
            #expect(touched == 0, "samples away from the lines")
            #expect(mixed.report.source.bed == .duck)
            let whole = try #require(mixed.report.integrated) - #require(mixed.report.source.integrated)
            #expect(abs(whole) <= 1, "\(whole) LU")
            #expect(try #require(mixed.report.truePeak) <= -1)
            #expect(after.count == before.count)
        }
    }

    @Test(
        "settings that make no sense are refused",
        arguments: [["bed": "none"], ["bed": "duck", "duck": -3], ["bed": "duck", "duck": 99]] as [[String: JSONValue]])
    func refused(parameters: [String: JSONValue]) async throws {
        try await withBench { bench in
            let error = await failure {
                _ = try await mix(
                    bench, layout: "mono", voicePeak: 0.3, bedPeak: 0.01, takePeak: 0.3, with: parameters)
            }
            #expect(error?.code == .parameterInvalid)
        }
    }

    @Test(
        "between the lines the source is untouched; under them its voice is gone", arguments: ["mono", "stereo", "5.1"])
    func bed(layout: String) async throws {
        try await withBench { bench in
            let mixed = try await mix(bench, layout: layout, voicePeak: 0.3, bedPeak: 0.01, takePeak: 0.3)
            let before = try AudioFile.readAll(mixed.source, as: mixed.format)
            let after = try AudioFile.readAll(mixed.mixed, as: mixed.format)
            let dub = mixed.placement.lines.compactMap(\.placed.span)
            let plan = BedPlan.make(sourceSpeech: mixed.placement.sourceSpeech, dub: dub, duration: 13)
            let channels = mixed.format.channels
            var touched = 0
            for region in plan.regions where region.kind == .keep {
                let low = Int((region.span.start * 48_000).rounded(.up)) + 1
                let high = Int(region.span.end * 48_000) - 1
                for index in low * channels..<high * channels where abs(before[index] - after[index]) > 1.5 / 32_768 {
                    touched += 1
                }
            }
            #expect(touched == 0, "samples of the bed between the lines")
            // The source's own tone is gone: its energy at 220 Hz in the first window.
            func energy(_ samples: [Float]) -> Double {
                var (sine, cosine) = (0.0, 0.0)
                let voice = SpeakerLayout(layout, channels: channels).voice[0]
                for frame in Int(1.2 * 48_000)..<Int(3.2 * 48_000) {
                    let phase = 2 * Double.pi * 220 * Double(frame) / 48_000
                    let sample = Double(samples[frame * channels + voice])
                    sine += sample * sin(phase)
                    cosine += sample * cos(phase)
                }
                return (sine * sine + cosine * cosine).squareRoot()
            }
            #expect(energy(after) < 0.01 * energy(before))
            if layout == "5.1" {
                // Only the centre is muted: the other channels are the source's, all along.
                var other = 0
                for frame in 0..<13 * 48_000 {
                    for channel in 0..<channels where channel != 2 {
                        let index = frame * channels + channel
                        if abs(before[index] - after[index]) > 1.5 / 32_768 { other += 1 }
                    }
                }
                #expect(other == 0)
                #expect(mixed.report.source.bed == .centre)
            }
        }
    }
}
