internal import DubCore
internal import DubLedger
internal import DubNotify
internal import DubRunner
internal import DubWatch
internal import Foundation

/// Keeps a watched folder: looks what has arrived, has it run, and puts it away.
actor FolderKeeper {
    /// What keepers work with.
    struct Means: Sendable {
        let machine: Machine
        let queue: WorkQueue
        let log: DaemonLog
        /// Cores that one run may use for dubmill's own steps.
        let slots: Int
        /// Where refused dubs of timetables' batches are kept, absolute.
        let quarantine: String?
        let notifier: Notifier
        let figures: DaemonFigures
        let live = LiveRuns()
        /// Who publishes what is done.
        let outbox: OutboxKeeper
    }

    /// A file that needs no more doing, as it was, with what was asked of it.
    private struct Dealt: Hashable {
        var arrival: Arrival
        var order: FileOrder
    }

    /// A file that is left alone for a while.
    private struct Held {
        var until: Date
        var tries: Int
    }

    private let configured: WatchedFolder
    private let means: Means
    private let bell = Bell()
    private let events = FolderEvents()
    private var arrivals = Arrivals()
    private var inHand: Set<String> = []
    private var dealt: [String: Dealt] = [:]
    private var held: [String: Held] = [:]
    private var own: (file: FileIdentity?, read: WatchedFolder?) = (nil, nil)
    private var lastTrouble = ""

    /// `.dubmill.yaml`.
    static let ownName = ".dubmill.yaml"
    private static let leastPause = Duration.milliseconds(100)

    init(_ folder: WatchedFolder, means: Means) {
        configured = folder
        self.means = means
    }

    /// Looks again and again until the task is cancelled.
    func run() async {
        if events == nil {
            means.log.warn(
                "folder.without-events",
                [
                    "folder": configured.folder,
                    "fix": "Raise fs.inotify.max_user_instances; until then it is rescanned.",
                ])
        }
        // Unstructured: it ends with the stream, which ends with the keeper's listening.
        let hints = Task { [bell, hints = events?.hints] in
            guard let hints else { return }
            for await _ in hints { await bell.ring() }
        }
        defer { hints.cancel() }
        while !Task.isCancelled {
            let pause = await look()
            await bell.wait(atMost: .milliseconds(Int64(pause * 1000)))
            // Many files at once are one look, not a look each.
            try? await Task.sleep(for: Self.leastPause)
        }
    }

    /// Looks once.
    ///
    /// - Returns: seconds until the next look, without a hint.
    private func look() async -> TimeInterval {
        let rescan = configured.rescan ?? 30
        do {
            guard let watched = try current() else { return rescan }
            let snapshot = try FolderSnapshot.of(watched.folder, leavingOut: watched.leftOut)
            for folder in snapshot.folders { events?.listen(to: folder) }
            let now = Date()
            let rule = Arrivals.Rule(settle: watched.settle ?? 10, needsMarker: watched.needsMarker ?? false)
            let look = arrivals.look(at: snapshot, now: now, rule: rule, wants: watched.wants) { entry in
                inHand.contains(entry.path) ? false : FolderSnapshot.isOpen("\(watched.folder)/\(entry.path)")
            }
            let paths = Set(snapshot.entries.map(\.path))
            dealt = dealt.filter { paths.contains($0.key) }
            held = held.filter { paths.contains($0.key) }
            for arrival in look.whole where !inHand.contains(arrival.file.path) {
                let path = arrival.file.path
                let order = watched.order(for: path)
                if dealt[path] == Dealt(arrival: arrival, order: order) { continue }
                if let held = held[path], held.until > now { continue }
                inHand.insert(path)
                if held[path] == nil { means.log.note("file.arrived", ["folder": watched.folder, "item.path": path]) }
                let isTaken = await means.queue.add(priority: order.priority ?? 0) {
                    await self.process(arrival, order: order, watched)
                }
                if !isTaken { inHand.remove(path) }
            }
            lastTrouble = ""
            // What is in hand rings when it is done.
            let soonest =
                held.filter { !inHand.contains($0.key) && $0.value.until > now }.values
                .map { $0.until.timeIntervalSince(now) }.min() ?? rescan
            return max(0.05, min(look.nextIn ?? rescan, soonest, watched.rescan ?? 30))
        } catch {
            if lastTrouble != "\(error)" { means.log.fail("folder.unreadable", error, ["folder": configured.folder]) }
            lastTrouble = "\(error)"
            return rescan
        }
    }

    /// The folder as it is configured, its own file counted in. A faulty one is told, and the one before holds.
    ///
    /// - Returns: `nil` where there was none before.
    private func current() throws -> WatchedFolder? {
        let path = "\(configured.folder)/\(Self.ownName)"
        let file = FileIdentity(path: path)
        if file != own.file {
            own.file = file
            if file == nil {
                own.read = nil
            } else {
                do {
                    let text = try String(contentsOf: URL(filePath: path), encoding: .utf8)
                    let read = try ConfigurationReader.folder(text, file: path)
                    try DaemonCheck(machine: means.machine).check([read.over(configured)], [])
                    own.read = read
                    means.log.note("folder.configured", ["folder": configured.folder, "file": path])
                } catch {
                    means.log.fail("folder.configuration-refused", error, ["folder": configured.folder])
                }
            }
        }
        if file != nil, own.read == nil { return nil }
        guard let read = own.read else { return configured }
        var all = read.over(configured)
        all.folder = configured.folder
        return all
    }

    // MARK: - A file

    private func process(_ arrival: Arrival, order: FileOrder, _ watched: WatchedFolder) async {
        let path = arrival.file.path
        let full = "\(watched.folder)/\(path)"
        do {
            try await handle(arrival, order: order, watched, full)
        } catch is CancellationError {
            // Somebody will take it up where it was left.
        } catch {
            hold(path)
            means.log.fail("file.held", error, ["item.path": full])
        }
        inHand.remove(path)
        await bell.ring()
    }

    private func handle(
        _ arrival: Arrival, order: FileOrder, _ watched: WatchedFolder, _ full: String
    ) async throws {
        let (path, ledger, log) = (arrival.file.path, means.machine.ledger, means.log)
        try Task.checkCancellation()
        // Gone, or another by now: the next look sees.
        guard let file = FileIdentity(path: full), file.isAs(arrival.file) else { return }
        let run = self.run(arrival, order: order, watched)
        let content: Digest
        if let known = try await ledger.digest(of: file) {
            content = known
        } else {
            content = try Digest.of(fileAt: full)
            try await ledger.remember(content, of: file)
        }
        let profile = try run.profile(Home())
        let settlement = Settlement(folder: watched.folder, arrival: arrival)
        switch try await ledger.take(content, profile: profile, path: full) {
        case .busy:
            held[path] = Held(until: Date().addingTimeInterval(5), tries: held[path]?.tries ?? 0)
        case .done(let run):
            log.note("file.known", ["item.path": full, "run.id": run])
            held[path] = nil
            dealt[path] = Dealt(arrival: arrival, order: order)
            try settlement.done(watched.after ?? .keep, to: watched.doneFolder)
        case .taken:
            let ending: FileRun.Ending
            do {
                // Somebody may have done it, and put it away, just before it was taken.
                guard FileIdentity(path: full) == file else { throw CancellationError() }
                ending = try await perform(run)
                guard !ending.isCancelled else { throw CancellationError() }
                guard FileIdentity(path: full) == file else {
                    log.warn("file.changed", ["item.path": full, "run.id": ending.run])
                    throw CancellationError()
                }
                if ending.mayPass(after: held[path]?.tries ?? 0), let failure = ending.failure?.error {
                    hold(path)
                    log.warn(
                        "file.held",
                        ["item.path": full, "error.code": failure.code, "error.message": failure.message])
                    throw CancellationError()
                }
            } catch {
                try await ledger.settle(content, profile: profile, run: nil, isDone: false)
                throw error
            }
            dealt[path] = Dealt(arrival: arrival, order: order)
            held[path] = nil
            guard let failure = ending.failure else {
                try await ledger.settle(content, profile: profile, run: ending.run, isDone: true)
                log.note("file.done", ["item.path": full, "run.id": ending.run])
                return try settlement.done(watched.after ?? .keep, to: watched.doneFolder)
            }
            // Put away first: once it is let go of, whoever finds it there may take it again.
            let quarantined = Result {
                try settlement.failed(failure, run: ending.run, to: watched.quarantineFolder)
            }
            try await ledger.settle(content, profile: profile, run: ending.run, isDone: false)
            means.figures.quarantined()
            await means.notifier.post(
                Notice(
                    .quarantined, "A file was put into quarantine",
                    about: ["item.path": full, "run.id": ending.run, "quarantine": watched.quarantineFolder],
                    error: failure.error.map { $0.asError }))
            log.warn(
                "file.quarantined",
                [
                    "item.path": full, "run.id": ending.run, "quarantine": watched.quarantineFolder,
                    "error.code": failure.error?.code, "error.message": failure.error?.message,
                ])
            try quarantined.get()
        }
    }

    private func run(_ arrival: Arrival, order: FileOrder, _ watched: WatchedFolder) -> FileRun {
        var order = order
        func full(_ entry: FolderSnapshot.Entry) -> String { "\(watched.folder)/\(entry.path)" }
        if let cast = arrival.cast { order.cast = full(cast) }
        let out = order.out ?? watched.outFolder
        return FileRun(
            path: full(arrival.file), order: order, stem: arrival.stem,
            out: arrival.file.folder.isEmpty ? out : "\(out)/\(arrival.file.folder)",
            scripts: arrival.scripts.mapValues(full), quarantine: watched.quarantineFolder)
    }

    /// Runs a file; what keeps its run from being begun counts as its failure.
    private func perform(_ run: FileRun) async throws -> FileRun.Ending {
        do {
            return try await run.perform(means, origin: .folder)
        } catch let error as DubError {
            var record = ItemRecord(index: 0, source: run.path, status: "failed")
            record.error = ErrorRecord(error)
            return FileRun.Ending(run: "", records: [record])
        }
    }

    /// Leaves a file alone for a minute, and twice as long each time, up to an hour.
    private func hold(_ path: String) {
        let tries = held[path]?.tries ?? 0
        let seconds = min(3600, 60 * pow(2, Double(min(tries, 10))))
        held[path] = Held(until: Date().addingTimeInterval(seconds), tries: tries + 1)
    }
}

extension FileIdentity {
    /// Whether it is the file that a look saw.
    func isAs(_ entry: FolderSnapshot.Entry) -> Bool {
        inode == entry.inode && size == entry.size && modified == entry.modified
    }
}
