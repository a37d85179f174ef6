internal import ArgumentParser
internal import DubCore
internal import DubLedger
internal import DubRunner
internal import Foundation

/// `dubmill status`.
struct StatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Show how far a run is: its items, its stages, what failed.",
        discussion: "A run goes by its name or the beginning of it; without one, the latest is shown.")

    @Argument(help: "The run's name.") var run: String?
    @Flag(help: "List every node: what became of it, and why it ran.") var nodes = false
    @Flag(help: "Show it again each second until the run ends; exits as the run did.") var watch = false
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
        var found = try await ledger.found(run)
        var code: Int32?
        if watch {
            found = try await Watch(ledger: ledger, options.format == .table).follow(found)
            let items = try await ledger.items(of: found.id).map { RunReport.Item($0) }
            code = found.shownState == "interrupted" ? Exit.interrupted : RunReport(run: nil, items: items).exitCode
        }
        try await show(found, ledger)
        if let code { throw ExitCode(code) }
    }

    private func show(_ found: RunRecord, _ ledger: SQLiteLedger) async throws {
        let items = try await ledger.items(of: found.id)
        let report = Report(
            run: found.id, pipeline: found.pipeline, state: found.shownState, items: items.map { RunReport.Item($0) },
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
                let source = items.first { $0.index == failure.item }?.source ?? ""
                let name = Console.printable((source as NSString).lastPathComponent)
                let tries = failure.attempts == 1 ? "1 attempt" : "\(failure.attempts) attempts"
                Console.result("\n\(name): \(failure.node) failed after \(tries)")
                if let error = failure.error {
                    Console.result("  error[\(error.code)]: \(error.message)\n  fix: \(error.fix)")
                }
            }
        }
    }
}
