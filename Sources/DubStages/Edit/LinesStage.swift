internal import DubCore
internal import DubGraph
internal import DubRunner
internal import DubSpeakers
internal import DubTiming

/// Puts a person's translations over the machine's, says who speaks each line, and lists what is to be voiced.
///
/// A take's request holds nothing but what can change its sound, so that a line said twice in the same time is voiced
/// once.
struct LinesStage: Stage {
    let signature = StageSignature(
        name: "lines", version: 2, inputs: [.one("lines"), .one("edits"), .optional("turns"), .optional("voices")],
        outputs: [.one("lines"), .list("takes")], parameters: ["to": "", "engine": "auto", "voice": ""])

    func run(_ inputs: StageInputs, in context: StageContext) async throws -> [String: StageValue] {
        var chunk = try context.read(ChunkLines.self, "lines", of: inputs)
        let edits = try context.read(EditsPart.self, "edits", of: inputs)
        let target = try Language(inputs.parameters["to"]?.string ?? "")
        let turns = try inputs.artifact("turns").map { try context.store.read(ChunkTurns.self, from: $0) }
        let cast = try inputs.artifact("voices").map { try context.store.read(CastVoices.self, from: $0) }
        if let turns { Self.assign(turns, names: cast?.names ?? [:], to: &chunk) }
        var taken: Set<Int> = []
        let edited = CueGrouping.joined(edits.lines ?? [], into: chunk.lines.map { ($0.id, $0.window) })
        for line in edited {
            guard let index = MergeStage.match(line, in: chunk.lines, except: taken) else { continue }
            taken.insert(index)
            if let speaker = line.speaker {
                chunk.lines[index].speaker = cast?.names[speaker] ?? speaker
            }
            guard let given = line.translations[target], !given.text.isEmpty,
                given.text != chunk.lines[index].translation?.text
            else { continue }
            chunk.lines[index].translation = Translation(
                text: given.text, origin: given.origin == .machine ? .human : given.origin, notes: given.notes)
        }
        let voice = inputs.parameters["voice"]?.string ?? ""
        let takes = try chunk.lines.indices.map { index in
            let entry = chunk.lines[index].speaker.flatMap { cast?.voices[$0] }
            let text = chunk.lines[index].translation?.text ?? ""
            return try context.store.put(
                json: TakeRequest(
                    text: Lexicon.applied(entry?.lexicon ?? [:], to: text), language: target,
                    voice: entry?.voice.voice ?? (voice.isEmpty ? nil : voice), pitch: entry?.voice.pitch,
                    timbre: entry?.voice.timbre, consent: entry?.consent,
                    engine: entry?.engine ?? inputs.parameters["engine"]?.string ?? "auto",
                    seconds: Self.room(for: index, in: chunk.lines)))
        }
        return ["lines": .one(try context.store.put(json: chunk)), "takes": .list(takes)]
    }

    /// Says who speaks each line: whoever is heard for most of it. Where a second person is heard for a third of it or
    /// more, or both at once, the line says so.
    private static func assign(_ turns: ChunkTurns, names: [String: String], to chunk: inout ChunkLines) {
        for index in chunk.lines.indices {
            let speech = chunk.lines[index].speech
            let shares = Diarization.shares(of: turns.turns, in: speech)
            guard let speaker = turns.only ?? shares.first?.speaker else { continue }
            chunk.lines[index].speaker = names[speaker] ?? speaker
            let together = turns.turns.first { turn in
                turn.also != nil && speech.contains { $0.overlap(turn.span) > 0.3 }
            }?.also
            let second = shares.dropFirst().first { $0.seconds > 0.34 * speech.total }?.speaker ?? together
            if let second, second != speaker {
                chunk.lines[index].translation?.notes.append("perhaps two speakers: also \(names[second] ?? second)")
            }
        }
    }

    /// A line's own time and some of the silence behind it, in seconds, in steps of a quarter.
    private static func room(for index: Int, in lines: [ChunkLine]) -> Double {
        let window = lines[index].window
        let silence = index + 1 < lines.count ? lines[index + 1].window.start - window.end : 0.3
        return ((window.length + min(0.5, max(0, silence - 0.1))) * 4).rounded(.up) / 4
    }
}
