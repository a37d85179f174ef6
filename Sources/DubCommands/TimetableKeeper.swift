internal import DubCore
internal import DubRunner
internal import DubLedger
internal import DubSchedule
internal import DubWatch
internal import Foundation
internal import Glibc

/// Keeps a timetable: starts its batch when it is due, and sees to it that it comes to its end.
actor TimetableKeeper {
    private let entry: TimetableEntry
    private let means: FolderKeeper.Means
    private let bell = Bell()
    /// Batches that go on here, by the time of their start.
    private var running: Set<Date> = []
    /// The start that waits for the one before.
    private var waiting: Date?
    /// Batches that were stopped for later ones.
    private var dropped: Set<Date> = []

    init(_ entry: TimetableEntry, means: FolderKeeper.Means) {
        self.entry = entry
        self.means = means
    }

    /// Starts what is due until the task is cancelled. Batches that were started go on after that.
    func run() async {
        while !Task.isCancelled {
            var pause = 30.0
            do {
                if !entry.isPaused { try await resume() }
                if let next = try await step() { pause = min(pause, max(0.01, next.timeIntervalSinceNow)) }
            } catch {
                means.log.fail("timetable.failed", error, ["timetable": entry.name])
            }
            // The one before may go on in another process, or under the configuration before this.
            if waiting != nil { pause = min(pause, 2) }
            // Half a minute at most: the machine's clock may be set meanwhile.
            await bell.wait(atMost: .milliseconds(Int64((pause * 1000).rounded(.up))))
        }
        // Who keeps the timetable next begins it.
        if let waiting { try? await means.machine.ledger.leaveStart(of: entry.name, due: waiting) }
    }

    /// Takes up what processes left that died, this daemon's last and others'.
    private func resume() async throws {
        let ledger = means.machine.ledger
        var open = try await ledger.abandonedStarts(of: entry.name)
        if entry.timetable.overlap == .cancelPrevious, let last = open.popLast() {
            for due in open { try await ledger.endStart(of: entry.name, due: due) }
            open = [last]
        }
        guard !open.isEmpty else { return }
        var going = try await ledger.runningStarts(of: entry.name) - open.count
        for due in open {
            tell("timetable.resumed", due)
            if going <= 0 || entry.timetable.overlap == .allow { begin(due) } else { waiting = due }
            going += 1
        }
    }

    /// Starts what is due.
    ///
    /// - Returns: when the next is.
    private func step() async throws -> Date? {
        let ledger = means.machine.ledger
        let now = Date()
        if let due = waiting, try await ledger.runningStarts(of: entry.name) <= 1 {
            waiting = nil
            begin(due)
        }
        let last = try await ledger.lastTime(of: entry.name, now: now)
        let due = entry.timetable.due(since: last, now: now, name: entry.name)
        // The last is enough: what lies before it has been dealt with too.
        if let missed = due.skipped.last, try await ledger.takeStart(of: entry.name, due: missed, isSkipped: true) {
            tell("timetable.missed", missed)
        }
        for time in due.starts {
            guard !entry.isPaused else {
                if try await ledger.takeStart(of: entry.name, due: time, isSkipped: true) {
                    tell("timetable.paused", time)
                }
                continue
            }
            let going = try await ledger.runningStarts(of: entry.name)
            let own = waiting == nil ? 0 : 1
            let turn = entry.timetable.turn(running: max(0, going - own), waiting: own)
            // Who takes it is the one who starts it, however many daemons keep the timetable.
            guard try await ledger.takeStart(of: entry.name, due: time, isSkipped: turn == .skip) else { continue }
            switch turn {
            case .skip: tell("timetable.overlapped", time, "the one before goes on")
            case .start: begin(time)
            case .wait:
                waiting = time
                tell("timetable.waiting", time)
            case .cancelPreviousAndStart:
                dropped.formUnion(running)
                await means.queue.cancel(batch: entry.name)
                begin(time)
            }
        }
        return due.next
    }

    private func batch(_ due: Date) -> String { "\(entry.name) \(due.formatted(.iso8601))" }

    private func tell(_ event: String, _ due: Date, _ note: String? = nil) {
        means.log.note(event, ["timetable": entry.name, "due": due.formatted(.iso8601), "note": note])
    }

    // MARK: - A batch

    private func begin(_ due: Date) {
        running.insert(due)
        // Unstructured: it goes on where the timetable is changed or taken away meanwhile; the queue ends it.
        Task {
            await work(off: due)
            running.remove(due)
            dropped.remove(due)
            await bell.ring()
        }
    }

    private func work(off due: Date) async {
        let (log, queue) = (means.log, means.queue)
        do {
            let items = try self.items()
            log.note("batch.started", ["batch": batch(due), "items": "\(items.count)"])
            let stems = RunSession.stems(items.map(\.path))
            let (name, timetable) = (batch(due), entry.name)
            let counts = Locked<[String: Int]>([:])
            let isWhole = await withTaskGroup(of: Bool.self) { group in
                for (item, stem) in zip(items, stems) {
                    let order = item.order.over(entry.order)
                    let run = FileRun(
                        path: item.path, order: order, stem: stem, out: order.out ?? defaultOut,
                        quarantine: means.quarantine)
                    group.addTask { [means] in
                        await queue.run(priority: order.priority ?? 0, batch: timetable) {
                            let isDropped = await self.dropped.contains(due)
                            let status = isDropped ? "cancelled" : await Self.status(of: run, means)
                            counts.withLock { $0[status, default: 0] += 1 }
                        }
                    }
                }
                var isWhole = true
                for await isBegun in group where !isBegun { isWhole = false }
                return isWhole
            }
            // What a stopping daemon leaves undone is taken up by the next.
            let isStopped = await queue.isStopped
            let ended = counts.withLock { $0 }
            guard isWhole, ended["cancelled"] == nil || !isStopped else {
                return log.warn("batch.left", ["batch": name])
            }
            try await means.machine.ledger.endStart(of: entry.name, due: due)
            let told = ended.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }.joined(separator: ", ")
            log.write(
                ended["failed"] == nil ? .info : .warning, "batch.finished",
                ["batch": name, "items": told.isEmpty ? "none" : told])
        } catch {
            log.fail("batch.failed", error, ["batch": batch(due)])
            try? await means.machine.ledger.endStart(of: entry.name, due: due)
        }
    }

    private var defaultOut: String { (entry.file as NSString).deletingLastPathComponent + "/dubbed" }

    private static func status(of run: FileRun, _ means: FolderKeeper.Means) async -> String {
        do {
            let ending = try await run.perform(means, origin: .timetable)
            if ending.isCancelled { return "cancelled" }
            if ending.failure != nil { return "failed" }
            return ending.records.contains { $0.status == "review" } ? "review" : "passed"
        } catch is CancellationError {
            return "cancelled"
        } catch {
            means.log.fail("run.failed", error, ["item.path": run.path])
            return "failed"
        }
    }

    /// The files of the batch, as they are now.
    private func items() throws -> [BatchItem] {
        switch entry.source {
        case .manifest(let file): return try Manifest.read(file)
        case .files(let patterns):
            var paths: Set<String> = []
            for pattern in patterns {
                var found = glob_t()
                defer { globfree(&found) }
                switch glob(pattern, GLOB_NOSORT, nil, &found) {
                case 0:
                    for index in 0..<Int(found.gl_pathc) {
                        if let path = found.gl_pathv[index] { paths.insert(String(cString: path)) }
                    }
                case GLOB_NOMATCH: continue
                default:
                    throw DubError(
                        .inputMissing, "The files cannot be looked for.", at: pattern, fix: "Let dubmill read there.")
                }
            }
            return paths.sorted().filter { path in
                var isFolder: ObjCBool = false
                return FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) && !isFolder.boolValue
            }.map { BatchItem(path: $0, order: FileOrder(), line: 0) }
        }
    }
}
