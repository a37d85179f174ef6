internal import ArgumentParser
internal import DubCore
internal import DubMedia
internal import DubStages
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

            Exit: 0 pass, 3 review, 1 fail.
            """)

    @Argument(help: "The file.", completion: .file()) var file: String
    @Option(help: "What it was made of.", completion: .file()) var source: String?
    @Option(help: "The language of the dub.") var language: String?
    @Option(help: "How results are printed: table or json.") var format = OutputFormat.table

    private struct Report: Encodable {
        var media: MediaInfo
        var verdict: Verdict
    }

    func run() async throws {
        let path = RunPaths.absolute(file)
        let media = try await Media.probe(path)
        let verdict = try await Inspection.verdict(
            on: path, source: source.map(RunPaths.absolute), language: try language.map { try Language($0) })
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
