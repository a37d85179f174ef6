internal import ArgumentParser
internal import DubCore
internal import DubLedger
internal import DubReport
internal import DubRunner
internal import Foundation

/// Text of a command's own, to a file or to stdout.
enum Output {
    /// - Throws: `output.unwritable` for a file that cannot be written.
    static func write(_ text: String, to file: String?) throws {
        guard let file, file != "-" else { return Console.result(text) }
        do {
            let path = RunPaths.absolute(file)
            try Data(text.utf8).write(to: URL(fileURLWithPath: path), options: .atomic)
            Console.result(path)
        } catch {
            throw DubError(
                .outputUnwritable, "The file cannot be written: \(error.localizedDescription)", at: file,
                fix: "Choose a folder that is there and that you may write.", cause: error)
        }
    }
}

/// `dubmill report`.
struct ReportCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "report",
        abstract:
            "Tell a run on one page of HTML: its dubs line by line, what it did, when, at what cost, what failed.",
        discussion: """
            dubmill report --out report.html

            The page needs no network and nothing beside it; films are played from where they lie. A run goes by its name or the beginning of it;
            without one, the latest is told.
            """)

    @Argument(help: "The run's name.") var run: String?
    @Option(help: "The file to write; stdout where it is not given.", completion: .file(extensions: ["html"]))
    var out: String?
    @Flag(inversion: .prefixedNo, help: "Draw the sound of sources and dubs: they are read for it.") var sound = true
    @OptionGroup var place: LedgerPlace

    func run() async throws {
        let ledger = try place.ledger()
        let story = try await ledger.story(of: ledger.found(run))
        let folder = out.map { (RunPaths.absolute($0) as NSString).deletingLastPathComponent }
        let dubs = try await DubStories(folder: out == "-" ? nil : folder, drawsSound: sound).all(of: story)
        try Output.write(RunPage(story, dubs: dubs).html, to: out)
    }
}

/// `dubmill trace`.
struct TraceCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "trace", abstract: "Give a run as an OpenTelemetry trace, in OTLP/JSON.",
        discussion: """
            dubmill trace --out trace.json
            dubmill trace | curl -H 'Content-Type: application/json' --data-binary @- http://localhost:4318/v1/traces

            Spans: the run, its items, their nodes. Ids come from names: the same run is the same trace.
            """)

    @Argument(help: "The run's name; the latest where it is not given.") var run: String?
    @Option(help: "The file to write; stdout where it is not given.", completion: .file(extensions: ["json"]))
    var out: String?
    @OptionGroup var place: LedgerPlace

    func run() async throws {
        let ledger = try place.ledger()
        let story = try await ledger.story(of: ledger.found(run))
        try Output.write(Trace(story).document.canonical, to: out)
    }
}
