internal import ArgumentParser
internal import DubCore
internal import DubService
internal import Foundation

/// `dubmill token`.
struct TokenCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "token",
        abstract: "Tokens that open a daemon's control API.",
        discussion: """
            dubmill token add grafana --scope read
            dubmill token list

            A token is shown once, when it is made; what is kept of it is its digest, in a file that nobody else may
            read. Daemons notice at once what is added and removed.
            """,
        subcommands: [Add.self, List.self, Remove.self])

    struct Place: ParsableArguments {
        @Option(help: "The file of tokens; as `http: tokens` where that is set.", completion: .file()) var file: String?

        var tokens: TokenFile { TokenFile(path: file.map(RunPaths.absolute) ?? Home().tokens) }
    }

    /// What a token is good for, as it is written.
    enum Scope: String, ExpressibleByArgument, CaseIterable {
        case read
        case write

        var stored: StoredToken.Scope { self == .read ? .read : .write }
    }

    /// `dubmill token add`.
    struct Add: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "add", abstract: "Make a token and print it; it is not shown again.",
            discussion: "  dubmill token add ingest > ingest.token")

        @Argument(help: "What it is called.") var name: String
        @Option(help: "What it is good for: read (looking), or write (submitting, cancelling, retrying too).")
        var scope = Scope.write
        @OptionGroup var place: Place

        func run() async throws { Console.result(try place.tokens.add(name, scope: scope.stored)) }
    }

    /// `dubmill token list`.
    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "list", abstract: "List the tokens by their names.",
            discussion: "  dubmill token list --format json")

        @OptionGroup var place: Place
        @Option(help: "How results are printed: table or json.") var format = OutputFormat.table

        private struct Row: Encodable {
            var name: String
            var scope: String
            var created: Date
        }

        func run() async throws {
            let rows = try place.tokens.read().map { Row(name: $0.name, scope: $0.scope.rawValue, created: $0.created) }
            switch format {
            case .json: Console.result(try Console.json(rows))
            case .table:
                Console.result(
                    Console.table(
                        ["NAME", "SCOPE", "CREATED"], rows.map { [$0.name, $0.scope, $0.created.formatted(.iso8601)] }))
            }
        }
    }

    /// `dubmill token remove`.
    struct Remove: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "remove", abstract: "Take a token away: it opens nothing from now on.",
            discussion: "  dubmill token remove ingest")

        @Argument(help: "What it is called.") var name: String
        @OptionGroup var place: Place

        func run() async throws { try place.tokens.remove(name) }
    }
}
