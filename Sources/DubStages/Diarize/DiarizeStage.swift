internal import DubCore
internal import DubGraph
internal import DubRunner
internal import DubSpeakers
internal import DubTiming

/// Who speaks in an item; times on the item's timeline.
struct ItemSpeakers: Codable, Hashable, Sendable {
    /// The model that listened; empty where nobody did.
    var model: String
    /// Who, and when.
    var found: Diarization
}

/// Who speaks in a chunk; times from the chunk's start.
struct ChunkTurns: Codable, Hashable, Sendable {
    /// In order, disjoint.
    var turns: [Turn]
    /// The only speaker of the item, where there is one alone.
    var only: String?
}

/// Tells the speakers of an item apart, from how all its chunks sound.
struct DiarizeStage: Stage {
    let signature = StageSignature(
        name: "diarize", version: 1, inputs: [.one("layout"), .list("voices")],
        outputs: [.one("speakers"), .list("turns")], parameters: ["speakers": "auto"])

    func run(_ inputs: StageInputs, in context: StageContext) async throws -> [String: StageValue] {
        let layout = try context.read(Layout.self, "layout", of: inputs)
        let voices = try inputs.list("voices").map { try context.store.read(ChunkVoices.self, from: $0) }
        let windows = zip(voices, layout.chunks).flatMap { chunk, place in
            chunk.windows.map {
                HeardWindow(span: $0.span.shifted(by: place.start), print: $0.print, pitch: $0.pitch)
            }
        }
        var found = Diarizer().diarize(windows, count: try SpeakerCount(inputs).count)
        if found.speakers.isEmpty { found.speakers = [FoundSpeaker(name: "S1", seconds: layout.speech.total)] }
        let only = found.speakers.count == 1 ? found.speakers.first?.name : nil
        let turns = try layout.chunks.map { chunk in
            // Where one person speaks alone, when does not matter, and a recognised line has the same neighbours in
            // every cut of the item.
            let inside =
                only != nil
                ? []
                : found.turns.compactMap { turn -> Turn? in
                    guard let span = turn.span.clipped(to: chunk) else { return nil }
                    let local = Span(
                        start: Self.round(span.start - chunk.start), end: Self.round(span.end - chunk.start))
                    return Turn(span: local, speaker: turn.speaker, also: turn.also)
                }
            return try context.store.put(json: ChunkTurns(turns: inside, only: only))
        }
        let model = voices.first { !$0.model.isEmpty }?.model ?? ""
        return [
            "speakers": .one(try context.store.put(json: ItemSpeakers(model: model, found: found))),
            "turns": .list(turns),
        ]
    }

    /// To a millisecond.
    private static func round(_ seconds: Double) -> Double { (seconds * 1000).rounded() / 1000 }
}
