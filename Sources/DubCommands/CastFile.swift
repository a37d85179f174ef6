internal import DubCore
internal import DubSpeakers
internal import Foundation
internal import Yams

extension DubError.Code {
    /// A cast file is malformed.
    static let castInvalid = Self(name: "cast.invalid")
}

/// Casts as files that people edit: YAML. JSON, which runs leave, is YAML too.
enum CastFile {
    /// Reads a cast.
    ///
    /// - Throws: `input.missing`; `cast.invalid` with what is wrong.
    static func read(_ path: String) throws(DubError) -> Cast {
        let text: String
        do {
            text = try String(contentsOf: URL(filePath: path), encoding: .utf8)
        } catch {
            throw DubError(
                .inputMissing, "The cast cannot be read: \(error.localizedDescription).", at: path,
                fix: "Check the name.", cause: error)
        }
        let faults: [String]
        let cast: Cast
        do {
            cast = try YAMLDecoder().decode(Cast.self, from: text)
            faults = try misspelt(text) + ranges(cast)
        } catch {
            throw invalid("\(error)", path, error)
        }
        guard faults.isEmpty else { throw invalid(faults.joined(separator: "; "), path) }
        return cast
    }

    /// The text of a cast, its speakers in order of their names.
    static func text(_ cast: Cast) throws -> String {
        let encoder = YAMLEncoder()
        encoder.options.sortKeys = true
        encoder.options.allowUnicode = true
        encoder.options.width = -1
        // Yams writes numbers as 2.051e+2; texts that look so it puts in quotes.
        return try encoder.encode(cast).replacing(/(?m)(: )(-?[0-9.]+e[+-][0-9]+)$/) { match in
            match.output.1 + (Double(match.output.2).map { JSONValue.number($0).canonical } ?? String(match.output.2))
        }
    }

    private static func invalid(_ what: String, _ path: String, _ cause: (any Error)? = nil) -> DubError {
        DubError(
            .castInvalid, "The cast is not of the expected shape: \(what).", at: path,
            fix: "Mend it there; docs/casting.md shows an example.", cause: cause)
    }

    /// Keys that nobody reads: a slip would go unnoticed.
    private static func misspelt(_ text: String) throws -> [String] {
        let known: Set = [
            "name", "consent", "voices", "lexicon", "voiceprint", "model", "pitch", "reference",
        ]
        let voice: Set = ["engine", "voice", "pitch", "timbre"]
        guard let root = try Yams.compose(yaml: text)?.mapping else { return ["it is no mapping"] }
        func strange(_ mapping: Node.Mapping?, _ known: Set<String>, _ place: String) -> [String] {
            (mapping?.keys.compactMap(\.string) ?? []).filter { !known.contains($0) }.map {
                "\(place) has no `\($0)`"
            }
        }
        var faults = strange(root, ["version", "speakers", "glossary"], "a cast")
        for (name, member) in root["speakers"]?.mapping ?? [:] {
            faults += strange(member.mapping, known, "speaker \(name.string ?? "")")
            for (language, choice) in member.mapping?["voices"]?.mapping ?? [:] {
                let place = "the \(language.string ?? "") voice of \(name.string ?? "")"
                faults += strange(choice.mapping, voice, place)
            }
        }
        return faults
    }

    private static func ranges(_ cast: Cast) -> [String] {
        var faults = cast.version == 1 ? [] : ["version \(cast.version) is not known; this is 1"]
        for (language, terms) in (cast.glossary ?? [:]).sorted(by: { $0.key < $1.key }) {
            if language != "any", (try? Language(language)) == nil {
                faults.append("`\(language)` of the glossary is no language tag, nor `any`")
            }
            for (term, name) in terms.sorted(by: { $0.key < $1.key })
            where term.allSatisfy(\.isWhitespace) || name.allSatisfy(\.isWhitespace) {
                faults.append("the \(language) glossary has an empty term or name (`\(term)`: `\(name)`)")
            }
        }
        for (name, member) in cast.speakers.sorted(by: { $0.key < $1.key }) {
            for (language, voice) in (member.voices ?? [:]).sorted(by: { $0.key < $1.key }) {
                if language != "any", (try? Language(language)) == nil {
                    faults.append("`\(language)` of \(name) is no language tag, nor `any`")
                }
                if let pitch = voice.pitch, !(-12...12).contains(pitch) {
                    faults.append("the pitch of \(name) is \(pitch); −12 to 12 semitones are possible")
                }
                if let timbre = voice.timbre, !(0.7...1.4).contains(timbre) {
                    faults.append("the timbre of \(name) is \(timbre); 0.7 to 1.4 are possible")
                }
            }
        }
        return faults
    }
}
