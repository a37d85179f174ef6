internal import DubCore
internal import DubGraph
internal import DubRunner

/// Puts a person's translations over the machine's, and lists what is to be voiced.
///
/// A take's request holds nothing but what can change its sound, so that a line said twice is voiced once.
struct LinesStage: Stage {
    let signature = StageSignature(
        name: "lines", version: 1, inputs: [.one("lines"), .one("edits")],
        outputs: [.one("lines"), .list("takes")], parameters: ["to": "", "engine": "auto", "voice": ""])

    func run(_ inputs: StageInputs, in context: StageContext) async throws -> [String: StageValue] {
        var chunk = try context.read(ChunkLines.self, "lines", of: inputs)
        let edits = try context.read(EditsPart.self, "edits", of: inputs)
        let target = try Language(inputs.parameters["to"]?.string ?? "")
        var taken: Set<Int> = []
        for line in edits.lines ?? [] {
            guard let index = MergeStage.match(line, in: chunk.lines, except: taken) else { continue }
            taken.insert(index)
            guard let given = line.translations[target], !given.text.isEmpty,
                given.text != chunk.lines[index].translation?.text
            else { continue }
            chunk.lines[index].translation = Translation(
                text: given.text, origin: given.origin == .machine ? .human : given.origin, notes: given.notes)
        }
        let voice = inputs.parameters["voice"]?.string ?? ""
        let takes = try chunk.lines.map { line in
            try context.store.put(
                json: TakeRequest(
                    text: line.translation?.text ?? "", language: target, voice: voice.isEmpty ? nil : voice,
                    engine: inputs.parameters["engine"]?.string ?? "auto"))
        }
        return ["lines": .one(try context.store.put(json: chunk)), "takes": .list(takes)]
    }
}
