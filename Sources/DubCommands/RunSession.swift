internal import DubCore
internal import DubGraph
internal import DubLedger
internal import DubPublish
internal import DubRunner
internal import DubStages
internal import DubStorage
internal import DubWorkers
internal import Foundation

/// One call of `run`: items side by side, each through its plan, delivered, and told in the ledger.
struct RunSession: Sendable {
    /// What a run needs to know.
    struct Request: Sendable {
        /// Absolute paths.
        var files: [String]
        /// The pipeline file.
        var pipeline: String
        /// What the pipeline is asked for by: its name, or the absolute path of its file.
        var pipelineName: String
        /// What is set.
        var parameters: [String: JSONValue]
        /// Where outputs go, absolute.
        var out: String
        /// A script handed in.
        var script: String?
        /// A cast handed in.
        var cast: String?
        /// The thresholds of the gate, absolute; `nil` for those that ship with dubmill.
        var gate: String?
        /// Where what the gate refuses is kept, absolute; `nil` keeps it nowhere.
        var quarantine: String?
        /// How many items at once; ≥ 1.
        var items: Int
        /// How many of our own nodes at once; ≥ 1.
        var slots: Int
        /// Whether everything runs, cached or not.
        var force: Bool
        /// What outputs are called, a name for each file; told from the files where it is not given.
        var stems: [String]?
        /// Greater went first in a daemon's queue.
        var priority = 0
        /// Where what is made is published; `nil` is nowhere.
        var publish: PublishOrder?
    }

    let id: String
    let request: Request
    let machine: Machine
    let graph: Graph
    let observe: @Sendable (RunEvent) -> Void
    /// What was written down to be published, by the item's place.
    let intended = Locked<[Int: Publication]>([:])

    /// - Parameter id: the run's name, where it has one already.
    init(
        _ request: Request, id: String? = nil, machine: Machine, observe: @escaping @Sendable (RunEvent) -> Void
    ) throws {
        self.id = id ?? Self.newID()
        self.request = request
        self.machine = machine
        self.observe = observe
        graph = try machine.graph(request.pipeline, parameters: request.parameters)
    }

    /// A time and four random letters.
    static func newID() -> String {
        let time = Date().formatted(
            .verbatim(
                "\(year: .defaultDigits)\(month: .twoDigits)\(day: .twoDigits)-\(hour: .twoDigits(clock: .twentyFourHour, hourCycle: .zeroBased))\(minute: .twoDigits)\(second: .twoDigits)",
                timeZone: .gmt, calendar: Calendar(identifier: .gregorian)))
        return time + "-" + String((0..<4).map { _ in "abcdefghijkmnpqrstuvwxyz".randomElement() ?? "a" })
    }

    /// Runs every item. Never throws for what is wrong with an item: that is in its record.
    ///
    /// - Throws: `output.unwritable`, `ledger.failed`: then no item was begun.
    func run() async throws -> [ItemRecord] {
        let deliverer = Deliverer(store: machine.store, ledger: machine.ledger, folder: request.out)
        try deliverer.prepare()
        let given = try await HandedIn.read(
            script: request.script, cast: request.cast, gate: request.gate, for: graph, in: machine.store)
        try await machine.ledger.begin(
            RunRecord(
                id: id, pipeline: graph.name, parameters: request.parameters, started: Date(), state: .running,
                process: ProcessInfo.processInfo.processIdentifier, request: asked, graph: graph.records))
        for (index, source) in request.files.enumerated() {
            // So that what a killed run never came to is known too.
            try await machine.ledger.record(ItemRecord(index: index, source: source, status: "waiting"), in: id)
        }
        let runner = Runner(
            stages: machine.stages, store: machine.store, ledger: machine.ledger,
            capacity: Machine.capacity(slots: request.slots), observe: observe)
        let stems = request.stems ?? Self.stems(request.files)
        var records: [ItemRecord] = []
        await withTaskGroup(of: ItemRecord.self) { group in
            var next = 0
            func start() {
                guard next < request.files.count else { return }
                let index = next
                next += 1
                group.addTask {
                    await process(
                        index, stem: stems[index], given: given, runner: runner, deliverer: deliverer)
                }
            }
            for _ in 0..<request.items { start() }
            while let record = await group.next() {
                records.append(record)
                start()
            }
        }
        let isInterrupted = records.contains { $0.status == "cancelled" }
        try await machine.ledger.end(run: id, state: isInterrupted ? .interrupted : .finished, at: Date())
        return records.sorted { $0.index < $1.index }
    }

    /// What the ledger keeps, so that `retry` can ask for it again.
    private var asked: RunRequest {
        var asked = RunRequest()
        asked.pipeline = request.pipelineName
        asked.out = request.out
        asked.script = request.script
        asked.cast = request.cast
        asked.gate = request.gate
        asked.quarantine = request.quarantine
        asked.priority = request.priority
        asked.publish = request.publish
        return asked
    }

    // MARK: - An item

    private func process(
        _ index: Int, stem: String, given others: [String: RunItem.Given], runner: Runner, deliverer: Deliverer
    ) async -> ItemRecord {
        let source = request.files[index]
        let began = ContinuousClock.now
        var record = ItemRecord(index: index, source: source, status: "running")
        observe(.itemStarted(item: index, source: source))
        do {
            try Task.checkCancellation()
            try await machine.ledger.record(record, in: id)
            var given = others
            let own = try await self.given(source)
            given["item"] = own
            record.sha256 = own.artifact.digest
            let item = RunItem(run: id, index: index, source: source, given: given)
            let result = await runner.process(item, graph: graph, force: request.force)
            record.nodes = result.nodes
            let verdicts = machine.verdicts(of: result.plan)
            record.mediaSeconds = machine.mediaSeconds(of: result.plan)
            if result.isCancelled { throw CancellationError() }
            let refused = Set(verdicts.filter { $0.value.verdict == .fail }.keys)
            let isGated = graph.steps.contains { $0.signature.isGate }
            record.outputs = try await deliverer.deliver(result.plan, stem: stem, source: source) { language, kind in
                let language = language ?? ""
                // Who speaks is told with a dub; of one that broke off, the script alone is worth keeping.
                if kind == "cast" { return result.errors.isEmpty || verdicts[language] != nil }
                // What the gate refuses is told, and not handed out.
                guard !["verdict", "script", "draft-subtitles"].contains(kind), isGated else { return true }
                return verdicts[language] != nil && !refused.contains(language)
            }
            if let folder = request.quarantine {
                let place = Quarantine(
                    folder: folder, deliverer: Deliverer(store: machine.store, ledger: machine.ledger, folder: folder))
                record.outputs += try await place.keep(
                    result.plan, stem: stem, source: source, refused: verdicts.filter { refused.contains($0.key) })
            }
            let worst = verdicts.values.map(\.verdict).max() ?? .pass
            if let error = result.errors.first {
                record.status = "failed"
                record.error = ErrorRecord(error)
            } else if worst == .fail, let failed = verdicts.values.first(where: { $0.verdict == .fail }) {
                record.status = "failed"
                record.error = ErrorRecord(failed.error(at: source))
            } else if let tolerated = result.tolerated.first {
                record.status = "review"
                record.error = ErrorRecord(tolerated)
            } else {
                // What was not voiced, because a person asked to read it first, has no verdict yet.
                let isDraft = graph.parameters["review"] == true
                record.status = worst == .review || isDraft ? "review" : "passed"
            }
            if let order = request.publish { try await intend(record, order) }
        } catch is CancellationError {
            record.status = "cancelled"
            record.error = ErrorRecord(
                DubError(
                    .cancelled, "The run was interrupted.", at: source,
                    fix: "Run the same command again: it goes on where it stopped."))
        } catch {
            record.status = "failed"
            record.error = ErrorRecord(
                (error as? DubError)
                    ?? DubError(.internal, "\(error)", at: source, fix: "Please report this."))
        }
        record.wallSeconds = (ContinuousClock.now - began).seconds
        try? await machine.ledger.record(record, in: id)
        observe(.itemFinished(record))
        return record
    }

    /// Writes down what is to be published of an item, before it counts as done; what the gate refused is not.
    private func intend(_ record: ItemRecord, _ order: PublishOrder) async throws {
        guard record.status != "failed" || record.error?.code == DubError.Code.verdictFail.name else { return }
        do {
            let publication = try await PublishWork(machine).intend(record, of: id, order).publication
            intended.withLock { $0[record.index] = publication }
        } catch let error as DubError where error.code == .publicationRefused {
            return
        }
    }

    /// The item's bytes, by digest.
    private func given(_ path: String) async throws -> RunItem.Given {
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
            throw DubError(.inputMissing, "There is no such file.", at: path, fix: "Check the name.")
        }
        guard !isFolder.boolValue, let file = FileIdentity(path: path) else {
            throw DubError(
                .inputMissing, "This is a folder, not a media file.", at: path, fix: "Name the files in it.")
        }
        let digest: Digest
        if let known = try await machine.ledger.digest(of: file) {
            digest = known
        } else {
            digest = try Digest.of(fileAt: path)
            try await machine.ledger.remember(digest, of: file)
        }
        let type = (path as NSString).pathExtension.lowercased()
        return RunItem.Given(artifact: Artifact(digest: digest, size: file.size, type: type), path: path)
    }

    /// What each file's outputs are called: its name without the extension, told apart by its folder, then a number.
    static func stems(_ files: [String]) -> [String] {
        let plain = files.map { (($0 as NSString).lastPathComponent as NSString).deletingPathExtension }
        let counts = Dictionary(plain.map { ($0, 1) }, uniquingKeysWith: +)
        var taken: Set<String> = []
        return zip(files, plain).map { file, stem in
            var name = stem
            if counts[stem, default: 0] > 1 {
                let folder = ((file as NSString).deletingLastPathComponent as NSString).lastPathComponent
                let suffix = (file as NSString).pathExtension
                name = [folder, stem, suffix].filter { !$0.isEmpty && $0 != "/" }.joined(separator: "-")
            }
            var free = name
            var number = 1
            while !taken.insert(free).inserted {
                number += 1
                free = "\(name)-\(number)"
            }
            return free
        }
    }
}
