internal import DubCore
internal import DubGraph
internal import DubMedia
internal import DubRunner
internal import DubTiming
internal import Foundation

/// Cuts the dub's sound into pieces that are listened to, each named by its samples.
struct RecutStage: Stage {
    let signature = StageSignature(
        name: "recut", version: 2, inputs: [.one("dub"), .one("placement")],
        outputs: [.list("audio"), .list("tasks"), .one("layout")])

    func run(_ inputs: StageInputs, in context: StageContext) async throws -> [String: StageValue] {
        let placement = try context.read(Placement.self, "placement", of: inputs)
        let path = context.path(of: try context.artifact("dub", of: inputs))
        let pieces = PieceCutter.pieces(
            speech: placement.lines.compactMap(\.placed.span), duration: placement.duration)
        let folder = try context.scratch
        try await MediaThread.run { cancellation in
            try ChunkStage.cut(
                path, into: pieces.map { ChunkStage.samples(of: $0.span) }, folder: folder,
                gain: ListeningGain.of(path, cancellation: cancellation), cancellation: cancellation)
        }
        var (audio, tasks): ([Artifact], [Artifact]) = ([], [])
        for (index, piece) in pieces.enumerated() {
            audio.append(try context.store.adopt(fileAt: "\(folder)/\(index).wav", type: "wav"))
            let seconds = (piece.span.length * 10_000).rounded() / 10_000
            tasks.append(try context.store.put(json: PieceTask(hasWords: piece.isSpoken, seconds: seconds)))
        }
        let layout = PieceLayout(duration: placement.duration, pieces: pieces.map(\.span))
        return [
            "audio": .list(audio), "tasks": .list(tasks), "layout": .one(try context.store.put(json: layout)),
        ]
    }
}
