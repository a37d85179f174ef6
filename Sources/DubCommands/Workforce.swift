internal import ArgumentParser
internal import DubCore
internal import DubStages
internal import DubWorkers
internal import Foundation

/// Where the models are, where they are not on this machine.
struct WorkerOptions: ParsableArguments {
    @Option(
        name: .customLong("worker"),
        help: "A worker to ask instead of this machine's: http(s)://HOST:PORT, or a Unix socket. May be repeated.")
    var workers: [String] = []

    @Option(help: "A file with the workers' token, or lines of ADDRESS TOKEN.", completion: .file())
    var workerTokenFile: String?
}

/// Who does the work of models: the worker of this machine, or a pool of workers anywhere.
struct Workforce: Sendable {
    let worker: any Worker
    let engines: Engines

    /// What goes to one worker at once. Two batches of a task: while the last item of one is done, the cores that it
    /// leaves take up the next.
    private static func limits(workers: Int) -> Batcher.Limits {
        let tasks: [WorkerTask] =
            workers == 1
            ? [.transcribe, .translate, .synthesize] : [.transcribe, .translate, .synthesize, .separate, .embed]
        let lanes = workers == 1 ? 2 : 2 * workers
        return Batcher.Limits(batchSize: 8, lanes: Dictionary(tasks.map { ($0, lanes) }, uniquingKeysWith: { $1 }))
    }

    /// The worker of this machine; it is started when it is first needed.
    ///
    /// - Throws: `worker.not-installed`, `catalogue.malformed`, `settings.invalid`.
    private static func local(
        _ chat: ChatServer?, threads: Int?, log: (@Sendable (String) -> Void)?
    ) throws -> Workforce {
        let home = try WorkerHome.find()
        let worker = LocalWorker(home: home, threads: threads, chat: chat, log: log)
        let catalogue = try ModelCatalogue.read(home.catalogue)
        return Workforce(
            worker: worker,
            engines: Engines(
                catalogue: try chat.map { try catalogue.adding($0) } ?? catalogue, models: home.models,
                batcher: Batcher(worker: worker, limits: limits(workers: 1))))
    }

    /// The server that translates, where settings name one; its key is `DUBMILL_CHAT_KEY`.
    ///
    /// - Throws: `settings.invalid` for an address without a model, or the other way round.
    static func chat(_ settings: Settings, url: String? = nil, model: String? = nil) throws -> ChatServer? {
        let (url, model) = (settings.value("chat-url", flag: url), settings.value("chat-model", flag: model))
        if url == nil, model == nil { return nil }
        guard let url, let model else {
            throw DubError(
                .settingsInvalid, "chat-url and chat-model belong together, and one of them is missing.",
                at: "the settings", fix: "Give the server's address and the model's name there.")
        }
        let key = ProcessInfo.processInfo.environment["DUBMILL_CHAT_KEY"].flatMap { WorkerToken($0) }
        return ChatServer(url: url, model: model, key: key)
    }

    /// The workers that flags or settings name, asked what they have; else the worker of this machine.
    ///
    /// - Throws: as `local`; `worker.address`; why no worker answers, where none does.
    static func find(
        _ settings: Settings, _ options: WorkerOptions? = nil, threads: Int? = nil,
        log: (@Sendable (String) -> Void)? = nil
    ) async throws -> Workforce {
        let flag = options?.workers ?? []
        let given = settings.value("workers", flag: flag.isEmpty ? nil : flag.joined(separator: ","))
        let addresses = given?.split(whereSeparator: { $0 == "," || $0.isWhitespace }).map(String.init) ?? []
        guard !addresses.isEmpty else { return try local(try chat(settings), threads: threads, log: log) }
        let file = settings.value("worker-token-file", flag: options?.workerTokenFile)
        let tokens = try WorkerTokens.read(file: file.map(RunPaths.absolute))
        let authorities = settings.value("worker-authorities", flag: nil).map(RunPaths.absolute)
        let endpoints = try addresses.map {
            try WorkerEndpoint($0, token: tokens.token(for: $0), authorities: authorities)
        }
        for endpoint in endpoints where endpoint.isInTheClear {
            Console.note("Texts and token travel unencrypted to \(endpoint).")
        }
        let pool = WorkerPool(endpoints: endpoints) { Console.note(Console.printable($0)) }
        let offer = try await pool.capabilities()
        let home = try WorkerHome.find(needsPython: false)
        let catalogue = try ModelCatalogue.read(home.catalogue).adding(offer)
        let installed = catalogue.installed(offer)
        for name in installed.strange.sorted() {
            Console.note("The workers have other weights under the name of \(name), which is left out.")
        }
        return Workforce(
            worker: pool,
            engines: Engines(
                catalogue: catalogue, models: home.models,
                batcher: Batcher(worker: pool, limits: limits(workers: endpoints.count)), elsewhere: installed.names))
    }
}
