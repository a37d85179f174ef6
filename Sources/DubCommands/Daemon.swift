internal import DubCore
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

    /// - Parameters:
    ///   - file: the configuration, absolute.
    ///   - configuration: what was read of it.
    init(
        file: String, configuration: DaemonConfiguration, means: FolderKeeper.Means, storeBudget: StoreBudget?
    ) {
        self.file = file
        self.configuration = configuration
        self.means = means
        self.storeBudget = storeBudget
        check = DaemonCheck(machine: means.machine)
    }

    /// Works until SIGTERM or SIGINT; SIGHUP reads the configuration again.
    func run(signals: AsyncStream<Int32>) async {
        keep()
        means.log.note(
            "daemon.ready",
            [
                "config": file, "process.id": "\(getpid())", "folders": "\(folders.count)",
                "timetables": "\(timetables.count)",
            ])
        // Unstructured: it is cancelled below, and nobody waits for it.
        let housekeeping = Task { [means, storeBudget] in
            while let storeBudget {
                do { try await Task.sleep(for: .seconds(600)) } catch { return }
                await storeBudget.keep(means.machine) { means.log.note("store.kept", ["message": $0]) }
            }
        }
        defer { housekeeping.cancel() }
        for await signal in signals {
            guard signal == SIGHUP else { break }
            reload()
        }
        // Who asks a second time has no more patience.
        await drain { for await signal in signals where signal != SIGHUP { return } }
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
            let keeper = FolderKeeper(folder, means: means)
            folders[folder] = Task { await keeper.run() }
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

    private func reload() {
        do {
            configuration = try check.configuration(file)
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
        log.note("daemon.stopped")
    }
}
