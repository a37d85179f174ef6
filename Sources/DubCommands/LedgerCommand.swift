internal import ArgumentParser
internal import DubCore
internal import DubLedger
internal import Foundation

/// `dubmill ledger`.
struct LedgerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ledger",
        abstract: "Copies of the memory of all runs.",
        discussion: """
            dubmill ledger backup /backups/ledger-$(date +%F).sqlite
            dubmill ledger restore /backups/ledger-2026-04-11.sqlite

            The ledger knows what ran, what was done and what waits; artifacts lie in the store, and what is missing
            there is made again.
            """,
        subcommands: [Backup.self, Restore.self])

    /// `dubmill ledger backup`.
    struct Backup: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "backup",
            abstract: "Copy the ledger as it is now, beside runs that go on, and check the copy.",
            discussion: "  dubmill ledger backup ledger-monday.sqlite")

        @Argument(help: "The file to make; replaced where it is there, once the copy is whole.", completion: .file())
        var file: String
        @OptionGroup var place: LedgerPlace

        func run() async throws {
            let path = RunPaths.absolute(file)
            try await place.ledger().backUp(to: path)
            Console.result(path)
        }
    }

    /// `dubmill ledger restore`.
    struct Restore: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "restore", abstract: "Go back to a copy; the ledger that was there is kept beside it.",
            discussion: """
                  dubmill ledger restore ledger-monday.sqlite

                Nothing may use the store meanwhile. Files that were done after the copy was made are done again when
                they are found, from what the store still holds.
                """)

        @Argument(help: "What `ledger backup` made.", completion: .file()) var file: String
        @OptionGroup var place: LedgerPlace

        func run() async throws {
            let path = try place.folder() + "/ledger.sqlite"
            let old = try SQLiteLedger.restore(RunPaths.absolute(file), to: path)
            Console.result(path)
            if let old { Console.note("The ledger that was there is \(old) now.") }
        }
    }
}
