internal import ArgumentParser
internal import DubCore
internal import DubHTTP
internal import DubNotify
internal import DubSchedule
internal import DubWatch
internal import Foundation

/// `dubmill daemon`.
struct DaemonCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "daemon",
        abstract: "Keep watched folders, timetables and a control API, in the foreground.",
        discussion: """
            What it keeps stands in dubmill.yaml:
              watch:
                - {folder: incoming, to: [es, fr], out: dubbed, after: move}
              timetables:
                - {name: nightly, cron: "30 2 * * mon-fri", zone: Europe/Berlin, batch: nightly.csv, to: es}
              http: {listen: 127.0.0.1:8720, roots: [media], out: dubbed}

            See what it would keep, and what is wrong with the file:
              dubmill daemon --check

            SIGTERM and ^C: nothing more is begun, what runs is finished within `daemon: {drain: 60s}`. Again: at once.
            SIGHUP: the configuration is read again; a faulty one is refused, and the one before holds.
            Exit: 0 stopped when asked to, 64 the configuration is faulty, 75 try again.
            """)

    @Option(help: "The configuration.", completion: .file(extensions: ["yaml"])) var config = "dubmill.yaml"
    @Option(help: "The folder for artifacts and the ledger.", completion: .directory) var store: String?
    @Option(help: "How the log is written: text or json, a line an event.") var logFormat = LogFormat.text
    @Option(help: "How many of dubmill's own steps run at once; all cores where not given.") var jobs: Int?
    @Option(help: "How many cores the models use; all where not given.") var threads: Int?
    @Flag(help: "Check the configuration, show what it says, and do nothing.") var check = false

    func validate() throws {
        if let jobs, jobs < 1 { throw ValidationError("--jobs is \(jobs); give 1 or more.") }
        if let threads, threads < 1 { throw ValidationError("--threads is \(threads); give 1 or more.") }
    }

    func run() async throws {
        var log = DaemonLog(format: logFormat)
        let file = RunPaths.absolute(config)
        do {
            let settings = try Settings(file: file)
            let machine = try Machine(
                storeFolder: Home().store(given: Self.path("store", flag: store, settings, file)),
                workforce: try await Workforce.find(settings, threads: try settings.number("threads", flag: threads)))
            let configuration = try DaemonCheck(machine: machine).configuration(file)
            if check { return Console.result(Self.table(configuration)) }
            guard
                !configuration.folders.isEmpty || !configuration.timetables.isEmpty || configuration.http != nil
            else {
                throw DubError(
                    .settingsInvalid, "It names nothing to keep.", at: file,
                    fix: "Write `watch`, `timetables` or `http`; docs/daemon.md shows an example.")
            }
            let cores = ProcessInfo.processInfo.activeProcessorCount
            let slots = try settings.number("jobs", flag: jobs) ?? cores
            let figures = DaemonFigures()
            let notifier = Self.notifier(configuration, figures, log)
            log.onFailure = { event, error, about in
                // Unstructured: an error is told wherever it is noted, and nobody waits.
                Task { await notifier.post(Notice(.error, event, about: about, error: error)) }
            }
            let means = FolderKeeper.Means(
                machine: machine, queue: WorkQueue(slots: configuration.items), log: log,
                slots: max(1, slots / configuration.items),
                quarantine: Self.path("quarantine", flag: nil, settings, file), notifier: notifier, figures: figures,
                outbox: OutboxKeeper(work: PublishWork(machine), log: log))
            let (stream, signals) = Signals.stream(of: [SIGINT, SIGTERM, SIGHUP])
            try await Daemon(
                file: file, configuration: configuration, means: means, storeBudget: try StoreBudget(settings)
            ).run(signals: stream)
            withExtendedLifetime(signals) {}
        } catch let error as DubError {
            log.fail("daemon.refused", error)
            throw ExitCode(Exit.code(of: error))
        }
    }

    /// A path that is set; one that stands in the configuration is relative to that.
    private static func path(_ name: String, flag: String?, _ settings: Settings, _ file: String) -> String? {
        let (value, origin) = settings.resolve(name, flag: flag)
        guard let value else { return nil }
        guard origin == .file, !value.hasPrefix("/"), !value.hasPrefix("~") else { return RunPaths.absolute(value) }
        return RunPaths.absolute((file as NSString).deletingLastPathComponent + "/" + value)
    }

    private static func notifier(
        _ configuration: DaemonConfiguration, _ figures: DaemonFigures, _ log: DaemonLog
    ) -> Notifier {
        Notifier(
            configuration.notify.compactMap { try? Recipient($0) }, client: HTTPClient(), version: Version.text,
            host: ProcessInfo.processInfo.hostName
        ) { outcome in
            switch outcome {
            case .sent: figures.notified(isSent: true)
            case .dropped(let place, let error):
                figures.notified(isSent: false)
                log.warn(
                    "notification.dropped",
                    ["to": place, "error.code": error.code.name, "error.message": error.what])
            }
        }
    }

    private static func table(_ configuration: DaemonConfiguration) -> String {
        let folders = configuration.folders.map { folder in
            let order = folder.order
            let to = (order.parameters["to"] ?? order.defaults["to"])?.array?.compactMap(\.string) ?? []
            return [
                "folder", folder.folder, order.pipeline ?? "dub", to.joined(separator: ","), folder.outFolder,
                "afterwards: \((folder.after ?? .keep).rawValue)",
            ]
        }
        let timetables = configuration.timetables.map { entry in
            let order = entry.order
            let to = (order.parameters["to"] ?? order.defaults["to"])?.array?.compactMap(\.string) ?? []
            let next = entry.timetable.cron.next(after: Date(), in: entry.timetable.zone)
            return [
                "timetable", entry.name, order.pipeline ?? "dub", to.joined(separator: ","), order.out ?? "dubbed",
                entry.isPaused ? "paused" : "next: \(next?.formatted(.iso8601) ?? "never")",
            ]
        }
        let services = configuration.http.map { http in
            [
                [
                    "http", http.place, (http.pipelines ?? ["those that ship"]).joined(separator: ","), "",
                    http.out ?? "nothing can be submitted",
                    http.certificate != nil ? "TLS" : http.isBehindProxy ? "behind a proxy" : "on this machine",
                ]
            ]
        }
        return Console.table(
            ["KIND", "NAME", "PIPELINE", "TO", "OUT", ""], folders + timetables + (services ?? []))
    }
}
