internal import DubCore
public import DubGraph
internal import DubSpeakers
public import DubWorkers
internal import Foundation

/// Which models there are on this machine for a task, best first.
///
/// It reads the catalogue and looks for files; no worker is started for it, so that a run in which everything is
/// cached starts none.
public struct Engines: Sendable {
    /// A model that can be asked.
    public struct Engine: Hashable, Sendable {
        /// The catalogue's name.
        public var name: String
        /// Name and weights, for fingerprints.
        public var identity: ModelIdentity
        /// Whether what it makes is only good enough for a draft.
        public var isDraft: Bool
        /// Whether it speaks with somebody's own voice, for which it needs consent.
        var clones = false
        /// The voices that it is known to have.
        var known: [CatalogueModel.Voice] = []

        /// The voices that differ in a language, the default first; empty where they are not known.
        func voices(for language: Language) -> [EngineVoice] {
            known.filter { $0.languages.contains(language.primary) || $0.languages.contains("*") }
                .map { EngineVoice(name: $0.name, hertz: $0.hertz) }
        }
    }

    /// The engine that speaks a language.
    ///
    /// - Throws: as `candidates`.
    func speaking(_ language: Language, wanted: String) throws(DubError) -> Engine {
        try candidates(for: .synthesize, wanted: wanted, purpose: "speak \(language.name)") {
            $0.languages.contains(language.primary)
        }[0]
    }

    /// Where the calls to models go.
    public let batcher: Batcher
    private let catalogue: ModelCatalogue
    private let models: String
    private let elsewhere: Set<String>?

    /// Reads nothing yet but what it is given.
    ///
    /// - Parameter elsewhere: the models that are installed where the workers are; `nil` where that is here, and
    ///   `models` the folder.
    public init(catalogue: ModelCatalogue, models: String, batcher: Batcher, elsewhere: Set<String>? = nil) {
        self.catalogue = catalogue
        self.models = models
        self.batcher = batcher
        self.elsewhere = elsewhere
    }

    /// The installed models for a task, in the catalogue's order; `wanted` moves one to the front.
    ///
    /// - Parameters:
    ///   - wanted: a model's name, or `auto`.
    ///   - purpose: what the models are for, as it stands in an error: `translate en to es`.
    ///   - fits: which models can do it.
    /// - Throws: `worker.model-missing` where `wanted` is unknown or not installed; `language.unsupported` where no
    ///   installed model fits.
    func candidates(
        for task: WorkerTask, wanted: String, purpose: String, where fits: (CatalogueModel) -> Bool = { _ in true }
    ) throws(DubError) -> [Engine] {
        let all = catalogue.models(for: task)
        var chosen = all.filter { $0.isInstallable && fits($0) && isInstalled($0, purpose: purpose) }
        if wanted != "auto" {
            guard let model = all.first(where: { $0.name == wanted }) else {
                throw DubError(
                    .workerModelMissing, "There is no model `\(wanted)` to \(purpose).", at: wanted,
                    fix: "Choose one of \(all.filter(\.isInstallable).map(\.name).joined(separator: ", ")).")
            }
            guard chosen.contains(where: { $0.name == wanted }) else {
                throw DubError(
                    fits(model) ? .workerModelMissing : .languageUnsupported,
                    fits(model)
                        ? "The model `\(wanted)` is not installed." : "The model `\(wanted)` cannot \(purpose).",
                    at: wanted,
                    fix: fits(model) ? "Fetch it: dubmill models pull \(wanted)" : "See dubmill models list.")
            }
            chosen.sort { $0.name == wanted && $1.name != wanted }
        }
        guard !chosen.isEmpty else {
            let absent = all.filter { fits($0) }
            let fetchable = absent.filter(\.isInstallable).map(\.name)
            throw DubError(
                .languageUnsupported, "No installed model can \(purpose).", at: purpose,
                fix: fetchable.isEmpty
                    ? "Choose another language; dubmill models list shows what each model knows."
                    : "Fetch one: dubmill models pull \(fetchable.joined(separator: " or "))")
        }
        return chosen.map { engine($0) }
    }

    private func engine(_ model: CatalogueModel) -> Engine {
        let weights = model.files.map { "\($0.path) \($0.sha256 ?? "")" }.sorted().joined(separator: "\n")
        let digest = weights.isEmpty ? "system" : Digest.of(weights).hex
        return Engine(
            name: model.name, identity: ModelIdentity(name: model.name, digest: "\(digest) r\(model.revision)"),
            isDraft: model.isDraft, clones: model.clones, known: model.voices)
    }

    private func isInstalled(_ model: CatalogueModel, purpose: String) -> Bool {
        if let elsewhere { return elsewhere.contains(model.name) }
        switch model.source {
        case "bundled": return true
        case "apt":
            let program = "/usr/bin/\(model.engine)"
            return FileManager.default.isExecutableFile(atPath: program)
        default: return model.state(in: models) == .installed
        }
    }
}
