internal import ArgumentParser
internal import DubCore
internal import DubLedger
internal import DubPublish
internal import DubStorage
internal import Foundation

/// `dubmill erase`.
struct EraseCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "erase", abstract: "Take a publication back, and leave a receipt.",
        discussion: """
            See what would go:
              dubmill erase 3f2a9c01d4e5b677

            Let it go: the manifest, then the files with all their versions, and what the cache holds of the run and
            other files' runs do not need. The receipt says what went, when, and who asked:
              dubmill erase 3f2a9c01d4e5b677 --yes --by maria --reason "rights ended"

            Files that another publication of the item names stay. Source and outputs in folders of yours are not
            touched: the receipt lists them. Exit: 0 done, 1 it could not be done, 75 try again.
            """)

    @Argument(help: "The publication's name, or the beginning of it.") var publication: String
    @Flag(help: "Do it; else it is only told what would be removed.") var yes = false
    @Option(help: "Who asks for it; else who runs dubmill.") var by: String?
    @Option(help: "Why, for the receipt.") var reason: String?
    @Option(help: "Where the receipt is written; else receipts/ in the store.", completion: .file()) var receipt:
        String?
    @OptionGroup var options: LedgerOptions

    func run() async throws {
        let task = Task { try await erase() }
        let interruption = Interruption(grace: .seconds(25)) { task.cancel() }
        do {
            try await task.value
        } catch is CancellationError where interruption.isInterrupted {
            Console.note("Interrupted. Give the same command again: it goes on where it was.")
            throw ExitCode(Exit.interrupted)
        } catch let error as DubError {
            Console.note("\(error)")
            throw ExitCode(Exit.code(of: error))
        }
    }

    private func erase() async throws {
        let work = PublishWork(ledger: try options.ledger(), store: try FileStore(root: options.place.folder()))
        let erasure = ErasureWork(work: work, by: by ?? NSUserName(), reason: reason)
        guard yes else {
            let told = try await erasure.plan(publication)
            return Console.result(options.format == .json ? try Console.json(told) : Self.table(told))
        }
        let (told, path) = try await erasure.perform(publication, receipt: receipt.map(RunPaths.absolute))
        Console.result(options.format == .json ? try Console.json(told) : Self.table(told))
        Console.note("Receipt: \(Console.printable(path))")
    }

    private static func table(_ erasure: Erasure) -> String {
        let verb = erasure.dryRun ? "would be removed" : "removed"
        var lines = ["\(erasure.publication)  \(Console.printable(erasure.manifest))"]
        for object in erasure.objects {
            let versions = object.versions.map { $0 == 1 ? "" : ", \($0) versions" } ?? ""
            lines.append("  \(verb)  \(Console.printable(object.key)) (\(ByteCount.text(object.size))\(versions))")
        }
        lines += erasure.spared.map { "  stays, another publication names it  \(Console.printable($0.key))" }
        let bytes = erasure.artifacts.reduce(0) { $0 + $1.size }
        lines.append(
            "  \(verb) from the cache: \(erasure.artifacts.count) artifacts, \(ByteCount.text(bytes));"
                + " \(erasure.sparedArtifacts) are needed by others")
        lines += erasure.local.map { "  \(verb)  \(Console.printable($0))" }
        lines += erasure.left.map { "  not touched  \(Console.printable($0))" }
        if erasure.dryRun { lines.append("Nothing was removed. Add --yes to do it.") }
        return lines.joined(separator: "\n")
    }
}
