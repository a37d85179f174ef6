internal import ArgumentParser
internal import DubCore
internal import DubLedger
internal import DubStorage
internal import Foundation

/// `dubmill store`.
struct StoreCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "store", abstract: "Show what the store holds, clear it out, check it.",
        discussion: """
            What is in it, and what a budget of 50 GiB would free:
              dubmill store --budget 50GiB

            Remove what no result names, then what was of no use for the longest, until 50 GiB are left:
              dubmill store gc --budget 50GiB

            Read every object again; what is damaged is removed, and made again when it is needed:
              dubmill store verify --repair
            """,
        subcommands: [Status.self, Collect.self, Verify.self], defaultSubcommand: Status.self)

    /// Where the store is, and how its commands print.
    struct Options: ParsableArguments {
        @Option(help: "The folder for artifacts and the ledger.", completion: .directory) var store: String?
        @Option(help: "How results are printed: table or json.") var format = OutputFormat.table

        func open() throws -> Housekeeping {
            try Housekeeping(folder: RunPaths.absolute(Home().store(given: try Settings().value("store", flag: store))))
        }

        /// Bytes from the flag, else from the setting `store-budget`.
        func budget(_ flag: ByteCount?) throws -> Int64? { try flag?.bytes ?? StoreBudget(Settings())?.bytes }

        func show(_ report: some Encodable, table: String) throws {
            Console.result(format == .json ? try Console.json(report) : table)
        }
    }

    /// `store`.
    struct Status: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "status", abstract: "Show what the store holds, and what a budget would free.")

        @Option(help: "Bytes that the store may take, as 50GiB; else the setting store-budget.")
        var budget: ByteCount?
        @OptionGroup var options: Options

        private struct Report: Encodable {
            var store: String
            var objects: Housekeeping.Amount
            var types: [String: Housekeeping.Amount]
            var results: Int
            var orphans: Housekeeping.Amount
            var scratch: Housekeeping.Amount
            var budget: Int64?
            /// What `gc` with the budget would free, orphans included.
            var freed: Housekeeping.Amount
        }

        func run() async throws {
            let keeping = try options.open()
            let objects = keeping.store.objects()
            let budget = try options.budget(self.budget)
            let would = try await keeping.collect(.init(budget: budget), isDryRun: true)
            var report = Report(
                store: keeping.store.root, objects: .init(objects),
                types: Dictionary(grouping: objects, by: \.type).mapValues { .init($0) },
                results: try await keeping.ledger.storedResults().count, orphans: would.orphans, scratch: would.scratch,
                budget: budget, freed: would.orphans)
            report.freed.count += would.evicted.count
            report.freed.bytes += would.evicted.bytes
            let types = report.types.sorted { ($1.value.bytes, $0.key) < ($0.value.bytes, $1.key) }
            let rows =
                types.map { [$0.key, "\($0.value.count)", ByteCount.text($0.value.bytes)] }
                + [["all", "\(report.objects.count)", ByteCount.text(report.objects.bytes)]]
            var table = "\(Console.printable(report.store)): \(report.results) results\n\n"
            table += Console.table(["TYPE", "OBJECTS", "SIZE"], rows) + "\n\n"
            table += "No result names \(report.orphans.text)."
            if let budget {
                table += "\nA budget of \(ByteCount.text(budget)) would free \(report.freed.text)."
            }
            try options.show(report, table: table)
        }
    }

    /// `store gc`.
    struct Collect: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "gc", abstract: "Remove what no result needs, and what is over a budget or too old.",
            discussion: """
                Runs may go on meanwhile: what they have looked at or made is left alone. What is removed is made again
                when it is needed.
                """)

        @Flag(help: "Tell what would be removed, and remove nothing.") var dryRun = false
        @Option(help: "Bytes that the store may take, as 50GiB; else the setting store-budget.")
        var budget: ByteCount?
        @Option(help: "Remove results that no run has used for so long, as 30d.") var olderThan: Age?
        @OptionGroup var options: Options

        func run() async throws {
            let limits = Eviction.Limits(
                budget: try options.budget(budget),
                unusedSince: olderThan.map { Date(timeIntervalSinceNow: -$0.seconds) })
            let report = try await options.open().collect(limits, isDryRun: dryRun)
            try options.show(report, table: report.table)
        }
    }

    /// `store verify`.
    struct Verify: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "verify", abstract: "Read every object and compare it with its digest.",
            discussion: "Exit: 0 where nothing is damaged, or all that was is removed; 1 otherwise.")

        @Flag(help: "Remove what is damaged, so that it is made again.") var repair = false
        @OptionGroup var options: Options

        func run() async throws {
            let keeping = try options.open()
            var shown = ContinuousClock.now
            let isShown = Console.isInteractive
            let findings = try await keeping.verify(repair: repair) { checked, all in
                guard isShown, ContinuousClock.now - shown > .milliseconds(100) else { return }
                shown = .now
                let text = "\(checked.count) of \(all.count) objects, \(ByteCount.text(checked.bytes))"
                Console.write("\r\u{1b}[K\(text) of \(ByteCount.text(all.bytes))", to: STDERR_FILENO)
            }
            if isShown { Console.write("\r\u{1b}[K", to: STDERR_FILENO) }
            try options.show(findings, table: findings.table)
            if findings.removed < findings.damaged.count { throw ExitCode(Exit.failed) }
        }
    }
}

extension Housekeeping.Report {
    /// For people.
    var table: String {
        let verb = isDryRun ? "would be removed" : "removed"
        var lines = [
            "no result names: \(orphans.text) \(verb)",
            "of no use for long: \(evicted.text) of \(evictedResults) results \(verb)",
            "leavings of dead processes: \(scratch.text) \(verb)",
        ]
        if inputs.count > 0 { lines.append("fetched or delivered, and not used for long: \(inputs.text) \(verb)") }
        if spared.count > 0 { lines.append("in use meanwhile: \(spared.text) spared") }
        lines.append("left: \(left.text)")
        if isOverBudget { lines.append("That is over the budget: runs that go on need it.") }
        return lines.joined(separator: "\n")
    }
}

extension Housekeeping.Findings {
    /// For people.
    var table: String {
        var rows: [[String]] = []
        for (state, findings) in [("damaged", damaged), ("missing", missing), ("orphaned", orphaned)] {
            rows += findings.map {
                [state, $0.sha256.short + "." + $0.type, ByteCount.text($0.size), $0.stages.joined(separator: ", ")]
            }
        }
        let table = rows.isEmpty ? "" : Console.table(["STATE", "OBJECT", "SIZE", "STAGES"], rows) + "\n\n"
        let counts = "\(damaged.count) damaged, \(missing.count) missing, \(orphaned.count) orphaned"
        let removed = removed > 0 ? " \(removed) removed; they are made again when they are needed." : ""
        return table + "\(checked.text) read: \(counts).\(removed)"
    }
}
