internal import DubCore
internal import DubGraph
internal import DubRunner

/// Writes the script of an item that is not voiced.
struct ScriptStage: Stage {
    let signature = StageSignature(
        name: "script", version: 1, inputs: [.one("layout"), .list("lines")], outputs: [.one("script")],
        parameters: ["to": ""])

    func run(_ inputs: StageInputs, in context: StageContext) async throws -> [String: StageValue] {
        let layout = try context.read(Layout.self, "layout", of: inputs)
        let chunks = try inputs.list("lines").map { try context.store.read(ChunkLines.self, from: $0) }
        guard let language = chunks.first?.language else {
            throw DubError(
                .speechNone, "Nothing was recognised in this file.", at: "the dialogue stream",
                fix: "Check that the right audio stream is flagged as default.")
        }
        let lines = ScriptAssembly.lines(chunks, layout)
        let tag = inputs.parameters["to"]?.string ?? ""
        let script = ScriptAssembly.script(
            lines, language: language, target: tag.isEmpty ? nil : try Language(tag), duration: layout.duration)
        return ["script": .one(try context.store.put(json: script))]
    }
}
