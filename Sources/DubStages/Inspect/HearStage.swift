internal import DubCore
internal import DubGraph
internal import DubRunner

/// Listens to a piece of a dub: where somebody speaks, in which language, and what is said.
struct HearStage: Stage {
    let engines: Engines
    let signature = StageSignature(
        name: "hear", version: 1, inputs: [.one("audio"), .one("task")], outputs: [.one("heard")],
        parameters: ["to": "", "listen": true, "model": "auto"], resource: .worker)

    private func ear(_ inputs: StageInputs) throws -> Ear {
        try Ear(
            engines, language: Language(inputs.parameters["to"]?.string ?? ""),
            model: inputs.parameters["model"]?.string ?? "auto",
            listens: inputs.parameters["listen"]?.bool ?? true)
    }

    func models(for inputs: StageInputs, in store: any Store) throws -> [ModelIdentity] { try ear(inputs).models }

    func run(_ inputs: StageInputs, in context: StageContext) async throws -> [String: StageValue] {
        let task = try context.read(PieceTask.self, "task", of: inputs)
        let heard = try await ear(inputs).hear(
            context.path(of: try context.artifact("audio", of: inputs)), task)
        return ["heard": .one(try context.store.put(json: heard))]
    }
}
