import DubCore
import DubGraph
import DubTestKit
import Foundation
import Testing

@testable import DubStages
@testable import DubWorkers

@Suite struct VerdictTests {
    private func check(_ name: String, _ grade: Verdict.Grade, value: Double? = 1, note: String? = nil) -> Verdict.Check
    {
        Verdict.Check(name: name, value: value, unit: "s", limit: "0", grade: grade, note: note)
    }

    @Test("the worst check decides")
    func worst() {
        #expect(Verdict(language: nil, checks: []).verdict == .pass)
        #expect(Verdict(language: nil, checks: [check("a", .pass), check("b", .review)]).verdict == .review)
        #expect(
            Verdict(language: nil, checks: [check("a", .fail), check("b", .review), check("c", .pass)]).verdict == .fail
        )
        #expect([Verdict.Grade.fail, .pass, .review].sorted() == [.pass, .review, .fail])
    }

    @Test("complains of what did not pass alone, with value, limit and note")
    func complaints() {
        let verdict = Verdict(
            language: nil,
            checks: [
                check("good", .pass), check("late", .fail, value: 2.00049, note: "why"),
                check("unknown", .review, value: nil),
            ])
        #expect(
            verdict.complaints == [
                "late is 2.0 s, and has to be 0 (why)", "unknown is unknown, and has to be 0",
            ])
        let error = verdict.error(at: "film.mp4")
        #expect(error.code == .verdictFail)
        #expect(error.place == "film.mp4")
        #expect(error.what.contains("late is 2.0 s"))
        #expect(!error.fix.isEmpty)
    }

    @Test("is the same after a round through JSON")
    func codable() throws {
        let spanish = try Language("es")
        var lines = Verdict.Lines()
        lines.total = 3
        let verdict = Verdict(
            language: spanish, checks: [check("a", .review, value: nil)], lines: lines, engines: ["stub": 3],
            notes: ["n"])
        #expect(try JSONDecoder().decode(Verdict.self, from: JSONEncoder().encode(verdict)) == verdict)
    }
}

@Suite struct CheckNameTests {
    @Test("thresholds for a check that is none are refused, and the one that was meant is named")
    func unknown() throws {
        let rule = GateRules.Rule(most: 0.2)
        let error = #expect(throws: DubError.self) {
            try GateRules(checks: ["speech.iuo": rule]).checked(at: "gate.yaml")
        }
        #expect(error?.code.name == "gate.invalid" && error?.what.contains("`speech.iou`") == true)
        #expect(throws: DubError.self) {
            try GateRules(checks: [:], profiles: ["web": ["loudnes.change": rule]]).checked(at: "gate.yaml")
        }
        #expect(throws: Never.self) { try GateRules(checks: ["speech.iou": rule]).checked(at: "gate.yaml") }
    }

    @Test("every check that is named in the sources and the guide has its place among the names")
    func complete() throws {
        let root = URL(filePath: #filePath).appending(path: "../../..").standardized
        let guide = try String(contentsOf: root.appending(path: "docs/verdict.md"), encoding: .utf8)
        let told = Set(guide.matches(of: /\n\| `([a-z]+(?:\.[a-z0-9-]+)+)`/).map { String($0.1) })
        #expect(told.count > 20 && told.subtracting(Verdict.Check.names).isEmpty, "\(told)")
        let families = Set(Verdict.Check.names.map { $0.prefix { $0 != "." } })
        for room in ["Inspect", "Loudness"] {
            let folder = root.appending(path: "Sources/DubStages/\(room)")
            for file in try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil) {
                let text = try String(contentsOf: file, encoding: .utf8)
                let names = text.matches(of: /"([a-z]+(?:\.[a-z0-9-]+)+)"/).map { String($0.1) }
                    .filter { name in families.contains(name.prefix { $0 != "." }) }
                #expect(Set(names).subtracting(Verdict.Check.names).isEmpty, "\(file.lastPathComponent): \(names)")
            }
        }
    }
}

@Suite struct EnginesTests {
    private func withEngines(_ body: (Engines) async throws -> Void) async throws {
        try await withScratch { scratch in
            let stub = try StubWorker(in: scratch.appendingPathComponent("stub"))
            let models = scratch.appendingPathComponent("models")
            for name in ["first", "second"] {
                let folder = models.appendingPathComponent(name)
                try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
                try Data("weights".utf8).write(to: folder.appendingPathComponent("weights.bin"))
            }
            var large = CatalogueModel.test(name: "large", task: .translate, languages: ["en", "es"])
            large.isInstallable = false
            let catalogue = ModelCatalogue(models: [
                .test(name: "absent", task: .translate, languages: ["en", "es"]),
                .test(name: "first", task: .translate, languages: ["en", "es", "fr"]),
                .test(name: "second", task: .translate, languages: ["en", "es"], digest: "2"), large,
                .test(name: "pair", task: .synthesize, languages: ["nl"]),
            ])
            try await body(
                Engines(catalogue: catalogue, models: models.path, batcher: Batcher(worker: stub.worker)))
        }
    }

    @Test("gives what is installed and fits, best first, the wanted one before all")
    func order() async throws {
        try await withEngines { engines in
            func names(_ wanted: String, _ language: String) throws -> [String] {
                try engines.candidates(for: .translate, wanted: wanted, purpose: "translate") {
                    $0.translates(from: "en", to: language)
                }.map(\.name)
            }
            let (free, wanted, french) = (
                try names("auto", "es"), try names("second", "es"), try names("auto", "fr")
            )
            #expect(free == ["first", "second"])
            #expect(wanted == ["second", "first"])
            #expect(french == ["first"])
        }
    }

    @Test("other weights are another identity")
    func identity() async throws {
        try await withEngines { engines in
            let both = try engines.candidates(for: .translate, wanted: "auto", purpose: "translate")
            #expect(both.count == 2)
            #expect(both.first?.identity.digest != both.last?.identity.digest)
        }
    }

    @Test(
        "refuses by name, with what to do",
        arguments: [
            ("nobody", "es", "worker.model-missing", "Choose one of absent, first, second."),
            ("absent", "es", "worker.model-missing", "dubmill models pull absent"),
            ("second", "fr", "language.unsupported", "See dubmill models list."),
            ("auto", "nl", "language.unsupported", "Choose another language"),
        ])
    func refusals(wanted: String, language: String, code: String, fix: String) async throws {
        try await withEngines { engines in
            let error = await failure {
                _ = try engines.candidates(for: .translate, wanted: wanted, purpose: "translate to \(language)") {
                    $0.translates(from: "en", to: language)
                }
            }
            #expect(error?.code.name == code)
            #expect(error?.fix.contains(fix) == true, "\(error?.fix ?? "")")
        }
    }

    @Test("names what could be fetched where nothing that fits is installed")
    func fetchable() async throws {
        try await withEngines { engines in
            let error = await failure {
                _ = try engines.candidates(for: .synthesize, wanted: "auto", purpose: "speak Dutch")
            }
            #expect(error?.code == .languageUnsupported)
            #expect(error?.fix == "Fetch one: dubmill models pull pair")
        }
    }
}

extension CatalogueModel {
    /// An entry with one file of weights.
    static func test(
        name: String, task: WorkerTask, languages: [String], source: String = "pypi", digest: String = "1"
    ) -> CatalogueModel {
        CatalogueModel(
            name: name, tasks: [task], engine: "stub", languages: languages, pairs: [], licence: "MIT", size: 7,
            files: [File(path: "weights.bin", size: 7, sha256: digest)], source: source, isDefault: false,
            isDraft: false, isInstallable: true, revision: 1, purpose: "", notes: "")
    }
}

@Suite struct PipelinesTests {
    private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("Pipelines")

    @Test(
        "every pipeline that ships fits the stages that there are",
        arguments: try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { $0.hasSuffix(".yaml") })
    func shipped(file: String) async throws {
        try await withScratch { scratch in
            let stub = try StubWorker(in: scratch)
            let engines = Engines(
                catalogue: ModelCatalogue(models: []), models: scratch.path, batcher: Batcher(worker: stub.worker))
            let signatures = StageCatalogue.signatures(of: StageCatalogue.all(engines: engines))
            let path = Self.folder.appendingPathComponent(file)
            let text = try String(contentsOf: path, encoding: .utf8)
            let pipeline = try PipelineReader.read(text, file: file)
            #expect(pipeline.name == String(file.dropLast(5)))
            #expect(!pipeline.summary.isEmpty)
            let isNeeded = pipeline.parameters.contains { $0.name == "to" }
            let graph = try Graph.read(
                text, file: file, stages: signatures, parameters: isNeeded ? ["to": ["es", "pt-BR"]] : [:])
            #expect(!graph.deliveries.isEmpty)
            var plan = Plan(graph)
            #expect(plan.popReady().map { plan.name(of: $0) } == "probe")
            #expect(plan.popReady() == nil, "all else waits for the probe")
        }
    }
}
