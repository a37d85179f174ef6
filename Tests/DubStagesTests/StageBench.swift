import DubCore
import DubGraph
import DubRunner
import DubStorage
import DubTestKit
import Foundation

@testable import DubStages

/// A store in a scratch folder, and stages run by hand in it.
struct StageBench {
    let store: FileStore
    let folder: URL

    init(in folder: URL) throws {
        self.folder = folder
        store = try FileStore(root: folder.appendingPathComponent("store").path)
    }

    func path(_ name: String) -> String { folder.appendingPathComponent(name).path }

    /// Puts a JSON document into the store.
    func value(_ document: some Encodable) throws -> StageValue { .one(try store.put(json: document)) }

    /// Takes a copy of a file into the store.
    func file(_ path: String) throws -> Artifact {
        let copy = self.path("copy-\(UInt32.random(in: .min ... .max))")
        try FileManager.default.copyItem(atPath: path, toPath: copy)
        return try store.adopt(fileAt: copy, type: (path as NSString).pathExtension)
    }

    /// Runs a stage in a scratch folder, its other parameters as they are by default.
    func run(
        _ stage: some Stage, _ values: [String: StageValue], with parameters: [String: JSONValue] = [:]
    ) async throws -> [String: StageValue] {
        let all = stage.signature.parameters.merging(parameters) { $1 }
        return try await stage.run(
            StageInputs(values: values, parameters: all), in: StageContext(store: store))
    }

    func read<Value: Decodable>(_ type: Value.Type = Value.self, _ value: StageValue?) throws -> Value {
        guard let artifact = value?.artifacts.first else {
            throw DubError(.internal, "There is no such output.", at: "test", fix: "none")
        }
        return try store.read(type, from: artifact)
    }
}

func withBench<Value>(_ body: (StageBench) async throws -> Value) async throws -> Value {
    try await withScratch { try await body(StageBench(in: $0)) }
}

extension Language {
    /// A language that the tests know to exist.
    static func known(_ tag: String) throws -> Language { try Language(tag) }
}
