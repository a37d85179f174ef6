internal import ArgumentParser
internal import DubCore
internal import DubLedger
internal import DubRunner
internal import Foundation

/// Where the ledger is, for commands that only read it.
struct LedgerOptions: ParsableArguments {
    @Option(help: "The folder for artifacts and the ledger.", completion: .directory) var store: String?
    @Option(help: "How results are printed: table or json.") var format = OutputFormat.table

    func ledger() throws -> SQLiteLedger {
        let folder = Home().store(given: try Settings().value("store", flag: store))
        let path = folder + "/ledger.sqlite"
        guard FileManager.default.fileExists(atPath: path) else {
            throw DubError(
                .inputMissing, "There is no ledger here: nothing was run yet.", at: path,
                fix: "Run something first, or name the store with --store.")
        }
        return try SQLiteLedger(path: path)
    }
}

extension RunRecord {
    /// How far the run is, a dead process counted in.
    var shownState: String {
        state == .running && kill(process, 0) != 0 && errno == ESRCH ? "interrupted" : state.rawValue
    }
}

/// `dubmill runs`.
struct RunsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "runs", abstract: "List past and present runs, newest first.",
        discussion: "  dubmill runs --format json")

    @OptionGroup var options: LedgerOptions
    @Option(help: "How many.") var limit = 20

    private struct Row: Encodable {
        var run: String
        var pipeline: String
        var state: String
        var started: Date
        var ended: Date?
        var items: [String: Int]
    }

    func run() async throws {
        let ledger = try options.ledger()
        var rows: [Row] = []
        for run in try await ledger.runs(limit: limit) {
            let items = try await ledger.items(of: run.id)
            rows.append(
                Row(
                    run: run.id, pipeline: run.pipeline, state: run.shownState, started: run.started, ended: run.ended,
                    items: Dictionary(items.map { ($0.status, 1) }, uniquingKeysWith: +)))
        }
        switch options.format {
        case .json: Console.result(try Console.json(rows))
        case .table:
            Console.result(
                Console.table(
                    ["RUN", "PIPELINE", "STATE", "ITEMS"],
                    rows.map { row in
                        let items = row.items.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }
                        return [row.run, row.pipeline, row.state, items.joined(separator: ", ")]
                    }))
        }
    }
}

/// `dubmill status`.
struct StatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Show how far a run is: its items, its stages, what failed.",
        discussion: "A run goes by its name or the beginning of it; without one, the latest is shown.")

    @Argument(help: "The run's name.") var run: String?
    @Flag(help: "List every node: what became of it, and why it ran.") var nodes = false
    @OptionGroup var options: LedgerOptions

    private struct Report: Encodable {
        var run: String
        var pipeline: String
        var state: String
        var items: [RunReport.Item]
        var stages: [StageCount]
        var failures: [FailedNode]
        var nodes: [NodeSummary]?
    }

    func run() async throws {
        let ledger = try options.ledger()
        let latest = try await ledger.runs(limit: 1).first
        let found = if let run { try await ledger.run(named: run) } else { latest }
        guard let found else {
            throw DubError(
                .inputMissing, "There is no run of this name, or more than one.", at: run ?? "runs",
                fix: "See dubmill runs.")
        }
        let report = Report(
            run: found.id, pipeline: found.pipeline, state: found.shownState,
            items: try await ledger.items(of: found.id).map { RunReport.Item($0) },
            stages: try await ledger.stages(of: found.id), failures: try await ledger.failures(of: found.id),
            nodes: nodes ? try await ledger.nodes(of: found.id) : nil)
        switch options.format {
        case .json: Console.result(try Console.json(report))
        case .table:
            Console.result("\(report.run)  \(report.pipeline)  \(report.state)\n")
            Console.result(RunReport(run: report.run, items: report.items).table + "\n")
            Console.result(
                Console.table(
                    ["STAGE", "RUN", "CACHED", "FAILED", "SECONDS"],
                    report.stages.map {
                        [$0.stage, "\($0.run)", "\($0.cached)", "\($0.failed)", String(format: "%.1f", $0.seconds)]
                    }))
            if let nodes = report.nodes {
                Console.result("")
                Console.result(
                    Console.table(
                        ["ITEM", "NODE", "STATE", "SECONDS", "WHY"],
                        nodes.map {
                            ["\($0.item + 1)", $0.node, $0.state, String(format: "%.2f", $0.seconds), $0.reason]
                        }))
            }
            for failure in report.failures {
                let source = report.items.indices.contains(failure.item) ? report.items[failure.item].source : ""
                let name = Console.printable((source as NSString).lastPathComponent)
                Console.result("\n\(name): \(failure.node) failed after \(failure.attempts) attempts")
                if let error = failure.error {
                    Console.result("  error[\(error.code)]: \(error.message)\n  fix: \(error.fix)")
                }
            }
        }
    }
}
