import DubCore
import DubGraph
import DubRunner
import DubSpeakers
import DubTestKit
import DubTiming
import Foundation
import Testing

@testable import DubStages
@testable import DubWorkers

@Suite struct CastStageTests {
    private let found = Diarization(
        speakers: [
            FoundSpeaker(name: "S1", pitch: 110), FoundSpeaker(name: "S2", pitch: 205),
            FoundSpeaker(name: "S3", pitch: 130),
        ],
        turns: [
            Turn(span: Span(start: 0, end: 4), speaker: "S1"), Turn(span: Span(start: 5, end: 5.5), speaker: "S2"),
            Turn(span: Span(start: 6, end: 9), speaker: "S3"),
        ])

    private func script(_ speakers: [(Double, String?)]) throws -> Script {
        Script(
            language: try Language("en"), duration: MediaTime(seconds: 10),
            lines: speakers.enumerated().map { index, line in
                Line(
                    id: "c1.\(index + 1)", start: MediaTime(seconds: line.0), end: MediaTime(seconds: line.0 + 2),
                    speaker: line.1, text: "A line.", translations: [:])
            })
    }

    private func voices(_ script: Script?) async throws -> [String: CastVoices.Entry] {
        try await withBench { bench in
            let stub = try StubWorker(in: bench.folder.appending(path: "stub"))
            let weights = bench.folder.appending(path: "speaker/weights.bin")
            try FileManager.default.createDirectory(
                at: weights.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data("weights".utf8).write(to: weights)
            var model = CatalogueModel.test(name: "speaker", task: .synthesize, languages: ["es"])
            model.voices = [.init(name: "only", languages: ["es"], hertz: 180)]
            let catalogue = ModelCatalogue(models: [model])
            let stage = CastStage(
                engines: Engines(catalogue: catalogue, models: bench.folder.path, batcher: Batcher(worker: stub.worker))
            )
            var inputs = ["speakers": try bench.value(ItemSpeakers(model: "", found: found))]
            if let script { inputs["edits"] = try bench.value(script) }
            let outputs = try await bench.run(stage, inputs, with: ["to": "es"])
            return try bench.read(CastVoices.self, outputs["voices"]).voices
        }
    }

    @Test("a script that names only some of those who were found leaves every voice as it was")
    func unnamed() async throws {
        let first = try await voices(nil)
        #expect(Set(first.values.map(\.voice)).count == 3)
        let again = try await voices(script([(0.5, "S1"), (6.5, "S3")]))
        #expect(again["S1"] == first["S1"] && again["S3"] == first["S3"])
    }

    @Test("a name that a person gave throughout has the voice of whom it stands for, and nobody else's changes")
    func renamed() async throws {
        let first = try await voices(nil)
        let named = try await voices(script([(0.5, "S1"), (6.5, "Anna")]))
        #expect(named["Anna"] == first["S3"] && named["S1"] == first["S1"] && named["S3"] == nil)
        // Named in one of their lines alone, the two are apart.
        let both = try await voices(script([(0.5, "S1"), (6.5, "Anna"), (7, "S3")]))
        #expect(both["S3"] == first["S3"] && both["Anna"] != nil && both["Anna"]?.voice != both["S3"]?.voice)
    }
}
