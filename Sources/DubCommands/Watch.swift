internal import DubCore
internal import DubLedger
internal import DubRunner
internal import Foundation

/// Follows a run by its ledger until it ends: redrawn on a terminal, a line for each change elsewhere, on stderr.
struct Watch {
    private let ledger: SQLiteLedger
    private let isShown: Bool
    private let isInteractive = Console.isInteractive

    init(ledger: SQLiteLedger, _ isShown: Bool) {
        self.ledger = ledger
        self.isShown = isShown
    }

    /// - Returns: the run as it ended.
    func follow(_ run: RunRecord) async throws -> RunRecord {
        var run = run
        var last: [String] = []
        var drawn = 0
        var seen: Date?
        while ["running", "queued"].contains(run.shownState) {
            // The ledger's journal is written at every change: while it stays, so does what is shown.
            let changed = Self.changed(ledger)
            if changed != seen || seen == nil {
                seen = changed
                let lines = try await lines(of: run)
                if isShown, isInteractive {
                    clear(drawn)
                    Console.write(lines.map { $0 + "\n" }.joined(), to: STDERR_FILENO)
                    drawn = lines.count
                } else if isShown {
                    for line in lines where !last.contains(line) { Console.note(line) }
                }
                last = lines
            }
            try await Task.sleep(for: .seconds(1))
            run = try await ledger.found(run.id)
        }
        clear(drawn)
        return run
    }

    private func clear(_ drawn: Int) {
        guard drawn > 0 else { return }
        Console.write("\u{1b}[\(drawn)A\u{1b}[J", to: STDERR_FILENO)
    }

    private static func changed(_ ledger: SQLiteLedger) -> Date? {
        let attributes = try? FileManager.default.attributesOfItem(atPath: ledger.path + "-wal")
        return attributes?[.modificationDate] as? Date
    }

    private func lines(of run: RunRecord) async throws -> [String] {
        let items = try await ledger.items(of: run.id)
        let states = Dictionary(items.map { ($0.status, 1) }, uniquingKeysWith: +).sorted { $0.key < $1.key }
        var lines = ["\(run.id)  \(run.pipeline)  " + states.map { "\($0.value) \($0.key)" }.joined(separator: ", ")]
        let known = Dictionary(
            run.graph.enumerated().map { ($1.name, $0) }, uniquingKeysWith: { first, _ in first })
        let stages = try await ledger.stages(of: run.id).sorted {
            known[$0.stage, default: .max] < known[$1.stage, default: .max]
        }
        lines += stages.map { stage in
            let failed = stage.failed > 0 ? ", \(stage.failed) failed" : ""
            return "  \(stage.stage): \(stage.run) run, \(stage.cached) cached\(failed), \(Console.time(stage.seconds))"
        }
        return lines
    }
}
