import DubCore
import DubTestKit
import DubWorkers
import Foundation
import Testing

/// Where the worker of this machine is, if it is set up with the models that these tests use.
private let home: WorkerHome? = {
    var environment = ProcessInfo.processInfo.environment
    if environment["DUBMILL_HOME"] == nil {
        let file = URL(fileURLWithPath: #filePath)
        environment["DUBMILL_HOME"] =
            file.deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path
    }
    guard let home = try? WorkerHome.find(environment: environment),
        let catalogue = try? ModelCatalogue.read(home.catalogue),
        ["whisper-base", "silero-vad", "pico"].allSatisfy({
            catalogue[$0]?.state(in: home.models) != .missing
        })
    else { return nil }
    return home
}()

/// The worker itself, with its models; skipped where `make setup` has not been run.
@Suite(.enabled(if: home != nil, "the worker is not set up")) struct RealWorkerTests {
    @Test("speaks Spanish, hears that it is speech and Spanish, and recognises and translates what was said")
    func roundTrip() async throws {
        let home = try #require(home)
        let log = Box<[String]>([])
        let worker = LocalWorker(home: home, log: { line in log.update { $0.append(line) } })
        let capabilities = try await worker.capabilities()
        #expect(capabilities.model("whisper-base", for: .transcribe)?.isInstalled == true)
        #expect(capabilities.model("pico", for: .synthesize)?.voices["es"]?.isEmpty == false)
        let translator = try #require(capabilities.model("apertium", for: .translate))
        let batcher = Batcher(worker: worker)
        try await withScratch { scratch in
            let path = scratch.appendingPathComponent("line.wav").path
            let text = "Buenos días a todos. Hoy hablamos de la historia del cine."
            let spoken = try await Synthesis(batcher: batcher, model: "pico")
                .speak(.init(text: text, language: "es", outputPath: path))
            #expect((2...8).contains(spoken.value.audio.seconds))
            let seconds = spoken.value.audio.seconds
            let speech = try await SpeechDetection(batcher: batcher, model: "silero-vad")
                .find(inFile: path, seconds: seconds)
            #expect(abs(speech.value.duration.seconds - seconds) < 0.01)
            #expect(!speech.value.segments.isEmpty)
            let language = try await LanguageDetection(batcher: batcher, model: "whisper-base")
                .tell(ofFile: path, speech: speech.value.segments, seconds: seconds)
            #expect(language.value.language == "es")
            let heard = try await Transcription(batcher: batcher, model: "whisper-base")
                .recognise(file: path, language: "es", seconds: seconds)
            let words = heard.value.segments.flatMap(\.words)
            #expect(heard.value.segments.map(\.text).joined(separator: " ").lowercased().contains("historia"))
            #expect(words.count > 5)
            #expect(words.map(\.start) == words.map(\.start).sorted())
            if translator.isInstalled, translator.translates(from: "es", to: "en") {
                let english = try await TranslationCall(batcher: batcher, model: "apertium")
                    .translate(.init(text: "La casa es grande.", source: "es", target: "en"))
                #expect(english.value.text.lowercased().contains("house"))
            }
            let bad = await failure {
                _ = try await Transcription(batcher: batcher, model: "whisper-base")
                    .recognise(file: "/nowhere.wav", language: "es", seconds: 1)
            }
            #expect(bad?.code == .workerBadAudio)
        }
        let pid = try #require(await worker.processID)
        let begin = ContinuousClock.now
        await worker.shutdown()
        #expect(ContinuousClock.now - begin < .seconds(3))
        #expect(!FileManager.default.fileExists(atPath: "/proc/\(pid)"))
        #expect(!log.value.isEmpty)
    }

    @Test("conforms to the protocol")
    func conformance() async throws {
        let worker = LocalWorker(home: try #require(home))
        try await withScratch { scratch in
            let checks = try await ConformanceSuite(try await worker.endpoint(), folder: scratch).run()
            let failed = checks.filter { $0.verdict == .fail }
            #expect(failed.isEmpty, "\(failed)")
            #expect(checks.count > 25)
        }
        await worker.shutdown()
    }

    @Test("asks a chat server for translations, with the key that is ours to give")
    func chat() async throws {
        let asked = Box<[LoopbackConnection.Request]>([])
        let server = try LoopbackServer { connection in
            guard let request = connection.readRequest() else { return }
            asked.update { $0.append(request) }
            let text = "El tren sale a las siete."
            connection.answer(#"{"choices":[{"finish_reason":"stop","message":{"content":"\#(text)"}}]}"#)
        }
        let key = try #require(WorkerToken("sk-secret"))
        let chat = ChatServer(url: "http://127.0.0.1:\(server.port)/v1", model: "Some/Model-7B", key: key)
        let log = Box<[String]>([])
        let worker = LocalWorker(home: try #require(home), chat: chat) { line in log.update { $0.append(line) } }
        let line = try await TranslationCall(batcher: Batcher(worker: worker), model: "Some/Model-7B")
            .translate(.init(text: "The train leaves at seven.", source: "en", target: "es"))
        #expect(line.value.text == "El tren sale a las siete.")
        #expect(line.value.engine == "Some/Model-7B")
        #expect(asked.value.first?.head.contains("Authorization: Bearer sk-secret") == true)
        let model = try #require(try await worker.capabilities().model("Some/Model-7B", for: .translate))
        #expect(Set(model.languages) == Set(ChatServer.languages))
        #expect(!log.value.contains { $0.contains("sk-secret") })
        await worker.shutdown()
    }

    @Test("reads the catalogue that comes with the worker")
    func catalogue() throws {
        let home = try #require(home)
        let catalogue = try ModelCatalogue.read(home.catalogue)
        for task in [WorkerTask.detectSpeech, .detectLanguage, .transcribe, .translate, .synthesize, .separate] {
            #expect(catalogue.models(for: task).contains { $0.isDefault }, "no default for \(task.rawValue)")
        }
        for model in catalogue.models {
            #expect(!model.licence.isEmpty && !model.engine.isEmpty, "\(model.name)")
            for digest in model.files.compactMap(\.sha256) { #expect(Digest(hex: digest) != nil) }
        }
    }
}
