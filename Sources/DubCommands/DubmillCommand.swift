public import ArgumentParser

/// `dubmill`: everything else is a subcommand.
public struct DubmillCommand: AsyncParsableCommand {
    /// Name, help and subcommands.
    public static let configuration = CommandConfiguration(
        commandName: "dubmill",
        abstract: "Dub a library of video overnight, on your own machines.",
        discussion: """
            Dub a film into Spanish and French:
              dubmill run film.mp4 --to es,fr --out dubbed

            See what would run, and why:
              dubmill plan film.mp4 --to es

            Edit the lines, then run again: only what changed is done.
              dubmill script export dubbed/film.es.script.json film.csv
              dubmill run film.mp4 --to es --script film.csv --out dubbed

            Results go to stdout, progress and logs to stderr. Exit: 0 all passed, 1 some items failed,
            3 finished but set aside for review, 64 usage, 75 try again, 130 interrupted.
            """,
        version: Version.text,
        subcommands: [
            RunCommand.self, PlanCommand.self, RunsCommand.self, StatusCommand.self, ReportCommand.self,
            LogsCommand.self, CancelCommand.self, RetryCommand.self, TraceCommand.self, ScriptCommand.self,
            CastCommand.self, InspectCommand.self, StoreCommand.self, PipelineCommand.self, ModelsCommand.self,
            PublishCommand.self, PublicationsCommand.self, EraseCommand.self, CopyCommand.self, SignCommand.self,
            LedgerCommand.self,
            WorkerCommand.self,
            DaemonCommand.self, TokenCommand.self, ScheduleCommand.self, DoctorCommand.self, BenchCommand.self,
        ])

    /// Made by the argument parser.
    public init() {}
}

/// What this build calls itself.
enum Version {
    /// Semantic version.
    static let text = "0.1.0"
}
