internal import DubCore
internal import DubGraph
internal import DubRunner
internal import DubSpeakers
internal import DubTiming

/// Puts a person's lines over the recognised ones: their text and times hold. Their speakers come in behind the
/// translation, which does not depend on who speaks.
///
/// A line that the person left as it was stays exactly what was recognised, so that nothing behind it runs again. Each
/// line takes along the terms of the glossary that occur in it: another glossary translates no line anew but those.
struct MergeStage: Stage {
    let signature = StageSignature(
        name: "merge", version: 2, inputs: [.one("lines"), .one("edits"), .optional("cast")],
        outputs: [.one("lines")])

    func run(_ inputs: StageInputs, in context: StageContext) async throws -> [String: StageValue] {
        let recognised = try context.read(ChunkLines.self, "lines", of: inputs)
        let edits = try context.read(EditsPart.self, "edits", of: inputs)
        var merged = Self.merge(recognised, edits)
        if let cast = try inputs.artifact("cast").map({ try context.store.read(Cast.self, from: $0) }) {
            Self.note(cast.glossary ?? [:], in: &merged)
        }
        return ["lines": .one(try context.store.put(json: merged))]
    }

    static func merge(_ recognised: ChunkLines, _ edits: EditsPart) -> ChunkLines {
        guard let edited = edits.lines else { return recognised }
        let lines = CueGrouping.joined(edited, into: recognised.lines.map { ($0.id, $0.window) })
        var merged = recognised
        var taken: Set<Int> = []
        merged.lines = lines.map { line in
            guard let index = match(line, in: recognised.lines, except: taken) else { return fresh(line, recognised) }
            taken.insert(index)
            return apply(line, to: recognised.lines[index], recognised)
        }
        return merged
    }

    private static func note(_ glossary: [String: [String: String]], in chunk: inout ChunkLines) {
        for index in chunk.lines.indices {
            let text = chunk.lines[index].text
            let terms = glossary.mapValues { Glossary(terms: $0).occurring(in: text) }
                .filter { !$0.value.terms.isEmpty }
            if !terms.isEmpty { chunk.lines[index].terms = terms }
        }
    }

    /// The recognised line that an edited one stands for: by id, else the one it shares most time with.
    static func match(_ line: Line, in lines: [ChunkLine], except taken: Set<Int>) -> Int? {
        if let index = lines.firstIndex(where: { line.id == $0.id || line.id.hasPrefix($0.id + ".") }),
            !taken.contains(index)
        {
            return index
        }
        let window = span(of: line)
        let shared = lines.indices.filter { !taken.contains($0) }
            .map { ($0, lines[$0].window.overlap(window)) }
            .max { $0.1 < $1.1 }
        guard let shared, shared.1 >= 0.5 * min(window.length, lines[shared.0].window.length), shared.1 > 0 else {
            return nil
        }
        return shared.0
    }

    private static func apply(_ line: Line, to old: ChunkLine, _ chunk: ChunkLines) -> ChunkLine {
        var new = old
        let window = span(of: line)
        // An export rounds: what moved by less is what it was.
        if abs(window.start - old.window.start) > 0.005 || abs(window.end - old.window.end) > 0.005 {
            new.window = window
            new.speech = speech(in: window, of: chunk)
        }
        if !line.text.isEmpty, line.text != old.text {
            new.text = line.text
            new.words = []
        }
        return new
    }

    /// A line that nobody recognised.
    private static func fresh(_ line: Line, _ chunk: ChunkLines) -> ChunkLine {
        let window = span(of: line)
        let id = line.id.isEmpty ? "new-" + Digest.of("\(window.start) \(line.text)").short.prefix(8) : line.id
        let heard = chunk.lines.filter { $0.window.overlap(window) > 0 }.map(\.text).joined(separator: " ")
        return ChunkLine(
            id: id, window: window, speech: speech(in: window, of: chunk), speaker: nil,
            text: line.text.isEmpty ? heard : line.text, words: [], translation: nil)
    }

    private static func speech(in window: Span, of chunk: ChunkLines) -> [Span] {
        let parts = chunk.lines.flatMap(\.speech).compactMap { $0.clipped(to: window) }.merged()
        return parts.isEmpty ? [window] : parts
    }

    private static func span(of line: Line) -> Span {
        Span(start: max(0, line.start.seconds), end: max(line.start.seconds + 0.05, line.end.seconds))
    }
}
