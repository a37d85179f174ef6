internal import DubCore
internal import DubGraph
internal import DubRunner
internal import DubTiming

/// Decides where every take goes, and writes the script of the dub.
struct FitStage: Stage {
    let signature = StageSignature(
        name: "fit", version: 2, inputs: [.one("layout"), .list("lines"), .list("takes")],
        outputs: [.one("placement"), .one("script")], parameters: ["to": "", "lead-in": 0])

    /// Silence kept at the very end, in seconds, so that no word touches the last sample.
    private static let tail = 0.3

    func run(_ inputs: StageInputs, in context: StageContext) async throws -> [String: StageValue] {
        let layout = try context.read(Layout.self, "layout", of: inputs)
        let target = try Language(inputs.parameters["to"]?.string ?? "")
        let chunks = try inputs.list("lines").map { try context.store.read(ChunkLines.self, from: $0) }
        let takes = try inputs.list("takes").map { try context.store.read(TakeRecord.self, from: $0) }
        let lines = ScriptAssembly.lines(chunks, layout)
        guard lines.count == takes.count, let source = chunks.first?.language else {
            throw DubError(
                .internal, "There are \(lines.count) lines and \(takes.count) takes.", at: "fit",
                fix: "Please report this.")
        }
        let wanted = zip(lines, takes).map { one, take in
            FitLine(
                window: one.line.window, speech: one.line.speech, speaker: one.line.speaker,
                take: Take(duration: take.seconds, speech: take.speech))
        }
        let leadIn = inputs.parameters["lead-in"]?.double ?? -1
        guard (0...5).contains(leadIn) else {
            throw DubError(
                .parameterInvalid, "A lead-in of \(leadIn) s cannot be kept.", at: "lead-in", fix: "Give 0 to 5.")
        }
        let placed = Fit().place(wanted, duration: max(0.2, layout.duration - Self.tail), leadIn: leadIn)
        let entries = zip(zip(lines, takes), placed).map { pair, placed in
            let translation = pair.0.line.translation
            let missing = pair.0.line.terms?[target]?.missing(in: translation?.text ?? "")
            return Placement.Entry(
                id: pair.0.id, window: pair.0.line.window, text: translation?.text ?? "", placed: placed,
                engines: Placement.Engines(
                    translator: translation?.engine ?? "", voice: pair.1.engine,
                    isDraft: pair.1.isDraft || translation?.notes.contains("draft engine") == true,
                    isFallback: translation?.notes.contains { $0.contains(" failed: ") } == true),
                notes: (translation?.notes ?? []) + pair.1.notes
                    + (missing ?? []).map { "the glossary's “\($0)” is missing" },
                missing: missing)
        }
        let voiced = zip(lines, placed).filter { !$1.pieces.isEmpty }.flatMap { $0.0.line.speech }
        let placement = Placement(
            language: target, duration: layout.duration, sourceSpeech: voiced.merged(), lines: entries)
        let script = ScriptAssembly.script(lines, language: source, target: target, duration: layout.duration)
        return [
            "placement": .one(try context.store.put(json: placement)),
            "script": .one(try context.store.put(json: script)),
        ]
    }
}
