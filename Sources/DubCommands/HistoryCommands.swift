internal import ArgumentParser
internal import DubCore
internal import DubLedger
internal import DubReport
internal import DubRunner
internal import Foundation

/// Where the ledger is, for commands that only read it.
struct LedgerPlace: ParsableArguments {
    @Option(help: "The folder for artifacts and the ledger.", completion: .directory) var store: String?

    /// The folder of the store.
    func folder() throws -> String { Home().store(given: try Settings().value("store", flag: store)) }

    func ledger() throws -> SQLiteLedger {
        let path = try folder() + "/ledger.sqlite"
        guard FileManager.default.fileExists(atPath: path) else {
            throw DubError(
                .inputMissing, "There is no ledger here: nothing was run yet.", at: path,
                fix: "Run something first, or name the store with --store.")
        }
        return try SQLiteLedger(path: path)
    }
}

/// Where the ledger is, and how what it holds is printed.
struct LedgerOptions: ParsableArguments {
    @OptionGroup var place: LedgerPlace
    @Option(help: "How results are printed: table or json.") var format = OutputFormat.table

    func ledger() throws -> SQLiteLedger { try place.ledger() }
}

extension SQLiteLedger {
    /// The run that a command names, or the latest.
    ///
    /// - Throws: `input.missing` where there is none, or the name is not one run's alone.
    func found(_ name: String?) async throws -> RunRecord {
        let latest = try await runs(limit: 1).first
        let run = if let name { try await run(named: name) } else { latest }
        guard let run else {
            throw DubError(
                .inputMissing, "There is no run of this name, or more than one.", at: name ?? "runs",
                fix: "See dubmill runs.")
        }
        return run
    }

    /// All that is known of a run.
    func story(of run: RunRecord) async throws -> RunStory {
        RunStory(
            run: run, state: run.shownState, items: try await items(of: run.id), nodes: try await history(of: run.id),
            now: Date(), version: Version.text)
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
