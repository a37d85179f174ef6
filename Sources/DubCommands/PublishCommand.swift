internal import ArgumentParser
internal import DubCore
internal import DubLedger
internal import DubPublish
internal import DubRunner
internal import DubStorage
internal import Foundation

/// `dubmill publish`.
struct PublishCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "publish", abstract: "Put what a run made into a bucket or a folder, and its manifest last.",
        discussion: """
              dubmill publish 20260411-093012-kqzt --to s3://films/dubbed --retain 30d
              dubmill publish --pending

            Each item's files go to PREFIX/NAME-DIGEST/; manifest.json says of them that they are whole. What is there
            already is compared and not sent again, so the same command may be given as often as wanted. What is broken
            off, or fails, stays written down: --pending takes it up.

            Languages that the gate refused are left out; --force publishes them too, and the manifest says so.
            Exit: 0 all is there, 1 something cannot be published or was refused, 75 try again, 130 interrupted.
            """)

    @Argument(help: "The run's name, or the beginning of it; the latest where it is not given.") var run: String?
    @Option(help: "Where: s3://bucket/prefix, or a folder.", completion: .directory) var to: String?
    @Flag(help: "Take up all that is written down and not done.") var pending = false
    @Option(help: "This item of the run alone, counted from 0.") var item: Int?
    @Flag(help: "Publish what the gate refused too.") var force = false
    @Option(help: "For how long, in whole days: 30d, 2w. For good where it is not given.") var retain: String?
    @OptionGroup var bucket: BucketOptions
    @OptionGroup var options: LedgerOptions

    func validate() throws {
        guard pending != (to != nil) else {
            throw ValidationError("Give --to s3://bucket/prefix, or --pending to take up what was begun.")
        }
        guard !pending || run == nil && item == nil && !force && retain == nil else {
            throw ValidationError("--pending takes up all that is written down, as it is written down.")
        }
        if let retain, PublishOrder.days(retain) == nil {
            throw ValidationError("--retain is \(retain); give whole days, such as 30d or 2w.")
        }
    }

    /// What it prints.
    private struct Report: Encodable {
        var publications: [PublicationView] = []
        var refused: [Refusal] = []
    }

    /// What is not published.
    private struct Refusal: Encodable {
        var source: String
        /// The languages that were left out; all of them where there are none.
        var languages: [String]
        var error: ErrorRecord?
    }

    func run() async throws {
        let work = Task { try await publish() }
        let interruption = Interruption(grace: .seconds(25)) { work.cancel() }
        do {
            let (report, code) = try await work.value
            Console.result(options.format == .json ? try Console.json(report) : Self.table(report))
            throw ExitCode(code)
        } catch is CancellationError where interruption.isInterrupted {
            Console.note("Interrupted. What is not published is written down: dubmill publish --pending")
            throw ExitCode(Exit.interrupted)
        } catch let error as DubError {
            Console.note("\(error)")
            throw ExitCode(Exit.code(of: error))
        }
    }

    private func publish() async throws -> (Report, Int32) {
        let ledger = try options.ledger()
        let work = PublishWork(ledger: ledger, store: try FileStore(root: options.place.folder()))
        var report = Report()
        var intended: [Publication] = []
        if pending {
            intended = try await ledger.openPublications().filter { $0.state == .pending }
        } else {
            let found = try await ledger.found(run)
            let items = try await ledger.items(of: found.id).filter { item == nil || $0.index == item }
            guard !items.isEmpty else {
                throw DubError(
                    .inputMissing, "The run has no such item.", at: found.id, fix: "See dubmill status \(found.id).")
            }
            for item in items {
                do {
                    let result = try await work.intend(item, of: found.id, order, isForced: force) { Console.note($0) }
                    intended.append(result.publication)
                    if !result.refused.isEmpty {
                        report.refused.append(Refusal(source: item.source, languages: result.refused, error: nil))
                    }
                } catch let error as DubError where error.code.name.hasPrefix("publication.") {
                    report.refused.append(Refusal(source: item.source, languages: [], error: ErrorRecord(error)))
                }
            }
        }
        let endings = try await work.finish(intended) { Console.note($0) }
        report.publications = endings.map { PublicationView($0.publication) }
        return (report, report.refused.isEmpty ? PublishWork.exitCode(of: endings) : Exit.failed)
    }

    private var order: PublishOrder {
        let to = to ?? ""
        return PublishOrder(
            to: to.contains("://") ? to : RunPaths.absolute(to), retainDays: retain.flatMap { PublishOrder.days($0) },
            endpoint: bucket.endpoint, region: bucket.region, style: bucket.style?.rawValue, profile: bucket.profile)
    }

    private static func table(_ report: Report) -> String {
        var lines = report.publications.flatMap(\.lines)
        for refusal in report.refused {
            let name = Console.printable((refusal.source as NSString).lastPathComponent)
            guard let error = refusal.error else {
                let languages = refusal.languages.filter { !$0.isEmpty }.joined(separator: ", ")
                lines.append("refused  \(name) \(languages): by its verdict; --force publishes it all the same")
                continue
            }
            lines += [
                "refused  \(name)", "  error[\(error.code)]: \(Console.printable(error.message))",
                "  where: \(Console.printable(error.where))", "  fix:   \(Console.printable(error.fix))",
            ]
        }
        return lines.isEmpty ? "Nothing is left to be published." : lines.joined(separator: "\n")
    }
}

/// `dubmill publications`.
struct PublicationsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "publications", abstract: "List what was published, and what is to be, newest first.",
        discussion: "  dubmill publications --format json")

    @Argument(help: "Of this run alone.") var run: String?
    @Option(help: "How many.") var limit = 50
    @OptionGroup var options: LedgerOptions

    func run() async throws {
        let ledger = try options.ledger()
        let name = if let run { try await ledger.found(run).id } else { String?.none }
        let rows = try await ledger.publications(of: name, limit: max(1, limit)).map(PublicationView.init)
        switch options.format {
        case .json: Console.result(try Console.json(rows))
        case .table:
            Console.result(
                Console.table(
                    ["PUBLICATION", "STATE", "RUN", "FILES", "SIZE", "UNTIL", "MANIFEST"],
                    rows.map { row in
                        [
                            row.id, row.state, row.run, "\(row.files)", ByteCount.text(row.bytes), row.expires ?? "–",
                            Console.printable(row.manifest),
                        ]
                    }))
        }
    }
}
