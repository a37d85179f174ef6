import DubCore
import DubGraph
import DubMedia
import DubRunner
import DubStorage
import Foundation
import Testing

@testable import DubStages

/// A programme of 12 s in memory.
private enum Programme: String, CaseIterable, Sendable {
    /// Quiet syllables with pauses, mono, 44.1 kHz.
    case speech
    /// Loud tones with beats that nearly touch full scale, stereo.
    case music
    /// Speech in the centre, a wide bed, and bass.
    case surround
    /// Faint music with a few very loud clicks: gain alone would clip them.
    case clicks
    /// Digital silence in stereo.
    case silence

    var format: AudioFormat {
        switch self {
        case .speech: AudioFormat(sampleRate: 44_100)
        case .music, .clicks, .silence: AudioFormat(sampleRate: 48_000, layout: "stereo")
        case .surround: AudioFormat(sampleRate: 48_000, layout: "5.1")
        }
    }

    var samples: [Float] {
        var state: UInt64 = 7
        func noise() -> Double {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Double(Int64(bitPattern: state) >> 11) / Double(1 << 52)
        }
        let rate = Double(format.sampleRate)
        var low = 0.0
        return (0..<Int(12 * rate)).flatMap { index -> [Float] in
            let time = Double(index) / rate
            low += (noise() - low) * 0.15
            let syllable = time.truncatingRemainder(dividingBy: 3) < 2.2 ? pow(sin(.pi * 4 * time), 2) : 0
            let spoken = syllable * (0.6 * sin(2 * .pi * 140 * time) + 0.3 * sin(2 * .pi * 710 * time) + low)
            let chord = sin(2 * .pi * 110 * time) + 0.6 * sin(2 * .pi * 331 * time) + 0.3 * sin(2 * .pi * 2203 * time)
            switch self {
            case .speech: return [Float(0.012 * spoken)]
            case .music:
                let beat = time.truncatingRemainder(dividingBy: 0.5) < 0.04 ? 0.35 * noise() : 0
                return [Float(0.3 * chord + beat), Float(0.28 * chord - beat)]
            case .surround:
                let bed = 0.05 * chord
                return [bed, 0.9 * bed, 0.25 * spoken, 0.1 * sin(2 * .pi * 45 * time), 0.5 * bed, -0.5 * bed]
                    .map { Float($0) }
            case .clicks:
                let click = index % Int(2 * rate) < 40 ? 0.7 * cos(.pi * Double(index % 40) / 7) : 0
                return [Float(0.02 * chord + click), Float(0.02 * chord)]
            case .silence: return [0, 0]
            }
        }
    }
}

@Suite struct LoudnessAimTests {
    @Test("a gain goes where the target is, not below the least, and is left alone where it is good or can do no more")
    func corrected() {
        #expect(LoudnessAim.corrected(-10, measured: -20, wanted: -23) == -13)
        #expect(LoudnessAim.corrected(-10, measured: -23.3, wanted: -23) == nil)
        #expect(LoudnessAim.corrected(-10, measured: -15, wanted: -23, least: -14) == -14)
        #expect(LoudnessAim.corrected(-14, measured: -18, wanted: -23, least: -14) == nil)
        #expect(LoudnessAim.corrected(-14, measured: -25, wanted: -23, least: -14) == -12)
        #expect(LoudnessAim.corrected(-10, measured: -20.2, wanted: -23, step: 0.5) == -13)
        #expect(LoudnessAim.stepped(-2.74, 0.5) == -2.5 && LoudnessAim.stepped(-2.74, 0) == -2.74)
    }
}

@Suite struct LevelPlanTests {
    private func report(_ integrated: Double?, _ peak: Double?) -> LoudnessReport {
        LoudnessReport(integrated: integrated, range: 3, truePeak: peak)
    }

    @Test("leaves alone what keeps to the profile, and silence")
    func leaves() throws {
        let r128 = try LoudnessProfile.named("r128")
        #expect(LevelPlan(r128, before: report(-23.5, -1)).levelling == nil)
        #expect(LevelPlan(r128, before: report(nil, nil)).levelling == nil)
        #expect(LevelPlan(r128, before: report(-23.6, -9)).levelling == Levelling(gain: 0.6000000000000014))
        #expect(LevelPlan(r128, before: report(-23, -0.5)).levelling?.ceiling != nil, "its peaks are too high")
        #expect(throws: DubError.self) { try LoudnessProfile.named("loud") }
    }

    @Test("limits only where gain alone would go too high")
    func limits() throws {
        let web = try LoudnessProfile.named("web")
        #expect(LevelPlan(web, before: report(-26, -12)).levelling == Levelling(gain: 10))
        let limited = try #require(LevelPlan(web, before: report(-26, -10)).levelling)
        #expect(limited.gain == 10)
        #expect(try #require(limited.ceiling) < -1)
    }

    @Test("is put right by what came of it, until that is good enough")
    func corrects() throws {
        var plan = LevelPlan(try LoudnessProfile.named("web"), before: report(-30, -20))
        let isKept = plan.correct(by: report(-16.3, -6))
        #expect(!isKept)
        let isLouder = plan.correct(by: report(-17, -6))
        #expect(isLouder)
        #expect(plan.levelling == Levelling(gain: 15))
        let isLimited = plan.correct(by: report(-16, -0.4))
        #expect(isLimited)
        let ceiling = try #require(plan.levelling?.ceiling)
        #expect(ceiling <= -1.6)
        let isLower = plan.correct(by: report(-16, -0.9))
        #expect(isLower)
        #expect(try #require(plan.levelling?.ceiling) < ceiling)
    }
}

@Suite(.serialized) struct NormaliseTests {
    /// Normalises a programme in M4A, and measures what came of it.
    private func normalise(
        _ programme: Programme, _ profile: String, in bench: StageBench
    ) async throws -> (source: String, result: String, verdict: Verdict) {
        let source = bench.path("\(programme).m4a")
        try AudioFile.write(
            programme.samples, to: source, codec: .aac, format: programme.format, bitRate: 256_000)
        return try await normalise(source, profile, in: bench)
    }

    private func normalise(
        _ source: String, _ profile: String, in bench: StageBench
    ) async throws -> (source: String, result: String, verdict: Verdict) {
        let media = StageValue.one(try bench.file(source))
        let info = try bench.value(try await Media.probe(source))
        let measured = try await bench.run(MeasureStage(), ["media": media, "info": info])
        let loudness = try #require(measured["loudness"])
        let made = try await bench.run(
            NormaliseStage(), ["media": media, "info": info, "loudness": loudness],
            with: ["profile": .string(profile)])
        let (video, report) = (try #require(made["video"]), try #require(made["report"]))
        let judged = try await bench.run(VerifyStage(), ["media": media, "video": video, "report": report])
        let result = bench.store.path(of: try #require(video.artifacts.first))
        return (source, result, try bench.read(Verdict.self, judged["verdict"]))
    }

    @Test(
        "any programme comes to any profile's loudness, under its ceiling, as long as it was",
        arguments: [Programme.speech, .music, .surround, .clicks], ["web", "r128", "netflix", "a85"])
    fileprivate func golden(programme: Programme, name: String) async throws {
        try await withBench { bench in
            let profile = try LoudnessProfile.named(name)
            let (source, result, verdict) = try await normalise(programme, name, in: bench)
            let heard = try LoudnessMeter.measure(result, cancellation: Cancellation())
            let integrated = try #require(heard.integrated)
            #expect(abs(integrated - profile.target) <= 0.5, "\(integrated) LUFS: \(verdict.notes)")
            let peak = try #require(heard.truePeak)
            #expect(peak <= profile.ceiling, "\(peak) dBTP: \(verdict.notes)")
            #expect(verdict.verdict == .pass || verdict.complaints.allSatisfy { $0.hasPrefix("loudness.gain") })
            let (before, after) = (try await Media.probe(source), try await Media.probe(result))
            #expect(abs(try #require(after.duration).seconds - #require(before.duration).seconds) <= 0.001)
            #expect(after.streams[0].audio?.layout == before.streams[0].audio?.layout)
            #expect(after.streams[0].audio?.sampleRate == before.streams[0].audio?.sampleRate)
            #expect(after.streams[0].codec == "aac")
            #expect(after.streams[0].start == before.streams[0].start)
            // Where it is not limited, it is the source, louder: nothing moved.
            let format = AudioFormat(sampleRate: 48_000)
            let (then, now) = (
                try AudioFile.readAll(source, as: format), try AudioFile.readAll(result, as: format)
            )
            #expect(abs(then.count - now.count) <= 48)
            let shown = (-48...48).max { correlation(then, now, $0) < correlation(then, now, $1) }
            #expect(abs(try #require(shown)) <= 2, "samples of lag")
        }
    }

    private func correlation(_ left: [Float], _ right: [Float], _ lag: Int) -> Double {
        var sum = 0.0
        for index in stride(from: 96_000, to: 144_000, by: 3) {
            sum += Double(left[index]) * Double(right[index + lag])
        }
        return sum
    }

    @Test("a second time there is nothing to do: every packet stays")
    func idempotent() async throws {
        try await withBench { bench in
            let first = try await normalise(.music, "a85", in: bench)
            let copy = bench.path("again.m4a")
            try FileManager.default.copyItem(atPath: first.result, toPath: copy)
            let second = try await normalise(copy, "a85", in: bench)
            #expect(second.verdict.verdict == .pass)
            #expect(second.verdict.streams?.allSatisfy { $0.levelling == nil } == true)
            #expect(second.verdict.notes.contains { $0.contains("left as it is") })
            let (was, now) = (
                try await Media.packetDigests(copy), try await Media.packetDigests(second.result)
            )
            #expect(was.map(\.digest) == now.map(\.digest))
        }
    }

    @Test("silence is left as it is, and set aside where there is nothing else", arguments: ["web", "r128"])
    func silence(profile: String) async throws {
        try await withBench { bench in
            let (source, result, verdict) = try await normalise(.silence, profile, in: bench)
            #expect(verdict.verdict == .review)
            #expect(verdict.notes.contains { $0.contains("silence, below -70 LUFS: left as it is") })
            let (was, now) = (try await Media.packetDigests(source), try await Media.packetDigests(result))
            #expect(was.map(\.digest) == now.map(\.digest))
        }
    }

    @Test("cancelled, it ends at once and leaves no file")
    func cancelled() async throws {
        try await withBench { bench in
            let source = bench.path("a.m4a")
            try AudioFile.write(
                Programme.music.samples, to: source, codec: .aac, format: Programme.music.format)
            let (media, info) = (
                StageValue.one(try bench.file(source)), try bench.value(try await Media.probe(source))
            )
            let loudness = try bench.value([
                MeasuredStream(stream: 0, loudness: LoudnessReport(integrated: -10, range: 1, truePeak: 0))
            ])
            let task = Task {
                try await bench.run(NormaliseStage(), ["media": media, "info": info, "loudness": loudness])
            }
            task.cancel()
            await #expect(throws: CancellationError.self) { try await task.value }
        }
    }
}
