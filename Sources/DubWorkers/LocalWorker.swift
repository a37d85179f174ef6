internal import DubCore
public import DubHTTP
internal import Foundation
internal import Glibc

/// The worker on this machine: a process that is started at its first use, and again after it died.
///
/// A process that dies in mid-batch fails that batch with `worker.died`, which is transient; the next call starts
/// another. Without a whole batch between them, three deaths are one too many: then it is `worker.broken`. One item that
/// kills it again and again, by itself, counts once: that is the item's fault. The process ends by itself when ours
/// ends, however that happens.
public actor LocalWorker: Worker {
    /// How patient the worker's owner is.
    public struct Limits: Hashable, Sendable {
        /// From its start until it is ready; > 0.
        public var start: Duration
        /// Without a result within a batch, before it counts as hung; whole seconds, ≥ 1.
        public var silence: Duration
        /// Deaths without a finished batch in between, until it is given up; ≥ 1.
        public var deaths: Int

        /// Makes limits: 60 s to start, 15 min of silence, 3 deaths.
        public init(start: Duration = .seconds(60), silence: Duration = .seconds(900), deaths: Int = 3) {
            self.start = start
            self.silence = silence
            self.deaths = deaths
        }
    }

    private struct Running {
        var number: Int
        var process: WorkerProcess
        var link: WorkerLink
    }

    private let launch: @Sendable (_ socket: String) throws -> WorkerLaunch
    private let limits: Limits
    private let client: HTTPClient
    private let log: (@Sendable (String) -> Void)?
    private var folder: SocketFolder?
    private var process: WorkerProcess?
    private var running: Running?
    private var starting: Once<Running>?
    private var starts = 0
    private var deaths = 0
    /// What the worker died of since a batch came to its end: items that went by themselves.
    private var culprits: Set<JSONValue> = []
    private var lastDeath: DubError?
    private var isShutDown = false

    /// Makes a worker of a command line; nothing is started yet.
    ///
    /// - Parameters:
    ///   - launch: the command line that makes a worker listen on a socket's path.
    ///   - log: takes what the process writes to stderr and stdout, line by line, on a thread of its own.
    public init(
        limits: Limits = Limits(), client: HTTPClient = HTTPClient(),
        log: (@Sendable (String) -> Void)? = nil,
        launch: @escaping @Sendable (_ socket: String) throws -> WorkerLaunch
    ) {
        self.limits = limits
        self.client = client
        self.log = log
        self.launch = launch
    }

    /// Makes the worker of an installation; nothing is started yet. `threads` are cores for the models, `nil` all;
    /// `chat` is a server that it asks for translations.
    public init(
        home: WorkerHome, threads: Int? = nil, chat: ChatServer? = nil, limits: Limits = Limits(),
        client: HTTPClient = HTTPClient(), log: (@Sendable (String) -> Void)? = nil
    ) {
        self.init(limits: limits, client: client, log: log) {
            try home.serve(onSocket: $0, threads: threads, chat: chat)
        }
    }

    /// The number of the process that runs now, if one does.
    public var processID: Int32? {
        guard let running, running.process.ending.settled == nil else { return nil }
        return running.process.pid
    }

    /// Where the process answers that runs now; starts one if need be.
    ///
    /// - Throws: As `capabilities`.
    public func endpoint() async throws -> WorkerEndpoint {
        try await use { WorkerEndpoint(.socket($0.socketPath ?? "")) }
    }

    /// What it can do; starts it if need be.
    ///
    /// - Throws: `worker.not-installed`, `worker.died`, `worker.hung`, `worker.broken`, `worker.protocol`;
    ///   `CancellationError`.
    public func capabilities() async throws -> Capabilities {
        try await use { try await $0.capabilities() }
    }

    /// Does a batch; starts the process if need be.
    ///
    /// - Throws: As `capabilities`, and `worker.bad-request` for a malformed batch.
    public func batch(
        _ request: BatchRequest, onResult: @Sendable (ItemResult) -> Void
    ) async throws -> [ItemResult] {
        let results = try await use(for: request.loneItem) { try await $0.batch(request, onResult: onResult) }
        deaths = 0
        culprits = []
        return results
    }

    /// Forgets past deaths: for those who live long, and begin with something new.
    public func forgive() {
        deaths = 0
        culprits = []
    }

    /// Ends the process and waits for its end: stdin is closed at once, SIGTERM follows after 1 s, SIGKILL after 3 s.
    ///
    /// Finishes even in a cancelled task. No call succeeds afterwards.
    public func shutdown() async {
        isShutDown = true
        guard let process else { return }
        // Not a child task: a cancelled caller must not leave a process behind.
        await Task.detached {
            process.closeInput()
            if await Self.hasEnded(process, within: .seconds(1)) { return }
            process.signal(SIGTERM)
            if await Self.hasEnded(process, within: .seconds(2)) { return }
            process.signal(SIGKILL)
            _ = try? await process.ending.value()
        }.value
    }

    private static func hasEnded(_ process: WorkerProcess, within limit: Duration) async -> Bool {
        await (try? process.ending.value(within: limit)) != nil
    }

    private func use<Value>(
        for item: JSONValue? = nil, _ work: (WorkerLink) async throws -> Value
    ) async throws -> Value {
        let running = try await ready()
        do {
            return try await work(running.link)
        } catch let error as DubError where Self.isLoss(error) {
            try Task.checkCancellation()
            throw try await lose(running, error, doing: item)
        }
    }

    /// Whether the error says that the process is gone or does not answer.
    private static func isLoss(_ error: DubError) -> Bool {
        let codes: Set<DubError.Code> = [.httpUnreachable, .httpTimeout, .httpFailed]
        return codes.contains(error.code) && error.persistence == .transient
    }

    private func ready() async throws -> Running {
        if isShutDown { throw closed() }
        if let running {
            guard case .success(let ending) = running.process.ending.settled else { return running }
            bury(running.number, died(running.process, "\(ending)", while: "it was idle"))
        }
        if deaths >= limits.deaths, let lastDeath {
            throw DubError(
                .workerBroken, "The worker died \(deaths) times in a row. The last time: \(lastDeath.what)",
                at: lastDeath.place, fix: "See what it said, run dubmill doctor, and start dubmill again.",
                cause: lastDeath)
        }
        if let starting { return try await starting.value() }
        let started = Once<Running>()
        starting = started
        // Not a child task: all who wait share one start, and one of them being cancelled must not stop it.
        Task { await start(started) }
        return try await started.value()
    }

    private func start(_ started: Once<Running>) async {
        starts += 1
        var born: WorkerProcess?
        do {
            let folder = try self.folder ?? SocketFolder(environment: ProcessInfo.processInfo.environment)
            self.folder = folder
            let socket = folder.socket(starts)
            let process = try WorkerProcess(try launch(socket), log: log)
            born = process
            self.process = process
            let link = WorkerLink(client: client, socketPath: socket, silence: limits.silence)
            try await waitUntilHealthy(process, link)
            if isShutDown { throw closed() }
            let running = Running(number: starts, process: process, link: link)
            self.running = running
            starting = nil
            started.settle(.success(running))
        } catch {
            starting = nil
            if let born {
                born.closeInput()
                born.signal(SIGKILL)
                if !isShutDown {
                    deaths += 1
                    lastDeath = error as? DubError
                }
            }
            started.settle(.failure(error))
        }
    }

    private func waitUntilHealthy(_ process: WorkerProcess, _ link: WorkerLink) async throws {
        let deadline = ContinuousClock.now + limits.start
        while true {
            if case .success(let ending) = process.ending.settled {
                throw died(process, "\(ending)", while: "it was started")
            }
            do {
                let left = deadline - .now
                let health = try await link.health(within: max(.milliseconds(100), min(left, .seconds(10))))
                guard health.protocol == WorkerLink.protocolVersion else {
                    throw DubError.workerProtocol(
                        "The worker speaks protocol \(health.protocol), and dubmill speaks "
                            + "\(WorkerLink.protocolVersion).", at: place(process))
                }
                return
            } catch let error as DubError where error.persistence == .transient {
                guard ContinuousClock.now < deadline else {
                    throw DubError(
                        .workerHung,
                        "The worker is not ready after \(limits.start).\(lastWords(process))",
                        at: place(process),
                        fix: "See what it said; run dubmill doctor.", persistence: .transient, cause: error)
                }
            }
            _ = try await process.ending.value(within: .milliseconds(20))
        }
    }

    /// Makes sure that a process which was lost has ended, and tells how.
    private func lose(_ running: Running, _ cause: DubError, doing item: JSONValue?) async throws -> DubError {
        let process = running.process
        if isShutDown { return closed() }
        let isHung = cause.code == .httpTimeout
        if isHung { process.signal(SIGKILL) }
        if try await process.ending.value(within: .seconds(1)) == nil { process.signal(SIGKILL) }
        let ending = try await process.ending.value()
        var error = died(process, "\(ending)", while: "it was at work")
        error.cause = cause
        if isHung {
            error.code = .workerHung
            error.what = "The worker sent nothing for \(limits.silence) and was stopped.\(lastWords(process))"
        }
        bury(running.number, error, doing: item)
        return error
    }

    /// Notes a death, once for each process.
    private func bury(_ number: Int, _ error: DubError, doing item: JSONValue? = nil) {
        guard running?.number == number else { return }
        running = nil
        lastDeath = error
        if let item, !culprits.insert(item).inserted { return }
        deaths += 1
    }

    private func died(_ process: WorkerProcess, _ ending: String, while doing: String) -> DubError {
        DubError(
            .workerDied, "The worker ended while \(doing): \(ending).\(lastWords(process))",
            at: place(process),
            fix: "It is started again; if it stays, see what it said.", persistence: .transient)
    }

    private func closed() -> DubError {
        DubError(
            .workerDied, "The worker is shut down.", at: "the local worker", fix: "Start dubmill again.",
            persistence: .transient)
    }

    private func place(_ process: WorkerProcess) -> String { "the local worker, process \(process.pid)" }

    private func lastWords(_ process: WorkerProcess) -> String {
        let lines = process.tail.last(12)
        return lines.isEmpty
            ? " It said nothing." : " It said last:\n    " + lines.joined(separator: "\n    ")
    }
}

extension BatchRequest {
    /// The only item, whatever its number; `nil` where there are more.
    fileprivate var loneItem: JSONValue? {
        guard items.count == 1, var members = items.first?.object else { return nil }
        members["id"] = nil
        return .object(members)
    }
}
