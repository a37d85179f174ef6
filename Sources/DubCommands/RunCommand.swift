internal import ArgumentParser
internal import DubCore
internal import DubRunner
internal import DubStages
internal import DubWorkers
internal import Foundation

/// `dubmill run`.
struct RunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Dub media files; what was done before is not done again.",
        discussion: """
            One file into Spanish:
              dubmill run film.mp4 --to es

            A season into two languages, with human translations for none, on all cores:
              dubmill run season1/*.mkv --to es,fr --out dubbed

            Faster, rougher, with the rule-based translator:
              dubmill run film.mp4 --to es --translator apertium

            Beside each dub lie its subtitles, its script and its verdict. Kill it at any time: the same command goes
            on where it stopped. Exit: 0 all passed, 1 some items failed, 3 set aside for review, 130 interrupted.
            """)

    @OptionGroup var options: RunOptions
    @Option(help: "How many of dubmill's own steps run at once; all cores where not given.") var jobs: Int?
    @Option(help: "How many cores the models use; all where not given.") var threads: Int?
    @Option(help: "How results are printed: table or json.") var format = OutputFormat.table
    @Flag(help: "Run everything, whatever was done before.") var force = false
    @Flag(name: .shortAndLong, help: "Print errors and results only.") var quiet = false

    func validate() throws {
        if let jobs, jobs < 1 { throw ValidationError("--jobs is \(jobs); give 1 or more.") }
        if let threads, threads < 1 { throw ValidationError("--threads is \(threads); give 1 or more.") }
    }

    func run() async throws {
        let report: RunReport
        var code: Int32?
        do {
            report = try await execute()
        } catch let error as DubError {
            // Nothing was begun: every item fails for the same reason.
            report = RunReport(
                run: nil,
                items: options.files.enumerated().map { index, file in
                    var record = ItemRecord(index: index, source: RunPaths.absolute(file), status: "failed")
                    record.error = ErrorRecord(error)
                    return RunReport.Item(record)
                })
            code = Exit.code(of: error)
            if format == .json { Console.note("\(error)") }
        }
        switch format {
        case .json: Console.result(try Console.json(report))
        case .table: Console.result(report.table)
        }
        throw ExitCode(code ?? report.exitCode)
    }

    private func execute() async throws -> RunReport {
        let settings = try Settings()
        let home = Home()
        let storeFolder = home.store(given: settings.value("store", flag: options.store))
        let cores = ProcessInfo.processInfo.activeProcessorCount
        let jobs = try number("jobs", self.jobs, settings)
        let display = ProgressDisplay(isQuiet: quiet)
        let machine = try Machine(storeFolder: storeFolder, threads: try number("threads", threads, settings))
        let pipeline = try home.pipeline(settings.value("pipeline", flag: options.pipeline) ?? "dub")
        let request = RunSession.Request(
            files: options.files.map(RunPaths.absolute), pipeline: pipeline,
            parameters: options.parameters(
                settings, declared: try Machine.parameters(of: pipeline),
                profile: try Machine.profile(options.profile, of: pipeline)),
            out: RunPaths.absolute(settings.value("out", flag: options.out) ?? "dubbed"),
            script: options.script.map(RunPaths.absolute), items: 2, slots: jobs ?? cores, force: force)
        let session = try RunSession(request, machine: machine) { display.show($0) }
        display.begin(items: request.files.count)
        let work = Task { try await session.run() }
        let interruption = Interruption {
            display.end()
            Console.note("Interrupted. Nothing is lost: the same command goes on where this run stopped.")
            work.cancel()
            Task { await machine.worker.shutdown() }
        }
        defer { withExtendedLifetime(interruption) {} }
        let records: [ItemRecord]
        do {
            records = try await work.value
        } catch {
            display.end()
            await machine.worker.shutdown()
            throw error
        }
        display.end()
        await machine.worker.shutdown()
        return RunReport(run: session.id, items: records.map { RunReport.Item($0) })
    }

    private func number(_ name: String, _ flag: Int?, _ settings: Settings) throws -> Int? {
        guard let text = settings.value(name, flag: flag.map(String.init)) else { return nil }
        guard let number = Int(text), number > 0 else {
            throw DubError(
                .settingsInvalid, "`\(name)` is \(text), and has to be 1 or more.", at: name,
                fix: "Give a whole number.")
        }
        return number
    }
}

/// Paths as they are given.
enum RunPaths {
    /// Absolute, without `.` and `..`; symbolic links stay.
    static func absolute(_ path: String) -> String {
        let expanded = (path as NSString).expandingTildeInPath
        let full =
            expanded.hasPrefix("/") ? expanded : FileManager.default.currentDirectoryPath + "/" + expanded
        return (full as NSString).standardizingPath
    }
}
