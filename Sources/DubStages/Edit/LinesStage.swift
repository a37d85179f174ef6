internal import DubCore
internal import DubGraph
internal import DubRunner
internal import DubTiming

/// Puts a person's translations over the machine's, and lists what is to be voiced.
///
/// A take's request holds nothing but what can change its sound, so that a line said twice in the same time is voiced
/// once.
struct LinesStage: Stage {
    let signature = StageSignature(
        name: "lines", version: 1, inputs: [.one("lines"), .one("edits")],
        outputs: [.one("lines"), .list("takes")], parameters: ["to": "", "engine": "auto", "voice": ""])

    func run(_ inputs: StageInputs, in context: StageContext) async throws -> [String: StageValue] {
        var chunk = try context.read(ChunkLines.self, "lines", of: inputs)
        let edits = try context.read(EditsPart.self, "edits", of: inputs)
        let target = try Language(inputs.parameters["to"]?.string ?? "")
        var taken: Set<Int> = []
        let edited = CueGrouping.joined(edits.lines ?? [], into: chunk.lines.map { ($0.id, $0.window) })
        for line in edited {
            guard let index = MergeStage.match(line, in: chunk.lines, except: taken) else { continue }
            taken.insert(index)
            guard let given = line.translations[target], !given.text.isEmpty,
                given.text != chunk.lines[index].translation?.text
            else { continue }
            chunk.lines[index].translation = Translation(
                text: given.text, origin: given.origin == .machine ? .human : given.origin, notes: given.notes)
        }
        let voice = inputs.parameters["voice"]?.string ?? ""
        let takes = try chunk.lines.indices.map { index in
            try context.store.put(
                json: TakeRequest(
                    text: chunk.lines[index].translation?.text ?? "", language: target,
                    voice: voice.isEmpty ? nil : voice, engine: inputs.parameters["engine"]?.string ?? "auto",
                    seconds: Self.room(for: index, in: chunk.lines)))
        }
        return ["lines": .one(try context.store.put(json: chunk)), "takes": .list(takes)]
    }

    /// A line's own time and some of the silence behind it, in seconds, in steps of a quarter.
    private static func room(for index: Int, in lines: [ChunkLine]) -> Double {
        let window = lines[index].window
        let silence = index + 1 < lines.count ? lines[index + 1].window.start - window.end : 0.3
        return ((window.length + min(0.5, max(0, silence - 0.1))) * 4).rounded(.up) / 4
    }
}
