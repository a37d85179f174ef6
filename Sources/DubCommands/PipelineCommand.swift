internal import ArgumentParser
internal import DubCore
internal import DubGraph
internal import DubStages
internal import Foundation

/// `dubmill pipeline`.
struct PipelineCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pipeline", abstract: "Check pipeline files, and show what they take and do.",
        subcommands: [Check.self, Show.self, Schema.self])

    /// `pipeline check`.
    struct Check: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Tell every fault of pipeline files, as FILE:LINE:COLUMN.",
            discussion: "Nothing is run and no model is needed. Exit: 0 where all are sound, 64 otherwise.")

        @Argument(
            help: "Pipeline files, or names of shipped pipelines.", completion: .file(extensions: ["yaml", "yml"]))
        var files: [String]
        @Option(help: "How results are printed: table or json.") var format = OutputFormat.table

        func run() async throws {
            let stages = StageCatalogue.signatures
            var faults: [Fault] = []
            for name in files {
                do {
                    let file = try Home().pipeline(name)
                    faults += Graph.faults(
                        in: try PipelineFiles.text(of: file), file: file, stages: stages,
                        include: PipelineFiles.include)
                } catch let error as DubError {
                    faults.append(Fault(file: name, line: 0, column: 0, what: error.what, fix: error.fix))
                }
            }
            switch format {
            case .json: Console.result(try Console.json(faults))
            case .table:
                for fault in faults {
                    Console.result(Console.printable(fault.description))
                }
            }
            let count = faults.count == 1 ? "1 fault" : "\(faults.count) faults"
            Console.note(faults.isEmpty ? "No faults." : "\(count).")
            guard faults.isEmpty else { throw ExitCode(Exit.usage) }
        }
    }

    /// `pipeline show`.
    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show a pipeline's parameters, profiles, stages and deliveries.")

        @Argument(help: "A pipeline by name, or a pipeline file.", completion: .file(extensions: ["yaml", "yml"]))
        var pipeline: String
        @Option(help: "How results are printed: table or json.") var format = OutputFormat.table

        func run() async throws {
            let file = try Home().pipeline(pipeline)
            let faults = Graph.faults(
                in: try PipelineFiles.text(of: file), file: file, stages: StageCatalogue.signatures,
                include: PipelineFiles.include)
            let view = PipelineView(try PipelineFiles.read(file))
            for fault in faults { Console.note(Console.printable("\(fault)")) }
            switch format {
            case .json: Console.result(try Console.json(view))
            case .table: Console.result(view.table)
            }
            guard faults.isEmpty else { throw ExitCode(Exit.usage) }
        }
    }

    /// `pipeline schema`.
    struct Schema: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print the JSON Schema of pipeline files, for editors.",
            discussion: """
                With a language server for YAML in the editor, a first line such as this one makes it complete and check:
                  # yaml-language-server: $schema=./schema.json
                """)

        func run() async throws {
            Console.result(try Self.text())
        }

        /// The schema, as it is printed and as it lies beside the shipped pipelines.
        static func text() throws -> String {
            try Console.json(PipelineSchema.json(stages: StageCatalogue.signatures))
        }
    }
}
