internal import ArgumentParser
internal import DubCore
internal import DubStages
internal import Foundation

/// `dubmill script`.
struct ScriptCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "script", abstract: "Take a dub's lines out to edit them, and bring them back.",
        discussion: """
            Every dub leaves its script beside it. Take it into a spreadsheet, change a line, and run again:
              dubmill script export dubbed/film.es.script.json film.csv
              dubmill script import film.csv --into dubbed/film.es.script.json
              dubmill run film.mp4 --to es --script dubbed/film.es.script.json --out dubbed

            Formats go by the extension: .json and .csv hold everything, .srt, .vtt and .ttml one
            language.
            """,
        subcommands: [Export.self, Import.self])

    /// `script export`.
    struct Export: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Write a script in another format: JSON, CSV, SRT or WebVTT.")

        @Argument(help: "The script that a run left.", completion: .file(extensions: ["json"])) var script: String
        @Argument(help: "The file to write: .json, .csv, .srt, .vtt or .ttml.") var output: String
        @Option(help: "The language of subtitles; what is said where it is not given and there is no translation.")
        var language: String?

        func run() async throws {
            let script = try await ScriptFile.read(self.script, target: nil)
            let wanted = try language.map { try Language($0) } ?? script.lines.first?.translations.keys.sorted().first
            let target = wanted.flatMap { $0.sameLanguage(as: script.language) ? nil : $0 }
            if let target, !script.lines.contains(where: { $0.translations[target] != nil }) {
                throw DubError(
                    .languageUnsupported, "The script holds no translation into \(target.name).", at: self.script,
                    fix: "Dub into that language first.")
            }
            try await ScriptFile.write(script, to: output, target: target)
            Console.result(output)
        }
    }

    /// `script import`.
    struct Import: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Bring edited lines back into a script.",
            discussion: """
                Lines are matched by id, or by time where a file has none. What differs becomes a person's words, which
                no machine overwrites. Where the source text of a line changed and its translation did not, the
                translation is taken away, so that the next run makes a new one.
                """)

        @Argument(help: "The edited file: .json, .csv, .srt or .vtt.") var edited: String
        @Option(help: "The script to bring them into; it is changed in place.") var into: String
        @Option(help: "The language of subtitles; the script's only one where it is not given.") var language: String?

        func run() async throws {
            var script = try await ScriptFile.read(into, target: nil)
            let target = try language.map { try Language($0) } ?? script.lines.first?.translations.keys.sorted().first
            let edited = try await ScriptFile.read(self.edited, target: target)
            let changed = script.take(edited)
            try await ScriptFile.write(script, to: into, target: nil)
            Console.note("\(changed) of \(script.lines.count) lines changed")
            Console.result(into)
        }
    }
}
