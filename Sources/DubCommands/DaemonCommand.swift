internal import ArgumentParser
internal import DubCore
internal import DubSchedule
internal import DubWatch
internal import Dispatch
internal import Foundation

/// `dubmill daemon`.
struct DaemonCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "daemon",
        abstract: "Keep watched folders and timetables, in the foreground.",
        discussion: """
            What it keeps stands in dubmill.yaml:
              watch:
                - {folder: incoming, to: [es, fr], out: dubbed, after: move}
              timetables:
                - {name: nightly, cron: "30 2 * * mon-fri", zone: Europe/Berlin, batch: nightly.csv, to: es}

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
        let log = DaemonLog(format: logFormat)
        let file = RunPaths.absolute(config)
        do {
            let settings = try Settings(file: file)
            let machine = try Machine(
                storeFolder: Home().store(given: Self.path("store", flag: store, settings, file)),
                workforce: try await Workforce.find(settings, threads: try settings.number("threads", flag: threads)))
            let configuration = try DaemonCheck(machine: machine).configuration(file)
            if check { return Console.result(Self.table(configuration)) }
            guard !configuration.folders.isEmpty || !configuration.timetables.isEmpty else {
                throw DubError(
                    .settingsInvalid, "It names nothing to keep.", at: file,
                    fix: "Write `watch` or `timetables`; docs/daemon.md shows an example.")
            }
            let cores = ProcessInfo.processInfo.activeProcessorCount
            let slots = try settings.number("jobs", flag: jobs) ?? cores
            let means = FolderKeeper.Means(
                machine: machine, queue: WorkQueue(slots: configuration.items), log: log,
                slots: max(1, slots / configuration.items),
                quarantine: Self.path("quarantine", flag: nil, settings, file))
            let signals = Signals()
            await Daemon(
                file: file, configuration: configuration, means: means, storeBudget: try StoreBudget(settings)
            ).run(signals: signals.stream)
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
        return Console.table(["KIND", "NAME", "PIPELINE", "TO", "OUT", ""], folders + timetables)
    }
}

/// The signals that a daemon heeds, one after the other.
final class Signals: Sendable {
    let stream: AsyncStream<Int32>
    // Only ever touched in init: dispatch sources are thread-safe, and do not say so.
    nonisolated(unsafe) private let sources: [any DispatchSourceSignal]

    init() {
        let (stream, continuation) = AsyncStream<Int32>.makeStream()
        self.stream = stream
        let queue = DispatchQueue(label: "dubmill.signals")
        sources = [SIGINT, SIGTERM, SIGHUP].map { number in
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
            source.setEventHandler { continuation.yield(number) }
            source.resume()
            return source
        }
    }
}
