internal import ArgumentParser
internal import DubCore
internal import DubWorkers
internal import Foundation

/// `dubmill models`.
struct ModelsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "models", abstract: "List, fetch and check the models of speech and translation.",
        discussion: """
            dubmill models list
            dubmill models pull kokoro
            dubmill models verify
            """,
        subcommands: [List.self, Pull.self, Verify.self])

    /// `models list`.
    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List the models that there are, and which are here.")

        @Option(help: "How results are printed: table or json.") var format = OutputFormat.table
        @Flag(help: "Only those that this dubmill can run.") var usable = false

        private struct Row: Encodable {
            var name: String
            var task: String
            var state: String
            var isDefault: Bool
            var licence: String
            var size: Int64?
            var languages: [String]
            var purpose: String
            var notes: String
        }

        func run() async throws {
            let home = try WorkerHome.find()
            let rows = try ModelCatalogue.read(home.catalogue).models.filter { !usable || $0.isInstallable }.map {
                Row(
                    name: $0.name, task: $0.task.rawValue,
                    state: $0.isInstallable ? $0.state(in: home.models).rawValue : "bring your own",
                    isDefault: $0.isDefault, licence: $0.licence, size: $0.size,
                    languages: $0.languages.isEmpty ? $0.pairs.map { $0.joined(separator: "→") } : $0.languages,
                    purpose: $0.purpose, notes: $0.notes)
            }
            switch format {
            case .json: Console.result(try Console.json(rows))
            case .table:
                Console.result(
                    Console.table(
                        ["NAME", "TASK", "STATE", "SIZE", "LICENCE", "LANGUAGES"],
                        rows.map { row in
                            let few = row.languages.prefix(6).joined(separator: " ")
                            let more = row.languages.count > 6 ? " … (\(row.languages.count))" : ""
                            let size = row.size.map { String(format: "%.0f MB", Double($0) / 1e6) } ?? "–"
                            return [row.name, row.task, row.state, size, row.licence, few + more]
                        }))
            }
        }
    }

    /// `models pull`.
    struct Pull: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Fetch models and check their digests; the default ones where none is named.")

        @Argument(help: "Names from `dubmill models list`.") var names: [String] = []

        func run() async throws { try ModelsCommand.hand(over: "pull", names) }
    }

    /// `models verify`.
    struct Verify: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Read the installed models again and compare their digests.")

        @Argument(help: "Names from `dubmill models list`.") var names: [String] = []

        func run() async throws { try ModelsCommand.hand(over: "verify", names) }
    }

    /// Becomes the worker's own command: it knows how weights are put together.
    private static func hand(over action: String, _ names: [String]) throws {
        let command = try WorkerHome.find().modelsCommand(action, names)
        let words = [command.executable] + command.arguments
        var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
        var environment: [UnsafeMutablePointer<CChar>?] =
            command.environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
        execve(command.executable, &arguments, &environment)
        throw DubError(
            .workerNotInstalled, "The worker cannot be started: \(String(cString: strerror(errno))).",
            at: command.executable, fix: "Run make setup.")
    }
}
