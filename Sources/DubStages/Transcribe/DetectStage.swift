internal import DubCore
internal import DubGraph
internal import DubRunner
internal import DubWorkers

/// Tells which language is spoken, unless the user said so.
struct DetectStage: Stage {
    let engines: Engines
    let signature = StageSignature(
        name: "detect", version: 1, inputs: [.one("speech"), .one("layout")],
        outputs: [.one("language"), .one("evidence")],
        parameters: ["language": "auto", "model": "auto"], resource: .worker)

    func models(for inputs: StageInputs, in store: any Store) throws -> [ModelIdentity] {
        inputs.parameters["language"] == "auto" ? [try engine(inputs).identity] : []
    }

    private func engine(_ inputs: StageInputs) throws(DubError) -> Engines.Engine {
        try engines.candidates(
            for: .detectLanguage, wanted: inputs.parameters["model"]?.string ?? "auto",
            purpose: "recognise the language")[0]
    }

    func run(_ inputs: StageInputs, in context: StageContext) async throws -> [String: StageValue] {
        if let tag = inputs.parameters["language"]?.string, tag != "auto" {
            return try write(Language(tag), LanguageEvidence(probability: 1, isGiven: true), context)
        }
        let audio = try context.artifact("speech", of: inputs)
        let told = try await LanguageDetection(batcher: engines.batcher, model: engine(inputs).name)
            .tell(ofFile: context.path(of: audio), seconds: Double(audio.size) / 32_000)
        let evidence = LanguageEvidence(probability: told.value.probability, isGiven: false)
        return try write(Language(told.value.language), evidence, context)
    }

    private func write(
        _ language: Language, _ evidence: LanguageEvidence, _ context: StageContext
    ) throws -> [String: StageValue] {
        [
            "language": .one(try context.store.put(json: SpokenLanguage(language: language))),
            "evidence": .one(try context.store.put(json: evidence)),
        ]
    }
}
