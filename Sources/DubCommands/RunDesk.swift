internal import DubCore
internal import DubGraph
internal import DubLedger
internal import DubRunner
internal import DubService
internal import DubWatch
internal import DubWorkers
internal import Foundation

/// The daemon's queue and the ledger's history, as the control API sees them.
actor RunDesk: Desk {
    private let means: FolderKeeper.Means
    private let reach: Reach
    private var base: FileOrder
    /// Runs that somebody asked to stop: they are not taken up again.
    private var cancelled: Set<String> = []
    /// Figures of whoever serves the API.
    private let others: Locked<@Sendable () -> [MetricFamily]>

    init(_ means: FolderKeeper.Means, reach: Reach, base: FileOrder) {
        self.means = means
        self.reach = reach
        self.base = base
        others = Locked({ [] })
    }

    private var ledger: SQLiteLedger { means.machine.ledger }

    /// Has more figures told.
    nonisolated func tell(also figures: @escaping @Sendable () -> [MetricFamily]) {
        others.withLock { $0 = figures }
    }

    /// What counts for submissions that do not say otherwise, from now on.
    func adopt(_ order: FileOrder) { base = order }

    // MARK: - The queue

    func submit(_ submission: Submission) async throws -> RunView {
        var order = FileOrder()
        order.pipeline = try reach.pipeline(submission.pipeline ?? "dub")
        order.profile = submission.profile
        order.parameters = try reach.parameters(submission.parameters)
        if let to = submission.to { order.parameters["to"] = .array(to.map { .string($0) }) }
        order.cast = try submission.cast.map { try reach.source($0) }
        order.script = try submission.script.map { try reach.source($0) }
        order.gate = base.gate
        order.defaults = base.defaults
        var request = RunRequest()
        request.pipeline = order.pipeline ?? "dub"
        request.out = try reach.output(submission.out)
        (request.script, request.cast, request.gate) = (order.script, order.cast, order.gate)
        request.quarantine = means.quarantine
        request.priority = submission.priority
        let sources = try submission.sources.map { try reach.source($0) }
        guard Set(sources).count == sources.count else {
            throw DubError(
                .requestInvalid, "Two sources are one file.", at: "sources", fix: "Name each file once.")
        }
        let parameters = try FileRun.parameters(of: order, pipeline: try Home().pipeline(request.pipeline))
        return try await enqueue(request, parameters, sources, key: submission.key)
    }

    private func enqueue(
        _ request: RunRequest, _ parameters: [String: JSONValue], _ sources: [String], key: String?
    ) async throws -> RunView {
        if let trouble = await trouble() { throw trouble }
        // What could not be begun is not taken on.
        let file = try Home().pipeline(request.pipeline)
        let graph = try means.machine.graph(file, parameters: parameters)
        if let cast = request.cast { _ = try CastFile.read(cast) }
        let record = RunRecord(
            id: RunSession.newID(), pipeline: graph.name, parameters: parameters, started: Date(), state: .queued,
            process: 0, request: request)
        let asked: JSONValue = [
            "request": try JSONValue(encoding: request), "parameters": .object(parameters),
            "sources": .array(sources.map { .string($0) }),
        ]
        switch try await ledger.enqueue(record, sources: sources, key: key, asked: Digest.of(asked.canonical)) {
        case .otherRequest:
            throw DubError(
                .runOtherRequest, "Another request came under this key before.", at: "Idempotency-Key",
                fix: "Use a new key for each request.")
        case .known(let known): return try await run(known).view
        case .queued:
            means.log.note(
                "run.queued", ["run.id": record.id, "pipeline": graph.name, "items": "\(sources.count)"])
            let view = try await run(record.id).view
            await add(record)
            return view
        }
    }

    /// Takes over what waits in the ledger and is nobody's who lives: what a daemon left that was stopped or killed.
    func resume() async {
        do {
            for run in try await ledger.takeQueued() {
                means.log.note("run.resumed", ["run.id": run.id, "pipeline": run.pipeline])
                await add(run)
            }
        } catch {
            means.log.fail("queue.unreadable", error)
        }
    }

    private func add(_ run: RunRecord) async {
        means.live.begin(run.id, .queue)
        // Where no more is taken it stays in the ledger's queue for the next daemon.
        let isTaken = await means.queue.add(priority: run.request.priority, batch: Self.batch(run.id)) {
            await self.work(run)
        }
        if !isTaken { means.live.end(run.id) }
    }

    /// What a run is cancelled by; no timetable is called so.
    private static func batch(_ run: String) -> String { "\u{0}run \(run)" }

    private func work(_ run: RunRecord) async {
        defer { cancelled.remove(run.id) }
        let log = means.log
        do {
            let items = try await ledger.items(of: run.id)
            let sources = items.map(\.source)
            guard !Task.isCancelled else { throw CancellationError() }
            await means.machine.worker.forgive()
            let request = RunSession.Request(
                files: sources, pipeline: try Home().pipeline(run.request.pipeline),
                pipelineName: run.request.pipeline, parameters: run.parameters, out: run.request.out,
                script: run.request.script, cast: run.request.cast, gate: run.request.gate,
                quarantine: run.request.quarantine, items: 1, slots: means.slots, force: false,
                stems: RunSession.stems(sources), priority: run.request.priority)
            let records = try await WatchedRun(run.id, means).run(request)
            if records.contains(where: { $0.status == "cancelled" }), !cancelled.contains(run.id) {
                throw CancellationError()
            }
            try await ledger.endQueued(run.id)
        } catch is CancellationError {
            means.live.end(run.id)
            // A task of its own: in one that was cancelled the ledger is not read.
            await Task { await leave(run) }.value
        } catch {
            means.live.end(run.id)
            log.fail("run.failed", error, ["run.id": run.id])
            await Task { await fail(run, error) }.value
        }
    }

    /// A run that was stopped: for good where somebody asked for that, else for the next daemon.
    private func leave(_ run: RunRecord) async {
        do {
            guard cancelled.contains(run.id) else { return try await ledger.leaveQueued(run.id) }
            try await close(run, as: "cancelled", .interrupted, nil)
            means.log.note("run.cancelled", ["run.id": run.id])
        } catch {
            means.log.fail("run.failed", error, ["run.id": run.id])
        }
    }

    private func fail(_ run: RunRecord, _ error: any Error) async {
        let error = error as? DubError ?? DubError(.internal, "\(error)", at: run.id, fix: "Please report this.")
        try? await close(run, as: "failed", .finished, error)
    }

    /// Writes how the items ended that did not come to their end.
    private func close(
        _ run: RunRecord, as status: String, _ state: RunRecord.State, _ error: DubError?
    ) async throws {
        for var item in try await ledger.items(of: run.id) where ["waiting", "running"].contains(item.status) {
            item.status = status
            item.error = error.map { ErrorRecord($0) }
            try await ledger.record(item, in: run.id)
        }
        try await ledger.end(run: run.id, state: state, at: Date())
        try await ledger.endQueued(run.id)
    }

    func cancel(_ id: String) async throws -> RunView {
        let found = try await run(id).view
        guard !found.status.isEnd else { return found }
        switch means.live.origin(of: id) {
        case .queue:
            cancelled.insert(id)
            await means.queue.cancel(batch: Self.batch(id))
            means.log.note("run.cancelling", ["run.id": id])
            return try await run(id).view
        case .folder, .timetable:
            throw DubError(
                .runElsewhere, "The run belongs to a watched folder or a timetable, which would begin it anew.", at: id,
                fix: "Take the file out of the folder, or pause the timetable.")
        case nil:
            throw DubError(
                .runElsewhere, "The run belongs to another process.", at: id,
                fix: "Ask that daemon, or use dubmill cancel.")
        }
    }

    func retry(_ id: String) async throws -> RunView {
        guard let line = try await ledger.line(id) else { throw Self.unknown(id) }
        guard try await run(id).view.status.isEnd else {
            throw DubError(.runUnfinished, "The run goes on.", at: id, fix: "Wait for it, or cancel it first.")
        }
        let open = try await ledger.items(of: id).filter { !["passed", "review"].contains($0.status) }
        guard !open.isEmpty else {
            throw DubError(
                .runNothingLeft, "Every file of the run is done.", at: id, fix: "Submit it anew to run it again.")
        }
        // A run of the command line may lie where the API does not reach.
        guard reach.has(pipeline: line.run.request.pipeline) else {
            throw DubError(
                .pipelineRefused, "The API has no such pipeline.", at: line.run.request.pipeline,
                fix: "Use dubmill retry on the machine.")
        }
        var request = line.run.request
        request.out = try reach.output(request.out)
        for path in [request.script, request.cast].compactMap(\.self) { _ = try reach.source(path) }
        let sources = try open.map { try reach.source($0.source) }
        return try await enqueue(request, try reach.parameters(line.run.parameters), sources, key: nil)
    }

    // MARK: - The history

    func runs(_ query: RunQuery) async throws -> RunPage {
        let lines = try await ledger.lines(status: query.status?.rawValue, before: query.before, limit: query.limit + 1)
        let shown = lines.prefix(query.limit).map(Self.view)
        return RunPage(
            // A process that died leaves its run as running: that is found out here.
            runs: query.status == nil ? Array(shown) : shown.filter { $0.status == query.status },
            next: lines.count > query.limit ? lines[query.limit - 1].run.id : nil)
    }

    func run(_ id: String) async throws -> RunDetail {
        guard let line = try await ledger.line(id) else { throw Self.unknown(id) }
        let items = try await ledger.items(of: id)
        let stages = try await ledger.stages(of: id)
        return RunDetail(
            view: Self.view(line), items: try items.map { try JSONValue(encoding: $0) },
            stages: try stages.map { try JSONValue(encoding: $0) })
    }

    private static func view(_ line: RunLine) -> RunView {
        var status = RunView.Status(rawValue: line.status) ?? .interrupted
        if status == .running, line.run.shownState == "interrupted" { status = .interrupted }
        return RunView(
            id: line.run.id, status: status, pipeline: line.run.request.pipeline, parameters: line.run.parameters,
            out: line.run.request.out, priority: line.run.request.priority, since: line.run.started,
            ended: line.run.ended, items: line.items)
    }

    private static func unknown(_ id: String) -> DubError {
        DubError(.runUnknown, "There is no run of this name.", at: id, fix: "See GET /v1/runs.")
    }

    func feed(of id: String) async -> RunFeed? { means.live.feed(of: id) }

    func trouble() async -> DubError? {
        if await means.queue.isStopped {
            return DubError(
                .serviceDraining, "The daemon is about to end.", at: "the daemon", fix: "Ask again once it is back.",
                persistence: .transient)
        }
        guard await !isLedgerWell() else { return nil }
        return DubError(
            .ledgerFailed, "The ledger does not answer.", at: ledger.path, fix: "Look at the disk that it is on.",
            persistence: .transient)
    }

    /// Whether the ledger answers.
    func isLedgerWell() async -> Bool { (try? await ledger.countDeadLetters()) != nil }

    func metrics() async throws -> [MetricFamily] {
        let counts = await means.queue.counts
        var isWorkerAlive: Bool?
        if let local = means.machine.worker as? LocalWorker { isWorkerAlive = await local.processID != nil }
        let families = means.figures.families(
            waiting: counts.waiting, running: counts.running, slots: await means.queue.slots,
            oldest: await means.queue.oldest, deadLetters: try await ledger.countDeadLetters(),
            isWorkerAlive: isWorkerAlive)
        return families + others.withLock { $0 }()
    }
}
