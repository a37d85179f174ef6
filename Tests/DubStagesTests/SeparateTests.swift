import DubCore
import DubGraph
import DubMedia
import DubStorage
import DubTestKit
import DubTiming
import DubWorkers
import Foundation
import Testing

@testable import DubStages

/// A source of noise with a tone in its voice channels, its bed, and a dub of three lines.
private struct Film {
    static let windows = [Span(start: 1, end: 3.5), Span(start: 5, end: 7.5), Span(start: 9, end: 11.5)]
    static let frames = 13 * 48_000

    let format: AudioFormat
    let layout: SpeakerLayout
    let bed: [Float]
    let source: String
    var inputs: [String: StageValue]

    /// - Parameter channels: which of the bed's are in its file, as `separate` would write them.
    init(_ bench: StageBench, _ name: String, bedPeak: Float = 0.1, channels: [Int], origin: BedRecord.Origin)
        async throws
    {
        format = AudioFormat(sampleRate: 48_000, layout: name)
        layout = SpeakerLayout(name, channels: format.channels)
        let width = format.channels
        var random = SeededRandom(seed: 11)
        bed = (0..<Self.frames * width).map { _ in Float.random(in: -bedPeak...bedPeak, using: &random) }
        var samples = bed
        for window in Self.windows {
            for frame in Int(window.start * 48_000)..<Int(window.end * 48_000) {
                let tone = Float(0.3 * sin(2 * .pi * 220 * Double(frame) / 48_000))
                for channel in layout.voice { samples[frame * width + channel] += tone }
            }
        }
        source = bench.path("film.wav")
        try AudioFile.write(samples, to: source, codec: .pcm16, format: format)
        let width2 = channels.count
        var written = [Float](repeating: 0, count: Self.frames * width2)
        for frame in 0..<Self.frames {
            for (place, channel) in channels.enumerated() {
                written[frame * width2 + place] = bed[frame * width + channel] / 2
            }
        }
        let path = bench.path("bed.flac")
        let own = AudioFormat(
            sampleRate: 48_000, layout: origin == .supplied ? name : SeparateStage.layout(of: width2))
        try AudioFile.write(written, to: path, codec: .flac, format: own)
        let takes = try (0..<3).map { index -> Artifact in
            let take = bench.path("take-\(index).wav")
            let tone = (0..<35_200).map { Float(0.4 * sin(2 * .pi * 340 * Double($0) / 16_000)) }
            try AudioFile.write(tone, to: take, codec: .pcm16, format: AudioFormat(sampleRate: 16_000))
            return try bench.file(take)
        }
        let placement = Placement(
            language: try Language("es"), duration: 13, sourceSpeech: Self.windows,
            lines: Self.windows.enumerated().map { index, window in
                Placement.Entry(
                    id: "\(index)", window: window, text: "\(index)",
                    placed: PlacedLine(
                        pieces: [PlacedPiece(takeStart: 0, takeEnd: 2.2, start: window.start + 0.1, rate: 1)],
                        outcome: .fits),
                    engines: Placement.Engines(translator: "", voice: "", isDraft: false, isFallback: false), notes: [])
            })
        inputs = [
            "media": .one(try bench.file(source)), "info": try bench.value(try await Media.probe(source)),
            "placement": try bench.value(placement), "takes": .list(takes), "bed": .one(try bench.file(path)),
            "record": try bench.value(BedRecord(origin: origin, channels: channels)),
        ]
    }
}

@Suite struct BedTests {
    @Test(
        "of a layout with a centre the other channels come out bit for bit, however loud they are",
        arguments: ["3.0", "5.0", "5.1", "7.1"])
    func exact(layout: String) async throws {
        try await withBench { bench in
            // Peaks far above the limiter's ceiling.
            let film = try await Film(bench, layout, bedPeak: 0.95, channels: [2], origin: .separated)
            let outputs = try await bench.run(MixStage(), film.inputs)
            let audio = try #require(outputs["audio"]?.artifacts.first)
            let before = try AudioFile.readAll(film.source, as: film.format)
            let after = try AudioFile.readAll(bench.store.path(of: audio), as: film.format)
            try #require(before.count == after.count)
            let width = film.format.channels
            var other = 0
            for index in before.indices where index % width != 2 && before[index] != after[index] { other += 1 }
            #expect(other == 0, "samples of other channels")
            let peak = stride(from: 2, to: after.count, by: width).map { abs(after[$0]) }.max() ?? 1
            #expect(peak <= Float(pow(10, -2.4 / 20)), "the centre is limited")
            let report = try bench.read(MixReport.self, outputs["report"])
            #expect(report.source.bed == .separated)
        }
    }

    @Test(
        "under the lines the bed is heard at its level, elsewhere the source; the stems add up to the dub",
        arguments: [
            ("mono", [0], .separated), ("stereo", [0, 1], .separated), ("stereo", [0, 1], .supplied),
            ("5.1", [2], .separated), ("5.1", [0, 1, 2, 3, 4, 5], .supplied),
        ] as [(String, [Int], BedRecord.Origin)])
    func stems(layout: String, channels: [Int], origin: BedRecord.Origin) async throws {
        try await withBench { bench in
            let film = try await Film(bench, layout, channels: channels, origin: origin)
            let mixed = try await bench.run(MixStage(), film.inputs)
            let dub = try AudioFile.readAll(
                bench.store.path(of: try #require(mixed["audio"]?.artifacts.first)), as: film.format)
            var inputs = film.inputs
            inputs["mixed"] = mixed["report"]
            let stems = try await bench.run(StemsStage(), inputs)
            func read(_ name: String) throws -> [Float] {
                let artifact = try #require(stems[name]?.artifacts.first)
                #expect(artifact.type == "wav")
                return try AudioFile.readAll(bench.store.path(of: artifact), as: film.format)
            }
            let (dialogue, background) = try (read("dialogue"), read("background"))
            try #require(dialogue.count == dub.count && background.count == dub.count)
            let off = dub.indices.map { abs(dub[$0] - dialogue[$0] - background[$0]) }.max() ?? 1
            #expect(off < 1e-5, "the limiter has nothing to do here")
            let width = film.format.channels
            for window in Film.windows {
                var (wrong, energy) = (0.0, 0.0)
                for frame in Int((window.start + 0.1) * 48_000)..<Int((window.end - 0.1) * 48_000) {
                    for channel in film.layout.voice {
                        let index = frame * width + channel
                        wrong += pow(Double(background[index] - film.bed[index]), 2)
                        energy += pow(Double(film.bed[index]), 2)
                    }
                }
                #expect(wrong < 1e-6 * energy, "the bed and nothing of the voice")
            }
            let source = try AudioFile.readAll(film.source, as: film.format)
            let pause = Int(4.0 * 48_000) * width..<Int(4.5 * 48_000) * width
            #expect(background[pause].elementsEqual(source[pause]), "between the lines the source itself")
        }
    }

    @Test(
        "a profile is met to half a LU and its peaks are held", arguments: ["web", "r128", "netflix", "a85"],
        ["stereo", "5.1"])
    func profiles(name: String, layout: String) async throws {
        try await withBench { bench in
            let film = try await Film(
                bench, layout, bedPeak: 0.05, channels: layout == "5.1" ? [2] : [0, 1], origin: .separated)
            let outputs = try await bench.run(MixStage(), film.inputs, with: ["profile": .string(name)])
            let path = bench.store.path(of: try #require(outputs["audio"]?.artifacts.first))
            let samples = try AudioFile.readAll(path, as: film.format)
            let profile = try LoudnessProfile.named(name)
            var meter = try LoudnessMeter.make(film.format)
            let spans =
                profile.isOfDialogue
                ? Film.windows.map { Span(start: $0.start + 0.1, end: $0.start + 2.3) } : [Span(start: 0, end: 13)]
            for span in spans {
                let range =
                    Int(span.start * 48_000) * film.format.channels..<Int(span.end * 48_000) * film.format.channels
                try meter.add(Array(samples[range]))
            }
            let heard = try #require(try meter.finish().integrated)
            #expect(abs(heard - profile.target) <= 0.5, "\(heard) LUFS")
            let report = try bench.read(MixReport.self, outputs["report"])
            let peak = try #require(report.truePeak)
            var whole = try LoudnessMeter.make(film.format)
            try whole.add(samples)
            #expect(abs((try whole.finish().truePeak ?? 0) - peak) < 0.1)
            #expect(peak <= profile.ceiling - 0.5, "\(peak) dBTP leaves room for a codec")
            #expect(report.profile == name)
            let change = try #require(report.dialogue) - #require(report.source.dialogue) - report.level
            #expect(abs(change) <= 1, "the dialogue keeps its place in the whole: \(change) LU")
        }
    }

    @Test("a bed is chosen by name, by track or by file; what is none is refused")
    func choices() throws {
        #expect(try BedChoice("auto") == .auto)
        #expect(try BedChoice("track:3") == .track(3))
        #expect(try BedChoice("/dev/null") == .file("/dev/null"))
        for wrong in ["loud", "track:x", "track:-1", "", "/nowhere/m&e.wav"] {
            #expect(throws: DubError.self) { try BedChoice(wrong) }
        }
    }
}

/// The model itself is tested in `Workers/tests/test_separate.py`; here the worker takes all for speech.
@Suite struct SeparateStageTests {
    @Test(
        "what is speech is taken out to the sample, across pieces; a centre alone, and equal channels once",
        arguments: [("mono", 1, [0]), ("stereo", 2, [0, 1]), ("same", 1, [0, 1]), ("5.1", 1, [2])]
            as [(String, Int, [Int])])
    func takesOut(kind: String, files: Int, channels: [Int]) async throws {
        try await withBench { bench in
            let format = AudioFormat(sampleRate: 48_000, layout: kind == "same" ? "stereo" : kind)
            var random = SeededRandom(seed: 3)
            let seconds = kind == "mono" || kind == "stereo" ? 61 : 3
            let frames = seconds * 48_000 + 77
            let one = (0..<frames).map { _ in Float.random(in: -1...1, using: &random) }
            let width = format.channels
            var samples = [Float](repeating: 0, count: frames * width)
            for frame in 0..<frames {
                for channel in 0..<width {
                    samples[frame * width + channel] = kind == "same" || channel == 0 ? one[frame] : -one[frame] / 2
                }
            }
            let source = bench.path("source.wav")
            try AudioFile.write(samples, to: source, codec: .pcm16, format: format)
            let stub = try StubWorker(in: bench.folder.appendingPathComponent("worker"))
            let outputs = try await bench.run(
                try stage(stub.worker, bench),
                ["media": .one(try bench.file(source)), "info": try bench.value(try await Media.probe(source))])
            let bed = try AudioFile.readAll(
                bench.store.path(of: try #require(outputs["bed"]?.artifacts.first)),
                as: AudioFormat(sampleRate: 48_000, layout: SeparateStage.layout(of: files)))
            #expect(bed.count == frames * files)
            #expect(bed.allSatisfy { $0 == 0 })
            let record = try bench.read(BedRecord.self, outputs["record"])
            #expect(record.channels == channels && record.origin == .separated)
            let items = try stub.events("batch").flatMap { $0.items ?? [] }
            #expect(items.count == (seconds > 60 ? 2 : 1) * files, "pieces of 60 s")
        }
    }

    @Test(
        "with the real model the bed is what lay behind the voice, in its place and at its level",
        .enabled(if: RealWorker.home != nil, "the worker is not set up"))
    func real() async throws {
        let worker = LocalWorker(home: try #require(RealWorker.home))
        try await withBench { bench in
            let line = bench.path("line.wav")
            _ = try await Synthesis(batcher: Batcher(worker: worker), model: "pico").speak(
                .init(
                    text: "The museum opens at nine in the morning and closes at five.", language: "en",
                    outputPath: line))
            let format = AudioFormat(sampleRate: 48_000)
            let voice = try AudioFile.readAll(line, as: format)
            var random = SeededRandom(seed: 8)
            let bed = voice.map { _ in Float.random(in: -0.05...0.05, using: &random) }
            let film = bench.path("film.wav")
            try AudioFile.write(zip(voice, bed).map { $0 + $1 }, to: film, codec: .pcm16, format: format)
            let entry: JSONValue = ["name": "deepfilternet-3", "task": "separate", "source": ["kind": "bundled"]]
            let outputs = try await bench.run(
                try stage(worker, bench, entry),
                ["media": .one(try bench.file(film)), "info": try bench.value(try await Media.probe(film))])
            let made = try AudioFile.readAll(
                bench.store.path(of: try #require(outputs["bed"]?.artifacts.first)), as: format
            ).map { $0 * 2 }
            func product(_ one: [Float], _ other: [Float]) -> Double {
                zip(one, other).reduce(0) { $0 + Double($1.0) * Double($1.1) }
            }
            let (own, all) = (product(bed, bed), product(made, made))
            #expect(product(made, bed) > 0.9 * (own * all).squareRoot())
            #expect(abs(10 * log10(all / own)) < 1.5)
            #expect(product(made, voice) < 0.18 * product(voice, voice), "the voice is 15 dB down")
        }
        await worker.shutdown()
    }

    @Test("a file of music and effects needs no model, and its bytes are part of the key")
    func supplied() async throws {
        try await withBench { bench in
            let format = AudioFormat(sampleRate: 48_000, layout: "stereo")
            let samples = (0..<96_000).map { Float(sin(Double($0) / 20)) }
            let (film, effects) = (bench.path("film.wav"), bench.path("effects.wav"))
            try AudioFile.write(samples, to: film, codec: .pcm16, format: format)
            try AudioFile.write(samples, to: effects, codec: .pcm16, format: format)
            let stub = try StubWorker(in: bench.folder.appendingPathComponent("worker"))
            let stage = try stage(stub.worker, bench)
            let inputs: [String: StageValue] = [
                "media": .one(try bench.file(film)), "info": try bench.value(try await Media.probe(film)),
            ]
            let outputs = try await bench.run(stage, inputs, with: ["bed": .string(effects)])
            let bed = try AudioFile.readAll(
                bench.store.path(of: try #require(outputs["bed"]?.artifacts.first)), as: format)
            let record = try bench.read(BedRecord.self, outputs["record"])
            let heard = try AudioFile.readAll(effects, as: format)
            #expect(zip(bed, heard).allSatisfy { abs($0 * record.scale - $1) < 1e-6 }, "nothing clips")
            #expect(record.origin == .supplied)
            #expect(try stub.events("batch").isEmpty)
            func key() throws -> [ModelIdentity] {
                try stage.models(
                    for: StageInputs(values: inputs, parameters: ["bed": .string(effects), "model": "auto"]),
                    in: bench.store)
            }
            let before = try key()
            try AudioFile.write(samples.map { $0 / 2 }, to: effects, codec: .pcm16, format: format)
            #expect(try key() != before)
        }
    }

    private func stage(
        _ worker: LocalWorker, _ bench: StageBench,
        _ entry: JSONValue = ["name": "splitter", "task": "separate", "source": ["kind": "bundled"]]
    ) throws -> SeparateStage {
        let path = bench.path("catalogue.json")
        try Data(JSONValue.array([entry]).canonical.utf8).write(to: URL(fileURLWithPath: path))
        return SeparateStage(
            engines: Engines(
                catalogue: try ModelCatalogue.read(path), models: bench.folder.path, batcher: Batcher(worker: worker)))
    }
}

/// The worker of this machine, where it is set up.
private enum RealWorker {
    static let home: WorkerHome? = {
        var environment = ProcessInfo.processInfo.environment
        if environment["DUBMILL_HOME"] == nil {
            environment["DUBMILL_HOME"] =
                URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
                .deletingLastPathComponent().path
        }
        return try? WorkerHome.find(environment: environment)
    }()
}
