internal import DubCore
public import DubHTTP
public import Foundation

/// Holds a worker to docs/worker-protocol.md: health, capabilities, refusals, every task that it offers, the stream of
/// results, cancelling.
///
/// It knows nothing of the worker but its address. Media travel by path, so that the worker has to see the folder in
/// which the checks write small audio files.
public struct ConformanceSuite: Sendable {
    /// An offer of the worker that is looked at.
    struct Subject: Sendable {
        var task: WorkerTask
        var model: Strict.Model
    }

    let exchange: ConformanceExchange
    let endpoint: WorkerEndpoint
    let files: TaskProbe.Files
    private let isEveryModel: Bool

    /// Makes the suite for a worker.
    ///
    /// - Parameters:
    ///   - folder: for audio files of the checks; made if need be, and seen by the worker under the same path.
    ///   - everyModel: whether all installed models are asked, and not the first of each task alone.
    ///   - silence: how long the worker may say nothing within a batch; loading weights counts too.
    public init(
        _ endpoint: WorkerEndpoint, folder: URL, everyModel: Bool = false, silence: Duration = .seconds(300),
        client: HTTPClient = HTTPClient()
    ) {
        self.endpoint = endpoint
        exchange = ConformanceExchange(link: WorkerLink(client: client, to: endpoint, silence: silence))
        files = TaskProbe.Files(folder: folder)
        isEveryModel = everyModel
    }

    /// Makes all checks; each is told as soon as it is made.
    ///
    /// - Throws: `output.unwritable` where the folder cannot be written; `CancellationError`. What the worker does
    ///   wrong is a finding and no error.
    public func run(
        onCheck: @escaping @Sendable (ConformanceCheck) -> Void = { _ in }
    ) async throws -> [ConformanceCheck] {
        do {
            try files.prepare()
        } catch {
            throw DubError(
                .outputUnwritable, "The files of the checks cannot be written: \(error).", at: files.folder.path,
                fix: "Name a folder that you may write with --folder.", cause: error)
        }
        let report = ConformanceReport(onCheck: onCheck)
        try await report.check("health") { try await health() }
        guard report.verdict(of: "health") != .fail else { return report.checks }
        try await report.check("token") { try await token() }
        var offer = Strict.Offer(protocol: 0, tasks: [:])
        try await report.check("capabilities") {
            offer = try await capabilities()
            return Self.summary(offer)
        }
        guard report.verdict(of: "capabilities") == .pass else { return report.checks }
        let subjects = subjects(of: offer)
        if let first = subjects.first { try await refusals(first, report) }
        for subject in subjects { try await task(subject, report) }
        try await report.check("item-errors.model-missing") { try await missingModel(offer) }
        try await behaviour(subjects, report)
        return report.checks
    }

    private func health() async throws -> String {
        let answer = try await exchange.get("/v1/health")
        try demand(answer.status == 200, "It is answered with status \(answer.status).")
        let health = try JSONDecoder().decode(Strict.Health.self, from: answer.body)
        try demand(
            health.protocol == WorkerLink.protocolVersion,
            "It speaks protocol \(health.protocol), and dubmill speaks \(WorkerLink.protocolVersion).")
        try demand(!health.worker.isEmpty && !health.version.isEmpty, "It has no name or no version.")
        try demand(health.status == "ready", "Its status is “\(health.status)”, and not ready.")
        return "\(health.worker) \(health.version) is ready, as process \(health.pid)."
    }

    private func token() async throws -> String {
        guard endpoint.token != nil else { throw Skip(reason: "No token was given.") }
        for (what, token) in [("without a token", nil), ("with a wrong token", WorkerToken("wrong"))] {
            for path in ["/v1/health", "/v1/capabilities"] {
                let status = try await exchange.get(path, token: token).status
                try demand(status == 401, "\(path) \(what) is answered with status \(status), and not 401.")
            }
        }
        return "Nobody gets in without the token."
    }

    private func capabilities() async throws -> Strict.Offer {
        let answer = try await exchange.get("/v1/capabilities")
        try demand(answer.status == 200, "They are answered with status \(answer.status).")
        let offer = try JSONDecoder().decode(Strict.Offer.self, from: answer.body)
        try demand(offer.protocol == WorkerLink.protocolVersion, "They are of protocol \(offer.protocol).")
        for (task, models) in offer.tasks.sorted(by: { $0.key < $1.key }) {
            try demand(
                Strict.tasks.contains(WorkerTask(rawValue: task)), "The protocol knows no task `\(task)`.")
            let names = models.map(\.model)
            try demand(Set(names).count == names.count, "A model is listed twice for \(task).")
            for model in models { try Self.verify(model, for: task) }
        }
        try demand(
            offer.tasks.values.contains { $0.contains(where: \.installed) }, "No model is installed for any task.")
        return offer
    }

    private static func verify(_ model: Strict.Model, for task: String) throws {
        let place = "\(model.model) for \(task)"
        try demand(!model.model.isEmpty && !model.engine.isEmpty, "A model of \(task) has no name or no engine.")
        try demand(model.revision >= 1, "\(place) has the revision \(model.revision).")
        try demand(
            model.digest.map(Strict.isDigest) ?? !model.installed, "\(place) is installed and has no SHA-256 as digest."
        )
        for pair in model.pairs ?? [] { try demand(pair.count == 2, "\(place) has a pair that is none: \(pair).") }
        for (language, voices) in model.voices ?? [:] {
            try demand(
                voices.names.contains(voices.default), "\(place) has a default voice for \(language) that is not there."
            )
        }
        if task == WorkerTask.synthesize.rawValue, model.installed {
            try demand(model.sampleRate ?? 0 >= 8000, "\(place) does not say at which rate it speaks.")
            try demand(model.voices?.isEmpty == false, "\(place) does not say which voices it has.")
        }
    }

    private static func summary(_ offer: Strict.Offer) -> String {
        let tasks = offer.tasks.mapValues { models in models.filter(\.installed).count }.filter { $0.value > 0 }
        return tasks.sorted { $0.key < $1.key }.map { "\($0.key) (\($0.value))" }.joined(separator: ", ") + "."
    }

    /// What is looked at, speech first: the others listen to it.
    private func subjects(of offer: Strict.Offer) -> [Subject] {
        let order: [WorkerTask] = [
            .synthesize, .detectSpeech, .detectLanguage, .transcribe, .translate, .embed, .separate,
        ]
        return order.flatMap { task in
            let installed = (offer.tasks[task.rawValue] ?? []).filter(\.installed)
            return installed.prefix(isEveryModel ? installed.count : 1).map { Subject(task: task, model: $0) }
        }
    }
}
