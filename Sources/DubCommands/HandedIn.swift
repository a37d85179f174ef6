internal import DubCore
internal import DubGraph
internal import DubRunner
internal import DubStages
internal import DubStorage
internal import Foundation

/// What a run hands to its plans beside the items: a script, a cast, thresholds, and files beside the pipeline.
enum HandedIn {
    /// All of it, by the graph's names.
    ///
    /// - Throws: `input.missing`, `gate.invalid`, and what a script or a cast is refused for; `output.unwritable` of the
    ///   store.
    static func read(
        script: String?, cast: String?, gate: String?, for graph: Graph, in store: FileStore
    ) async throws -> [String: RunItem.Given] {
        var given = [
            "edits": try await edits(script, for: graph, in: store), "cast": try self.cast(cast, in: store),
            "gate": try GateFile.given(gate),
        ].compactMapValues(\.self)
        for path in graph.files { given[path] = try file(path, in: store) }
        return given
    }

    /// A cast, as an artifact.
    private static func cast(_ path: String?, in store: FileStore) throws -> RunItem.Given? {
        guard let path else { return nil }
        let artifact = try store.put(json: CastFile.read(path))
        return RunItem.Given(artifact: artifact, path: store.path(of: artifact))
    }

    /// A file beside the pipeline, copied: it may be edited while it is used.
    private static func file(_ path: String, in store: FileStore) throws -> RunItem.Given {
        guard
            let bytes = FileIdentity(path: path) == nil
                ? nil : try? Data(contentsOf: URL(filePath: path), options: .mappedIfSafe)
        else {
            throw DubError(
                .inputMissing, "The pipeline reads a file that is not there.", at: path,
                fix: "Put it there, or correct its name in the pipeline.")
        }
        let artifact = try store.put(bytes, type: (path as NSString).pathExtension.lowercased())
        return RunItem.Given(artifact: artifact, path: store.path(of: artifact))
    }

    /// A script, as an artifact.
    private static func edits(
        _ path: String?, for graph: Graph, in store: FileStore
    ) async throws -> RunItem.Given? {
        guard let path else { return nil }
        let targets = try (graph.parameters["to"]?.array ?? []).compactMap(\.string).map { try Language($0) }
        let named = (((path as NSString).deletingPathExtension as NSString).pathExtension)
        let target = targets.first { $0.tag == named } ?? targets.first
        let script = try await ScriptFile.read(path, target: target)
        let artifact = try store.put(json: script)
        return RunItem.Given(artifact: artifact, path: store.path(of: artifact))
    }
}
