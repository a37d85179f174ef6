internal import DubCore
internal import DubNotify
internal import DubRunner
internal import DubService
internal import DubWorkers
internal import DubWatch
internal import Foundation

/// Keeps watched folders and timetables until it is told to stop.
actor Daemon {
    private let file: String
    private let means: FolderKeeper.Means
    private let check: DaemonCheck
    private let storeBudget: StoreBudget?
    private var configuration: DaemonConfiguration
    private var folders: [WatchedFolder: Task<Void, Never>] = [:]
    private var timetables: [TimetableEntry: Task<Void, Never>] = [:]
    private let desk: RunDesk
    private let manager = ServiceManager()

    /// - Parameters:
    ///   - file: the configuration, absolute.
    ///   - configuration: what was read of it.
    /// - Throws: what keeps the API from what it is to reach.
    init(
        file: String, configuration: DaemonConfiguration, means: FolderKeeper.Means, storeBudget: StoreBudget?
    ) throws {
        self.file = file
        self.configuration = configuration
        self.means = means
        self.storeBudget = storeBudget
        check = DaemonCheck(machine: means.machine)
        desk = RunDesk(
            means, reach: try Reach(configuration.http ?? ServiceEntry(), home: Home()), base: configuration.base)
    }

    /// Works until SIGTERM or SIGINT; SIGHUP reads the configuration again.
    ///
    /// - Throws: `service.unavailable` where the API cannot be served: then nothing was begun.
    func run(signals: AsyncStream<Int32>) async throws {
        let service = try await serve()
        defer { service?.cancel() }
        // Unstructured: it is cancelled below, and nobody waits for it.
        let queue = Task { [desk] in
            while !Task.isCancelled {
                await desk.resume()
                // Another daemon may die at any time, and nothing tells.
                do { try await Task.sleep(for: .seconds(15)) } catch { return }
            }
        }
        defer { queue.cancel() }
        keep()
        means.log.note(
            "daemon.ready",
            [
                "config": file, "process.id": "\(getpid())", "folders": "\(folders.count)",
                "timetables": "\(timetables.count)",
            ])
        manager.ready(status)
        // Unstructured, as what follows: they are cancelled below, and nobody waits for them.
        let watches = [Task { await watchdog() }, Task { await watchQueue() }]
        defer { for watch in watches { watch.cancel() } }
        let housekeeping = Task { [means, storeBudget] in
            while let storeBudget {
                do { try await Task.sleep(for: .seconds(600)) } catch { return }
                await storeBudget.keep(means.machine, isDone: false) { means.log.note("store.kept", ["message": $0]) }
            }
        }
        defer { housekeeping.cancel() }
        // As well: what is not published when it is cancelled is written down, and the next takes it up.
        let publishing = Task { [means] in await means.outbox.run() }
        defer { publishing.cancel() }
        for await signal in signals {
            guard signal == SIGHUP else { break }
            reload()
        }
        queue.cancel()
        // Who asks a second time has no more patience.
        await drain { for await signal in signals where signal != SIGHUP { return } }
    }

    private var status: String {
        "\(folders.count) folders, \(timetables.count) timetables"
            + (configuration.http.map { ", API on \($0.place)" } ?? "")
    }

    /// Tells the service manager that all is well, for as long as it is: the ledger answers, and so does this actor.
    private func watchdog() async {
        guard let pause = manager.watchdog else { return }
        while !Task.isCancelled {
            if await desk.isLedgerWell() { manager.isWell() }
            do { try await Task.sleep(for: pause) } catch { return }
        }
    }

    /// Tells when something waits and nothing comes to its end, and when that is over.
    private func watchQueue() async {
        var isStuck = false
        while !Task.isCancelled {
            let bound = Duration.milliseconds(Int64(configuration.stuck * 1000))
            let oldest = await means.queue.oldest ?? .zero
            let quiet = means.figures.quiet
            if (min(oldest, quiet) > bound) != isStuck {
                isStuck.toggle()
                let about = [
                    "waiting": "\(await means.queue.counts.waiting)", "oldest.seconds": "\(Int(oldest.seconds))",
                ]
                let what = isStuck ? "The queue is stuck" : "The queue moves again"
                if isStuck { means.log.warn("queue.stuck", ["oldest.seconds": about["oldest.seconds"]]) }
                await means.notifier.post(Notice(.stuck, what, about: about, isOver: !isStuck))
            }
            do { try await Task.sleep(for: min(bound / 4, .seconds(30))) } catch { return }
        }
    }

    /// Serves the API, where one is configured; returns once it is listened to.
    private func serve() async throws -> Task<Void, Never>? {
        guard let entry = configuration.http else { return nil }
        let log = means.log
        let service = HTTPService(
            entry, tokens: entry.tokens ?? Home().tokens, desk: desk, version: Version.text
        ) { log.fail("http.failed", $0) }
        desk.tell(also: { service.figures })
        let (starts, start) = AsyncStream<Result<Int, any Error>>.makeStream()
        // Unstructured: it serves until the daemon has ended.
        let task = Task {
            do { try await service.run { start.yield(.success($0)) } } catch { start.yield(.failure(error)) }
            start.finish()
        }
        for await outcome in starts {
            let port = try outcome.get()
            var bound = entry
            bound.port = port
            log.note("http.listening", ["address": bound.place, "tls": "\(entry.certificate != nil)"])
            break
        }
        return task
    }

    /// Has what is configured kept, and nothing else; what stays the same is left alone.
    private func keep() {
        for (folder, task) in folders where !configuration.folders.contains(folder) {
            task.cancel()
            folders[folder] = nil
        }
        var ending: [String: Task<Void, Never>] = [:]
        for (entry, task) in timetables where !configuration.timetables.contains(entry) {
            task.cancel()
            ending[entry.name] = task
            timetables[entry] = nil
        }
        // Unstructured: each ends when it is no longer configured, or the daemon stops.
        for folder in configuration.folders where folders[folder] == nil {
            folders[folder] = keeping(folder)
        }
        for entry in configuration.timetables where timetables[entry] == nil {
            let keeper = TimetableKeeper(entry, means: means)
            // What the one before leaves is taken up at once.
            let before = ending[entry.name]
            timetables[entry] = Task {
                await before?.value
                await keeper.run()
            }
        }
    }

    private func keeping(_ folder: WatchedFolder) -> Task<Void, Never> {
        guard folder.isPrefix else {
            let keeper = FolderKeeper(folder, means: means)
            return Task { await keeper.run() }
        }
        return Task { [means] in
            do {
                try await PrefixKeeper(folder, means: means).run()
            } catch {
                means.log.fail("folder.unreadable", error, ["folder": folder.folder])
            }
        }
    }

    private func reload() {
        manager.reloading()
        defer { manager.ready(status) }
        do {
            let before = configuration.http
            configuration = try check.configuration(file)
            if configuration.http != before { means.log.warn("http.restart-needed", ["config": file]) }
            let (desk, base, notifier) = (desk, configuration.base, means.notifier)
            let recipients = configuration.notify.compactMap { try? Recipient($0) }
            Task {
                await desk.adopt(base)
                await notifier.adopt(recipients)
            }
            keep()
            means.log.note(
                "configuration.reloaded",
                ["config": file, "folders": "\(folders.count)", "timetables": "\(timetables.count)"])
            let (queue, items) = (means.queue, configuration.items)
            Task { await queue.resize(items) }
        } catch {
            means.log.fail("configuration.refused", error, ["config": file])
        }
    }

    /// Takes no more, lets what runs finish within the bound, then stops it.
    private func drain(impatience: @escaping @Sendable () async -> Void) async {
        let (queue, log, worker) = (means.queue, means.log, means.machine.worker)
        manager.stopping("finishing what runs")
        for task in folders.values { task.cancel() }
        for task in timetables.values { task.cancel() }
        let counts = await queue.counts
        await queue.stop()
        log.note(
            "daemon.draining",
            ["running": "\(counts.running)", "waiting": "\(counts.waiting)", "seconds": "\(Int(configuration.drain))"])
        let bound = configuration.drain
        // Unstructured: the first of them that comes ends the patience; neither is waited for.
        let stop: @Sendable (String) async -> Void = { why in
            log.warn("daemon.stopping", ["why": why])
            await queue.cancelAll()
            await worker.shutdown()
            // What does not heed that is ended all the same: a daemon may be killed anywhere.
            do { try await Task.sleep(for: .seconds(10)) } catch { return }
            log.warn("daemon.killed")
            _exit(Exit.interrupted)
        }
        let late = Task {
            do { try await Task.sleep(for: .seconds(bound)) } catch { return }
            await stop("the bound of \(Int(bound)) s is over")
        }
        let asked = Task {
            await impatience()
            if !Task.isCancelled { await stop("asked again") }
        }
        await queue.wait()
        late.cancel()
        asked.cancel()
        for task in Array(folders.values) + Array(timetables.values) { await task.value }
        await worker.shutdown()
        await means.notifier.flush(within: .seconds(5))
        log.note("daemon.stopped")
    }
}
