import DubCore
import DubTestKit
import DubWorkers
import Foundation
import Testing

@Suite struct CallsTests {
    @Test("speaks, finds the speech, tells the language, recognises and translates, all through one worker")
    func roundTrip() async throws {
        try await withScratch { scratch in
            let stub = try StubWorker(in: scratch)
            let batcher = Batcher(worker: stub.worker)
            let path = scratch.appendingPathComponent("line.wav").path
            let spoken = try await Synthesis(batcher: batcher, model: "stub-synthesize").speak(
                .init(text: "Hola a todos", language: "es", rate: 1.2, outputPath: path))
            #expect(spoken.value.audio.path == path)
            #expect(spoken.value.audio.sampleRate == 16000)
            #expect(abs(spoken.value.audio.seconds - (12 * 0.06 / 1.2 + 0.1)) < 0.001)
            #expect(spoken.value.speech.start == MediaTime(seconds: 0.05))
            #expect(spoken.seconds == ModelSeconds(wall: 0.5, cpu: 0.25))
            #expect(FileManager.default.fileExists(atPath: path))

            var behaviour = StubWorker.Behaviour()
            behaviour.transcripts["line.wav"] = .init(
                "Hola a todos", language: "es", segments: [[0.05, 0.65]])
            try stub.become(behaviour)
            let seconds = spoken.value.audio.seconds
            let speech = try await SpeechDetection(batcher: batcher, model: "stub-detect_speech")
                .find(inFile: path, seconds: seconds)
            #expect(
                speech.value.segments == [
                    .init(start: MediaTime(seconds: 0.05), end: MediaTime(seconds: 0.65))
                ])
            let language = try await LanguageDetection(batcher: batcher, model: "stub-detect_language")
                .tell(ofFile: path, seconds: seconds)
            #expect(language.value.language == "es")
            #expect(language.value.candidates.map(\.language) == ["es", "xx"])
            let heard = try await Transcription(batcher: batcher, model: "stub-transcribe")
                .recognise(file: path, language: nil, seconds: seconds)
            #expect(heard.value.language == "es")
            #expect(heard.value.segments.map(\.text) == ["Hola a todos"])
            let words = heard.value.segments.flatMap(\.words).map { $0.word(movedBy: MediaTime(seconds: 10)) }
            #expect(words.map(\.text) == ["Hola", "a", "todos"])
            #expect(words.first?.start == MediaTime(seconds: 10))
            let translated = try await TranslationCall(batcher: batcher, model: "stub-translate")
                .translate(.init(text: "Hola a todos", before: ["¿Qué tal?"], source: "es", target: "en"))
            #expect(
                translated.value.translation
                    == Translation(text: "[en] Hola a todos", origin: .machine, engine: "stub-translate"))
            await stub.worker.shutdown()
        }
    }

    @Test("passes on what the worker says against an item")
    func faults() async throws {
        try await withScratch { scratch in
            var behaviour = StubWorker.Behaviour()
            behaviour.unsupported = ["nl"]
            let stub = try StubWorker(in: scratch, behaviour: behaviour)
            let batcher = Batcher(worker: stub.worker)
            let wrong = await failure {
                _ = try await TranslationCall(batcher: batcher, model: "stub-translate")
                    .translate(.init(text: "Hello", source: "en", target: "nl"))
            }
            #expect(wrong?.code == .workerUnsupportedLanguage)
            #expect(wrong?.place == "translate with stub-translate")
            let missing = await failure {
                _ = try await Transcription(batcher: batcher, model: "stub-transcribe")
                    .recognise(file: "/nowhere.wav", language: "en", seconds: 1)
            }
            #expect(missing?.code == .workerBadAudio)
            let absent = await failure {
                _ = try await Transcription(batcher: batcher, model: "absent")
                    .recognise(file: "/nowhere.wav", language: "en", seconds: 1)
            }
            #expect(absent?.code == .workerModelMissing)
            await stub.worker.shutdown()
        }
    }

    @Test("refuses an output of another shape, and an item that is left out")
    func shape() async throws {
        let odd = Batcher(worker: FixedWorker(outcome: .done(["text": 7])))
        let call = TranslationCall(batcher: odd, model: "m")
        let request = TranslationCall.Request(text: "Hello", source: "en", target: "es")
        #expect(await failure { _ = try await call.translate(request) }?.code == .workerProtocol)
        let silent = TranslationCall(batcher: Batcher(worker: FixedWorker(outcome: nil)), model: "m")
        #expect(await failure { _ = try await silent.translate(request) }?.code == .workerProtocol)
    }
}

/// A worker that says the same to every item, or nothing.
private struct FixedWorker: Worker {
    var outcome: ItemResult.Outcome?

    func capabilities() async throws -> Capabilities { Capabilities(tasks: [:]) }

    func batch(_ request: BatchRequest, onResult: @Sendable (ItemResult) -> Void) async throws -> [ItemResult] {
        guard let outcome else { return [] }
        let results = request.items.map { ItemResult(id: $0["id"]?.string ?? "", outcome: outcome) }
        results.forEach(onResult)
        return results
    }
}
