internal import ArgumentParser
internal import DubCore
internal import DubMedia
internal import DubStages
internal import DubWorkers
internal import Foundation

/// `dubmill inspect`.
struct InspectCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "inspect", abstract: "Measure a file: what it holds, and whether it is a sound dub.",
        discussion: """
            What is in a file:
              dubmill inspect film.mp4

            Whether a dub, by whomever, is sound against its source:
              dubmill inspect film.es.mp4 --source film.mp4 --language es

            And whether it says what it should:
              dubmill inspect film.es.mp4 --source film.mp4 --script film.es.script.json

            Exit: 0 pass, 3 review, 1 fail.
            """)

    @Argument(help: "The file.", completion: .file()) var file: String
    @Option(help: "What it was made of.", completion: .file()) var source: String?
    @Option(help: "The language of the dub.") var language: String?
    @Option(
        help: "What is to be said: .json, .csv, or subtitles in .srt or .vtt.",
        completion: .file(extensions: ["json", "csv", "srt", "vtt"]))
    var script: String?
    @Option(help: "A file of thresholds; those that ship with dubmill where it is not given.", completion: .file())
    var gate: String?
    @Option(help: "Whose thresholds hold, with commas between: voiceover, r128, …") var profile: String?
    @Flag(inversion: .prefixedNo, help: "Find and recognise the speech.") var listen = true
    @Option(help: "How results are printed: table or json.") var format = OutputFormat.table

    private struct Report: Encodable {
        var media: MediaInfo
        var verdict: Verdict
    }

    func run() async throws {
        let path = RunPaths.absolute(file)
        let media = try await Media.probe(path)
        var request = Inspection.Request(path)
        request.source = source.map(RunPaths.absolute)
        request.language = try language.map { try Language($0) } ?? Self.language(of: script)
        if let script {
            request.script = try await ScriptFile.read(RunPaths.absolute(script), target: request.language)
        }
        request.rules = try GateFile.read(gate.map(RunPaths.absolute) ?? Settings().value("gate", flag: nil))
        request.profiles = try request.rules.known(profile?.split(separator: ",").map(String.init) ?? [])
        let worker = listen && source != nil ? try await Self.workforce() : nil
        request.engines = worker?.engines
        let verdict: Verdict
        do {
            verdict = try await Inspection.verdict(request)
        } catch {
            await worker?.worker.shutdown()
            throw error
        }
        await worker?.worker.shutdown()
        switch format {
        case .json: Console.result(try Console.json(Report(media: media, verdict: verdict)))
        case .table:
            Console.result(Self.table(media))
            Console.result("")
            Console.result(
                Console.table(
                    ["CHECK", "VALUE", "HAS TO BE", ""],
                    verdict.checks.map { check in
                        [
                            check.name, check.value.map { "\(($0 * 1000).rounded() / 1000) \(check.unit)" } ?? "–",
                            check.limit, check.grade.rawValue + (check.note.map { " (\($0))" } ?? ""),
                        ]
                    }))
            Console.result("\n\(verdict.verdict.rawValue)")
        }
        switch verdict.verdict {
        case .pass: return
        case .review: throw ExitCode(Exit.review)
        case .fail: throw ExitCode(Exit.failed)
        }
    }

    /// `film.es.script.json` is in Spanish.
    private static func language(of script: String?) -> Language? {
        let parts = ((script ?? "") as NSString).lastPathComponent.split(separator: ".").dropFirst().dropLast()
        return parts.compactMap { try? Language(String($0)) }.last
    }

    /// Who listens; `nil` with a note where no worker is installed.
    private static func workforce() async throws -> Workforce? {
        do {
            return try await Workforce.find(Settings())
        } catch let error as DubError where error.code == .workerNotInstalled {
            Console.note("Nobody listens to the dub: \(error.what) \(error.fix)")
            return nil
        }
    }

    private static func table(_ media: MediaInfo) -> String {
        let length = media.duration.map { Console.time($0.seconds) } ?? "unknown length"
        let head = "\(Console.printable(media.path))\n\(media.container), \(length), \(media.size) bytes\n"
        return head + "\n"
            + Console.table(
                ["#", "KIND", "CODEC", "LANGUAGE", "WHAT", "FLAGS"],
                media.streams.map { stream in
                    let what =
                        stream.video.map { "\($0.width)×\($0.height)" }
                        ?? stream.audio.map { "\($0.sampleRate) Hz \($0.layout)" } ?? ""
                    return [
                        "\(stream.index)", stream.kind.rawValue, stream.codec, stream.language?.tag ?? "–", what,
                        stream.dispositions.joined(separator: ","),
                    ]
                })
    }
}
