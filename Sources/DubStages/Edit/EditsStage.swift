internal import DubCore
internal import DubGraph
internal import DubRunner
internal import DubTiming

/// The lines of a script that a person handed in, as far as they belong to one chunk; times from the chunk's start.
struct EditsPart: Codable, Hashable, Sendable {
    /// `nil` where no script was handed in: the recognised lines hold.
    var lines: [Line]?
}

/// Cuts a script that a person handed in along the chunks, so that a change touches the chunks it lies in alone.
///
/// A line belongs to the chunk in which its middle lies.
struct EditsStage: Stage {
    let signature = StageSignature(
        name: "edits", version: 1, inputs: [.optional("edits"), .one("layout")], outputs: [.list("parts")])

    func run(_ inputs: StageInputs, in context: StageContext) async throws -> [String: StageValue] {
        let layout = try context.read(Layout.self, "layout", of: inputs)
        guard let artifact = inputs.artifact("edits") else {
            let none = try context.store.put(json: EditsPart(lines: nil))
            return ["parts": .list(layout.chunks.map { _ in none })]
        }
        let script = try context.store.read(Script.self, from: artifact)
        var parts = layout.chunks.map { _ in [Line]() }
        for line in script.lines {
            let middle = (line.start.seconds + line.end.seconds) / 2
            let index = layout.chunks.lastIndex { $0.start <= middle } ?? 0
            guard parts.indices.contains(index) else { continue }
            var moved = line
            let offset = layout.chunks[index].start
            moved.start = MediaTime(seconds: line.start.seconds - offset)
            moved.end = MediaTime(seconds: line.end.seconds - offset)
            moved.words = []
            parts[index].append(moved)
        }
        return ["parts": .list(try parts.map { try context.store.put(json: EditsPart(lines: $0)) })]
    }
}
