internal import ArgumentParser
internal import DubCore
internal import DubSpeakers
internal import Foundation

/// `dubmill cast`.
struct CastCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cast", abstract: "Keep who speaks with which voice, for a film or a whole series.",
        discussion: """
            Every dub leaves the speakers that it found, and the voices it chose. Make a cast of them:
              dubmill cast export dubbed/episode1.es.cast.json cast.yaml
              dubmill run episode2.mp4 --to es --cast cast.yaml

            A speaker that is found again keeps name and voice. What a person wrote in the cast is never changed.
            """,
        subcommands: [Export.self, Show.self])

    /// `cast export`.
    struct Export: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Add the speakers that runs found to a cast file, or start one with them.")

        @Argument(help: "The casts that runs left, then the file to write: .yaml.") var files: [String]

        func validate() throws {
            guard files.count >= 2 else { throw ValidationError("Name one or more casts, and the file to write.") }
        }

        func run() throws {
            let output = files[files.count - 1]
            var cast = FileManager.default.fileExists(atPath: output) ? try CastFile.read(output) : Cast()
            let before = cast
            for path in files.dropLast() { cast.add(try CastFile.read(path)) }
            guard cast != before else {
                Console.note("\(output) holds all of them already")
                return Console.result(output)
            }
            do {
                try Data(CastFile.text(cast).utf8).write(to: URL(filePath: output), options: .atomic)
            } catch {
                throw DubError(
                    .outputUnwritable, "The cast cannot be written: \(error.localizedDescription).", at: output,
                    fix: "Choose a folder that you may write.", cause: error)
            }
            Console.note("\(cast.speakers.count) speakers, \(cast.speakers.count - before.speakers.count) of them new")
            Console.result(output)
        }
    }

    /// `cast show`.
    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Show who is in a cast.")

        @Argument(help: "A cast file.", completion: .file(extensions: ["yaml", "json"])) var file: String
        @Option(help: "How it is printed: table or json.") var format = OutputFormat.table

        func run() throws {
            let cast = try CastFile.read(file)
            guard format == .table else { return Console.result(try Console.json(cast)) }
            var rows: [[String]] = []
            for (name, member) in cast.speakers.sorted(by: { $0.key < $1.key }) {
                let consent = member.consent == nil ? "" : "yes"
                for (language, voice) in (member.voices ?? [:]).sorted(by: { $0.key < $1.key }) {
                    let pitch = voice.pitch.map { String($0) } ?? ""
                    let timbre = voice.timbre.map { String($0) } ?? ""
                    rows.append([
                        name, member.name ?? "", language, voice.engine ?? "", voice.voice ?? "", pitch, timbre,
                        consent,
                    ])
                }
            }
            Console.result(
                Console.table(
                    ["SPEAKER", "NAME", "LANGUAGE", "ENGINE", "VOICE", "SEMITONES", "TIMBRE", "CONSENT"], rows))
        }
    }
}

extension Cast {
    /// Adds what another cast knows and this one does not; nothing that is there is changed.
    mutating func add(_ other: Cast) {
        for (language, terms) in other.glossary ?? [:] {
            glossary = (glossary ?? [:]).merging([language: terms]) { old, new in old.merging(new) { own, _ in own } }
        }
        for (name, member) in other.speakers {
            guard var known = speakers[name] else {
                speakers[name] = member
                continue
            }
            known.name = known.name ?? member.name
            known.consent = known.consent ?? member.consent
            if known.voiceprint == nil {
                (known.voiceprint, known.model, known.pitch) = (member.voiceprint, member.model, member.pitch)
            }
            known.reference = known.reference ?? member.reference
            known.voices = (known.voices ?? [:]).merging(member.voices ?? [:]) { old, _ in old }
            known.lexicon = (known.lexicon ?? [:]).merging(member.lexicon ?? [:]) { old, _ in old }
            if known.voices?.isEmpty == true { known.voices = nil }
            if known.lexicon?.isEmpty == true { known.lexicon = nil }
            speakers[name] = known
        }
    }
}
