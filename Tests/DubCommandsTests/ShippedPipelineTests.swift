import DubCore
import DubStages
import Foundation
import Testing

@testable import DubCommands
@testable import DubGraph

/// The pipelines that ship with dubmill, against the stages that there are.
@Suite struct ShippedPipelineTests {
    static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appendingPathComponent("Pipelines")

    static let files = ((try? FileManager.default.subpathsOfDirectory(atPath: folder.path)) ?? [])
        .filter { $0.hasSuffix(".yaml") && !$0.hasPrefix("gate/") }.sorted()

    private func text(_ file: String) throws -> String {
        try String(contentsOf: Self.folder.appendingPathComponent(file), encoding: .utf8)
    }

    @Test("the thresholds that ship are sound; a file that is none is refused with its name")
    func thresholds() throws {
        let rules = try GateFile.read(Self.folder.appendingPathComponent("gate/standard.yaml").path)
        #expect(rules.checks["speech.lag"]?.within == 0.25)
        #expect(rules.profiles?["r128"]?["loudness.programme"]?.of == -23)
        let error = #expect(throws: DubError.self) {
            try GateFile.read(Self.folder.appendingPathComponent("dub.yaml").path)
        }
        #expect(error?.code.name == "gate.invalid" && error?.place.hasSuffix("dub.yaml") == true)
    }

    @Test("every one is sound, and its plan unfolds to its end", arguments: files)
    func unfolds(file: String) throws {
        let path = Self.folder.appendingPathComponent(file).path
        let pipeline = try PipelineFiles.read(path)
        let given: [String: JSONValue] = pipeline.parameters.contains { $0.name == "to" } ? ["to": "es,fr"] : [:]
        for profile in [nil] + pipeline.profiles.map({ Optional($0.name) }) {
            let graph = try Graph.read(
                text(file), file: path, stages: StageCatalogue.signatures,
                parameters: Machine.profile(profile, of: path).merging(given) { $1 }, include: PipelineFiles.include)
            var plan = Plan(graph)
            var names: Set<String> = []
            while let node = plan.popReady() {
                let step = graph.steps[plan.nodes[node].step]
                names.insert(step.name)
                let inputs = plan.inputs(of: node, given: ["item": artifact("item")])
                for input in step.signature.inputs where !input.isOptional {
                    #expect(inputs.values[input.name] != nil, "\(step.name) gets no \(input.name)")
                }
                plan.finish(
                    node,
                    outputs: Dictionary(
                        uniqueKeysWithValues: step.signature.outputs.map { output in
                            let name = "\(plan.name(of: node)) \(output.name)"
                            return (
                                output.name,
                                output.isList
                                    ? .list([artifact(name + "1"), artifact(name + "2")]) : .one(artifact(name))
                            )
                        }))
            }
            #expect(plan.isFinished)
            #expect(names.isSubset(of: graph.steps.map(\.name)))
            #expect(!graph.deliveries.isEmpty && !graph.name.isEmpty)
        }
    }

    @Test("the files that the documentation shows are sound")
    func documented() throws {
        let page = try String(
            contentsOf: Self.folder.appendingPathComponent("../docs/pipelines.md"), encoding: .utf8)
        let blocks = page.components(separatedBy: "```yaml\n").dropFirst()
            .compactMap { $0.components(separatedBy: "```").first }
        let files = blocks.filter { $0.contains("version: 1\n") }
        #expect(files.count == 2)
        for text in files {
            let faults = Graph.faults(in: text, file: "docs.yaml", stages: StageCatalogue.signatures) {
                (name: String, _: String) throws(DubError) in
                let path = Self.folder.appendingPathComponent("\(name).yaml").path
                return PipelineSource(file: path, text: try PipelineFiles.text(of: path))
            }
            #expect(faults.isEmpty, "\(faults)\n\(text)")
        }
    }

    @Test("every one names the schema beside it in its first line", arguments: files)
    func firstLine(file: String) throws {
        let way = String(repeating: "../", count: file.split(separator: "/").count - 1)
        let line = try text(file).prefix { $0 != "\n" }
        #expect(line == "# yaml-language-server: $schema=\(way.isEmpty ? "./" : way)schema.json")
    }

    @Test("the schema that lies beside them is the one that the program prints")
    func schema() throws {
        #expect(
            try text("schema.json") == PipelineCommand.Schema.text() + "\n",
            "write it anew: dubmill pipeline schema > Pipelines/schema.json")
    }

    @Test(
        "a validator of JSON Schema accepts every one, and refuses what the reader refuses",
        .enabled(if: Python.hasSchema, "Python's jsonschema is not installed"))
    func validated() async throws {
        let sound = try Self.files.map { try json(text($0)) }
        let head = "version: 1\nname: x\n"
        let broken = [
            "name: x\nstages: {probe: {in: {media: item}}}", head, head + "stages: {}",
            head + "stages: {probe: {in: {medium: item}}}", head + "stages: {probe: {in: {media: item}, wiht: {}}}",
            head + "stages: {probe: {in: {media: item}, with: {damage: x}}}",
            head + "stages: {p: {uses: probe, in: {media: item}, with: {damage: x}}}",
            head + "stages: {probe: {in: {media: a.b.c}}}", head + "stages: {probe: {retry: 0}}",
            head + "stages: {probe: {timeout: 10}}", head + "stages: {probe: {tolerate: many}}",
            head + "stages: {probe: {when: loud}}", head + "stages: {probe: {resources: {memory: 4G}}}",
            head + "parameters: {a: {type: texts}}\nstages: {probe: {}}",
            head + "stages: {x: {uses: exec, out: {a: [b, c]}}}",
            head + "stages: {x: {uses: exec, with: {command: a}}}",
        ]
        for text in broken {
            #expect(!Graph.faults(in: text, file: "p.yaml", stages: StageCatalogue.signatures).isEmpty, "\(text)")
        }
        let request: JSONValue = [
            "schema": try JSONValue.parse(Data(PipelineCommand.Schema.text().utf8)),
            "documents": .array(sound + (try broken.map(json))),
        ]
        let answer = try Python.run(
            """
            import json, sys
            import jsonschema
            request = json.load(sys.stdin)
            jsonschema.Draft202012Validator.check_schema(request["schema"])
            validator = jsonschema.Draft202012Validator(request["schema"])
            print(json.dumps([[error.message for error in validator.iter_errors(d)] for d in request["documents"]]))
            """, stdin: request.canonical)
        let errors = try JSONDecoder().decode([[String]].self, from: Data(answer.utf8))
        for (file, errors) in zip(Self.files, errors) { #expect(errors.isEmpty, "\(file): \(errors)") }
        for (text, errors) in zip(broken, errors.dropFirst(sound.count)) { #expect(!errors.isEmpty, "\(text)") }
    }

    private func json(_ text: String) throws -> JSONValue {
        let (root, faults) = SourceText.read(text, file: "p.yaml")
        #expect(faults.isEmpty)
        return try #require(root).json
    }

    private func artifact(_ text: String) -> Artifact { Artifact(digest: .of(text), size: 1, type: "txt") }
}

/// The Python of the machine, where there is one.
enum Python {
    static let hasSchema = (try? run("import jsonschema; jsonschema.Draft202012Validator; print('yes')")) == "yes\n"

    struct Failed: Error {}

    /// What a script prints.
    static func run(_ script: String, stdin: String = "") throws -> String {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["python3", "-c", script]
        let (input, output) = (Pipe(), Pipe())
        process.standardInput = input
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        try process.run()
        try input.fileHandleForWriting.write(contentsOf: Data(stdin.utf8))
        try input.fileHandleForWriting.close()
        let read = try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw Failed() }
        return String(decoding: read, as: UTF8.self)
    }
}

@Suite struct PipelineFileTests {
    @Test("includes go by path from the file that names them, or by a shipped name")
    func includes() async throws {
        try await withFolder { folder in
            try FileManager.default.createDirectory(
                at: folder.appendingPathComponent("shared"), withIntermediateDirectories: true)
            try Data("version: 1\nparameters: {a: {type: text}}\n".utf8).write(
                to: folder.appendingPathComponent("shared/base.yaml"))
            let own = folder.appendingPathComponent("own.yaml")
            try Data("version: 1\ninclude: ./shared/base.yaml\nstages: {probe: {in: {media: item}}}\n".utf8).write(
                to: own)
            #expect(try PipelineFiles.read(own.path).parameters.map(\.name) == ["a"])
            try Data("version: 1\ninclude: shared/../own.yaml\nstages: {}\n".utf8).write(to: own)
            let error = #expect(throws: DubError.self) { try PipelineFiles.read(own.path) }
            #expect(error?.what.contains("circle") == true)
        }
    }

    private func withFolder(_ body: (URL) async throws -> Void) async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("dubtest-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        try await body(folder)
    }
}
