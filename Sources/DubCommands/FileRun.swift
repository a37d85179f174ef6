internal import DubCore
internal import DubGraph
internal import DubNotify
internal import DubRunner
internal import DubWatch
internal import DubWorkers
internal import Foundation

/// One file as a daemon runs it: what is asked of it, made into runs.
struct FileRun: Sendable {
    /// How it ended.
    struct Ending: Sendable {
        /// The last run.
        var run = ""
        var records: [ItemRecord] = []

        var isCancelled: Bool { records.contains { $0.status == "cancelled" } }
        var failure: ItemRecord? { records.first { $0.status == "failed" } }
        /// Whether what went wrong lies with the machine rather than with the file, so that it may go later.
        ///
        /// - Parameter tries: how often it was tried before. A worker that will not live may be another file's fault,
        ///   and after some tries is taken for this one's.
        func mayPass(after tries: Int) -> Bool {
            guard let code = failure?.error?.code else { return false }
            if code == DubError.Code.workerBroken.name { return tries < 4 }
            return Self.machines.contains { code.hasPrefix($0) }
        }

        private static let machines = [
            "output.", "ledger.", "store.", "resources.", "http.", "catalogue.", "exec.not-found",
            "worker.not-installed", "worker.model-missing",
        ]
    }

    let path: String
    let order: FileOrder
    /// What outputs are called.
    let stem: String
    /// Where outputs go, absolute.
    let out: String
    /// Scripts by language.
    var scripts: [Language: String] = [:]
    /// Where what the gate refuses is kept.
    var quarantine: String?

    /// What a run sets: the order's parameters over its profile, that over defaults that the pipeline has.
    static func parameters(of order: FileOrder, pipeline: String) throws -> [String: JSONValue] {
        let declared = try Machine.parameters(of: pipeline)
        return order.defaults.filter { declared.contains($0.key) }
            .merging(try Machine.profile(order.profile, of: pipeline)) { $1 }.merging(order.parameters) { $1 }
    }

    /// What the order comes to besides the file's content: the same content is done again where this differs.
    func profile(_ home: Home) throws -> Digest {
        let name = order.pipeline ?? "dub"
        var parts: [String: JSONValue] = [
            "pipeline": .string(name), "profile": order.profile.map { .string($0) } ?? .null,
            "parameters": .object(try Self.parameters(of: order, pipeline: try home.pipeline(name))),
        ]
        func digest(_ path: String?) throws -> JSONValue {
            .string(try path.map { try Digest.of(fileAt: $0).hex } ?? "")
        }
        // A file of one's own is edited; those that ship change with dubmill, and what is done stays done.
        if name.contains("/") {
            let pipeline = try PipelineFiles.read(try home.pipeline(name))
            parts["file"] = try digest(pipeline.file)
            if !pipeline.files.isEmpty { parts["files"] = .array(try pipeline.files.map { try digest($0) }) }
        }
        parts["cast"] = try digest(order.cast)
        parts["gate"] = try digest(order.gate)
        parts["script"] = try digest(order.script)
        parts["scripts"] = .object(
            try Dictionary(uniqueKeysWithValues: scripts.map { ($0.key.tag, try digest($0.value)) }))
        return Digest.of(JSONValue.object(parts).canonical)
    }

    /// The requests that it takes: one for each language that has a script of its own, and one for the others.
    func requests(_ home: Home, slots: Int) throws -> [RunSession.Request] {
        let name = order.pipeline ?? "dub"
        let pipeline = try home.pipeline(name)
        let parameters = try Self.parameters(of: order, pipeline: pipeline)
        func request(_ parameters: [String: JSONValue], script: String?) -> RunSession.Request {
            RunSession.Request(
                files: [path], pipeline: pipeline, pipelineName: name, parameters: parameters, out: out, script: script,
                cast: order.cast, gate: order.gate, quarantine: quarantine, items: 1, slots: slots, force: false,
                stems: [stem], publish: order.publish)
        }
        guard order.script == nil, !scripts.isEmpty else { return [request(parameters, script: order.script)] }
        let wanted = try (parameters["to"]?.array ?? []).compactMap(\.string).map { try Language($0) }
        var requests: [RunSession.Request] = []
        var others: [Language] = []
        for language in wanted {
            guard let script = scripts[language] else {
                others.append(language)
                continue
            }
            var own = parameters
            own["to"] = .array([.string(language.tag)])
            requests.append(request(own, script: script))
        }
        if wanted.isEmpty { return [request(parameters, script: nil)] }
        if !others.isEmpty {
            var rest = parameters
            rest["to"] = .array(others.map { .string($0.tag) })
            requests.append(request(rest, script: nil))
        }
        return requests
    }

    /// Runs them one after the other; the first that fails or is cancelled is the last.
    ///
    /// - Throws: what kept a run from being begun.
    func perform(_ means: FolderKeeper.Means, origin: LiveRuns.Origin) async throws -> Ending {
        var ending = Ending()
        // One file that kills the worker must not be the end of all that come after it.
        await means.machine.worker.forgive()
        for request in try requests(Home(), slots: means.slots) {
            try Task.checkCancellation()
            let watched = WatchedRun(RunSession.newID(), means)
            means.live.begin(watched.id, origin)
            ending.run = watched.id
            ending.records += try await watched.run(request)
            if ending.isCancelled || ending.failure != nil { break }
        }
        return ending
    }
}

/// A run of a daemon: logged, counted and told to who follows it.
struct WatchedRun: Sendable {
    let id: String
    private let means: FolderKeeper.Means

    init(_ id: String, _ means: FolderKeeper.Means) {
        self.id = id
        self.means = means
    }

    /// Runs it; nobody follows it any more afterwards.
    ///
    /// - Throws: what kept it from being begun.
    func run(_ request: RunSession.Request) async throws -> [ItemRecord] {
        let (id, log, figures, feed) = (id, means.log, means.figures, means.live.feed(of: id))
        defer { means.live.end(id) }
        let files = request.files
        let session = try RunSession(request, id: id, machine: means.machine) { event in
            figures.take(event)
            feed?.publish(event)
            switch event {
            case .nodeRetried(let item, let stage, let node, let attempt, let error):
                log.warn(
                    "node.retried",
                    [
                        "run.id": id, "item.path": files[item], "stage.name": stage, "stage.node": node,
                        "attempt": "\(attempt)", "error.code": error.code.name, "error.message": error.what,
                    ])
            case .nodeFailed(let item, let stage, let node, let error):
                log.fail(
                    "node.failed", error,
                    ["run.id": id, "item.path": files[item], "stage.name": stage, "stage.node": node])
            default: break
            }
        }
        for file in files {
            log.note("run.started", ["run.id": id, "item.path": file, "pipeline": request.pipelineName])
        }
        let records = try await session.run()
        await means.outbox.ring()
        for record in records {
            await tell(record)
            log.write(
                record.status == "failed" ? .warning : .info, "run.finished",
                [
                    "run.id": id, "item.path": record.source, "status": record.status,
                    "nodes.run": "\(record.nodes.run)", "nodes.cached": "\(record.nodes.cached)",
                    "elapsed.seconds": String(format: "%.3f", record.wallSeconds), "error.code": record.error?.code,
                ])
        }
        return records
    }

    private func tell(_ record: ItemRecord) async {
        let about = ["run.id": id, "item.path": record.source, "status": record.status]
        switch record.status {
        case "passed", "review": await means.notifier.post(Notice(.finished, "A file was dubbed", about: about))
        case "failed":
            await means.notifier.post(
                Notice(.failed, "A file failed", about: about, error: record.error.map { $0.asError }))
        default: break
        }
    }
}

extension ErrorRecord {
    /// The error that it is the record of, without what lay underneath.
    var asError: DubError { DubError(.init(name: code), message, at: self.where, fix: fix) }
}
