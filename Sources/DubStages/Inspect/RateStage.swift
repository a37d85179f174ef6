internal import DubCore
internal import DubGraph
internal import DubRunner

/// Rates a piece of a dub, or of its source, as listeners would.
struct RateStage: Stage {
    let engines: Engines
    let signature = StageSignature(
        name: "rate", version: 1, inputs: [.one("audio"), .optional("task")], outputs: [.one("rating")],
        parameters: ["listen": true], resource: .worker)

    private func rater(_ inputs: StageInputs) -> Rater? {
        inputs.parameters["listen"]?.bool == false ? nil : Rater(engines)
    }

    func models(for inputs: StageInputs, in store: any Store) throws -> [ModelIdentity] {
        rater(inputs).map { [$0.identity] } ?? []
    }

    func run(_ inputs: StageInputs, in context: StageContext) async throws -> [String: StageValue] {
        let audio = try context.artifact("audio", of: inputs)
        let task = try inputs.artifact("task").map { try context.store.read(PieceTask.self, from: $0) }
        // 16 bits at 16 kHz, which the header lengthens by next to nothing.
        let seconds = task?.seconds ?? Double(audio.size) / 32_000
        var rating = Rating()
        if let rater = rater(inputs), task?.hasWords ?? true {
            rating = try await rater.rate(context.path(of: audio), seconds: seconds)
        }
        return ["rating": .one(try context.store.put(json: rating))]
    }
}
