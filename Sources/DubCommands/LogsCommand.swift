internal import ArgumentParser
internal import DubCore
internal import DubLedger
internal import DubRunner
internal import Foundation

/// `dubmill logs`.
struct LogsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "logs", abstract: "Show the errors and the kept log lines of a run's nodes.",
        discussion: """
            dubmill logs 20261123-030642-taum
            dubmill logs 20261123 'translate[es,3]'

            Of nodes that failed, where no node is named and --all is not given.
            """)

    @Argument(help: "The run's name, or the beginning of it.") var run: String
    @Argument(help: "A node as `status --nodes` names it, or a stage.") var node: String?
    @Flag(help: "Of all nodes that kept a log, not of those that failed alone.") var all = false
    @OptionGroup var options: LedgerOptions

    private struct Entry: Encodable {
        var source: String
        var node: String
        var state: String
        var attempts: Int
        var started: Date
        var seconds: Double
        var error: ErrorRecord?
        var log: [String]
    }

    func run() async throws {
        let ledger = try options.ledger()
        let found = try await ledger.found(run)
        let sources = Dictionary(
            try await ledger.items(of: found.id).map { ($0.index, $0.source) }, uniquingKeysWith: { $1 })
        let nodes = try await ledger.history(of: found.id).filter { entry in
            if let node { return entry.node == node || entry.stage == node }
            return entry.state == .failed || (all && entry.log != nil)
        }
        if let node, nodes.isEmpty {
            throw DubError(
                .inputMissing, "The run has no node or stage of this name.", at: node,
                fix: "See dubmill status \(found.id) --nodes.")
        }
        let entries = nodes.map {
            Entry(
                source: sources[$0.item] ?? "", node: $0.node, state: $0.state.rawValue, attempts: $0.attempts,
                started: $0.started, seconds: $0.seconds, error: $0.error,
                log: $0.log?.components(separatedBy: "\n") ?? [])
        }
        switch options.format {
        case .json: Console.result(try Console.json(entries))
        case .table:
            if entries.isEmpty { Console.note("No node failed.") }
            for (index, entry) in entries.enumerated() { Console.result((index > 0 ? "\n" : "") + text(entry)) }
        }
    }

    private func text(_ entry: Entry) -> String {
        let name = Console.printable((entry.source as NSString).lastPathComponent)
        let tried = entry.attempts == 1 ? "" : " after \(entry.attempts) attempts"
        var lines = ["\(name): \(entry.node) \(entry.state)\(tried), \(Console.time(entry.seconds))"]
        if let error = entry.error {
            lines += [
                "  error[\(error.code)]: \(Console.printable(lines: error.message, indent: 4))",
                "  where: \(Console.printable(error.where))", "  fix:   \(Console.printable(error.fix))",
            ]
        }
        lines += entry.log.map { "  | \(Console.printable($0))" }
        if entry.log.isEmpty, entry.error == nil { lines.append("  kept no log") }
        return lines.joined(separator: "\n")
    }
}
