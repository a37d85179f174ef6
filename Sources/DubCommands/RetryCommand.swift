internal import ArgumentParser
internal import DubCore
internal import DubLedger
internal import DubReport
internal import DubRunner
internal import Foundation

/// `dubmill retry`.
struct RetryCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "retry", abstract: "Take up again what failed in a run, or was not reached.",
        discussion: """
            dubmill retry --list
            dubmill retry

            The same request over the files of the run that failed, were cancelled or never came to their turn; what
            was done of them is not done again. Without a name, of the latest run with such files.
            """)

    @Argument(help: "The run's name, or the beginning of it.") var run: String?
    @Flag(help: "List the nodes that failed and were not made good since, and run nothing.") var list = false
    @Option(help: "How many of dubmill's own steps run at once; all cores where not given.") var jobs: Int?
    @Option(help: "How many cores the models use; all where not given.") var threads: Int?
    @Flag(name: .shortAndLong, help: "Print errors and results only.") var quiet = false
    @OptionGroup var options: LedgerOptions
    @OptionGroup var workers: WorkerOptions

    func validate() throws {
        if let jobs, jobs < 1 { throw ValidationError("--jobs is \(jobs); give 1 or more.") }
        if let threads, threads < 1 { throw ValidationError("--threads is \(threads); give 1 or more.") }
    }

    func run() async throws {
        let ledger = try options.ledger()
        if list { return try await tell(ledger) }
        guard let (found, open) = try await unfinished(ledger) else {
            return Console.note("Nothing to retry: every file is done.")
        }
        guard !found.request.pipeline.isEmpty else {
            throw DubError(
                .inputMissing, "The run is of an older dubmill, and does not tell what it was asked for.", at: found.id,
                fix: "Give the same command again.")
        }
        let settings = try Settings()
        let workforce = try await Workforce.find(
            settings, workers, threads: try settings.number("threads", flag: threads))
        let machine = try Machine(storeFolder: options.place.folder(), workforce: workforce)
        let files = open.map(\.source)
        let request = RunSession.Request(
            files: files, pipeline: try Home().pipeline(found.request.pipeline), pipelineName: found.request.pipeline,
            parameters: found.parameters, out: found.request.out, script: found.request.script,
            cast: found.request.cast, gate: found.request.gate, quarantine: found.request.quarantine, items: 2,
            slots: try settings.number("jobs", flag: jobs) ?? ProcessInfo.processInfo.activeProcessorCount,
            force: false, stems: try await stems(of: files, as: found, ledger), publish: found.request.publish)
        Console.note("Taking up \(files.count) of the files of \(found.id)")
        let report = try await RunWork(
            request: request, machine: machine, display: ProgressDisplay(isQuiet: quiet),
            storeBudget: try StoreBudget(settings)
        ).perform()
        switch options.format {
        case .json: Console.result(try Console.json(report))
        case .table: Console.result(report.table)
        }
        throw ExitCode(report.exitCode)
    }

    private func tell(_ ledger: SQLiteLedger) async throws {
        let found = if let run { try await ledger.found(run) } else { RunRecord?.none }
        let letters = try await ledger.deadLetters(of: found?.id)
        switch options.format {
        case .json: Console.result(try Console.json(letters))
        case .table:
            Console.result(
                Console.table(
                    ["RUN", "WHEN", "ATTEMPTS", "FILE", "NODE", "ERROR"],
                    letters.map { letter in
                        [
                            letter.run, letter.failed.formatted(.iso8601), "\(letter.attempts)",
                            Console.printable((letter.source as NSString).lastPathComponent), letter.node,
                            letter.error.map { "\($0.code): \(Console.printable($0.message))" } ?? "",
                        ]
                    }))
        }
    }

    /// One file of one request.
    private struct Asked: Hashable {
        var request: RunRequest
        var parameters: [String: JSONValue]
        var source: String

        init(_ run: RunRecord, _ source: String) {
            request = run.request
            parameters = run.parameters
            self.source = source
        }
    }

    /// The run that is meant, and its items that are not done.
    private func unfinished(_ ledger: SQLiteLedger) async throws -> (RunRecord, [ItemRecord])? {
        let candidates =
            if let run { [try await ledger.found(run)] } else { try await ledger.runs(limit: 200) }
        // What a later run made good is not taken up again.
        var later: Set<Asked> = []
        // A file that was delivered without what failed, as that is tolerated, is not done either.
        let failed = Dictionary(grouping: try await ledger.deadLetters(of: nil), by: \.run)
            .mapValues { Set($0.map(\.source)) }
        for candidate in candidates {
            let isRunning = ["running", "queued"].contains(candidate.shownState)
            if isRunning, run != nil {
                throw DubError(
                    .inputMissing, "The run goes on.", at: candidate.id, fix: "Wait for it, or dubmill cancel it first."
                )
            }
            guard !isRunning else { continue }
            let items = try await ledger.items(of: candidate.id)
            let done = items.filter {
                ["passed", "review"].contains($0.status) && failed[candidate.id]?.contains($0.source) != true
            }
            let open = items.filter { item in
                !done.contains { $0.index == item.index }
                    && (run != nil || !later.contains(Asked(candidate, item.source)))
            }
            if !open.isEmpty { return (candidate, open) }
            later.formUnion(done.map { Asked(candidate, $0.source) })
        }
        return nil
    }

    /// What the outputs are called: as in the run that had the most files beside these, so that a file is not called
    /// otherwise as there are fewer to tell it from.
    private func stems(of files: [String], as run: RunRecord, _ ledger: SQLiteLedger) async throws -> [String] {
        var widest = files
        for other in try await ledger.runs(limit: 200)
        where other.request.out == run.request.out && other.request.pipeline == run.request.pipeline {
            let sources = try await ledger.items(of: other.id).map(\.source)
            if sources.count > widest.count, Set(sources).isSuperset(of: files) { widest = sources }
        }
        let names = Dictionary(zip(widest, RunSession.stems(widest)), uniquingKeysWith: { first, _ in first })
        return files.map { names[$0] ?? (($0 as NSString).lastPathComponent as NSString).deletingPathExtension }
    }
}
