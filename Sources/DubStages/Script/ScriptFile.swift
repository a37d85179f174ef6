public import DubCore
internal import DubMedia
internal import Foundation
internal import SwiftCSV

extension DubError.Code {
    /// A script or subtitle file is malformed.
    public static let scriptInvalid = Self(name: "script.invalid")
}

/// Scripts as files that people edit: JSON (everything), CSV (a row a line), SRT and WebVTT (one language); TTML is
/// written alone.
public enum ScriptFile {
    /// A file format, told by the extension.
    public enum Format: String, Sendable, CaseIterable {
        case json
        case csv
        case srt
        case vtt
        case ttml

        /// The format of a path's extension.
        ///
        /// - Throws: `script.invalid` naming those that there are.
        public init(path: String) throws(DubError) {
            let suffix = (path as NSString).pathExtension.lowercased()
            guard let format = Format(rawValue: suffix) else {
                throw DubError(
                    .scriptInvalid, "“.\(suffix)” is no format of scripts.", at: path,
                    fix: "Use a name that ends in .json, .csv, .srt, .vtt or (to write) .ttml.")
            }
            self = format
        }
    }

    /// Reads a script. Subtitle files hold translations into `target`, or what is said where that is `nil`.
    ///
    /// - Throws: `input.missing`; `script.invalid` with the row or cue at fault.
    public static func read(_ path: String, target: Language?) async throws -> Script {
        let script: Script
        switch try Format(path: path) {
        case .json: script = try json(path)
        case .csv: script = try csv(path)
        case .srt, .vtt: script = try await subtitles(path, target)
        case .ttml:
            throw DubError(
                .scriptInvalid, "TTML is written and not read.", at: path,
                fix: "Hand in the script as .json or .csv, or the subtitles as .srt or .vtt.")
        }
        for line in script.lines {
            guard line.start >= .zero, line.end > line.start else {
                throw invalid("Line \(line.id) ends before it starts, or starts before zero.", path)
            }
        }
        let ids = script.lines.map(\.id).filter { !$0.isEmpty }
        if let twice = Dictionary(grouping: ids, by: \.self).first(where: { $0.value.count > 1 })?.key {
            throw invalid("Two lines have the id \(twice).", path)
        }
        return script
    }

    /// Writes a script, whole or not at all.
    ///
    /// - Throws: `output.unwritable`.
    public static func write(_ script: Script, to path: String, target: Language?) async throws {
        let format = try Format(path: path)
        switch format {
        case .json:
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
            try store(encoder.encode(script), path)
        case .csv: try store(Data(csv(script).utf8), path)
        case .srt, .vtt, .ttml:
            let kind: SubtitleFile.Format = format == .srt ? .srt : format == .vtt ? .vtt : .ttml
            let cues = Captions.cues(script, target: target)
            let language = target ?? script.language
            try await MediaThread.run { _ in
                try SubtitleFile.write(cues, to: path, format: kind, language: language)
            }
        }
    }

    private static func store(_ data: Data, _ path: String) throws {
        do {
            try data.write(to: URL(filePath: path), options: .atomic)
        } catch {
            throw DubError(
                .outputUnwritable, "The script cannot be written: \(error.localizedDescription).", at: path,
                fix: "Choose a folder that you may write.", cause: error)
        }
    }

    private static func bytes(_ path: String) throws -> Data {
        do {
            return try Data(contentsOf: URL(filePath: path))
        } catch {
            throw DubError(
                .inputMissing, "The script cannot be read: \(error.localizedDescription).", at: path,
                fix: "Check the name.", cause: error)
        }
    }

    private static func invalid(_ what: String, _ place: String, _ cause: (any Error)? = nil) -> DubError {
        DubError(
            .scriptInvalid, what, at: place, fix: "Mend it there; dubmill script export shows what is expected.",
            cause: cause)
    }

    // MARK: - JSON

    private static func json(_ path: String) throws -> Script {
        do {
            return try JSONDecoder().decode(Script.self, from: bytes(path))
        } catch let error as DecodingError {
            throw invalid("The script is not of the expected shape: \(error).", path, error)
        }
    }

    // MARK: - CSV

    private static let columns = ["id", "start", "end", "speaker", "text"]

    private static func csv(_ script: Script) -> String {
        let languages = Set(script.lines.flatMap(\.translations.keys)).sorted()
        var rows = [columns + languages.map(\.tag)]
        for line in script.lines {
            rows.append(
                [
                    line.id, String(format: "%.3f", line.start.seconds), String(format: "%.3f", line.end.seconds),
                    line.speaker ?? "", line.text,
                ] + languages.map { line.translations[$0]?.text ?? "" })
        }
        let head = "# language: \(script.language), duration: \(String(format: "%.3f", script.duration.seconds))\n"
        return head + rows.map { $0.map(quoted).joined(separator: ",") + "\n" }.joined()
    }

    /// RFC 4180; a text that a spreadsheet would take for a formula gets an apostrophe before it, and so does one that
    /// begins as such a text would then.
    private static func quoted(_ field: String) -> String {
        let safe = looksLikeFormula(field) && Double(field) == nil ? "'" + field : field
        guard safe.contains(where: { ",\"\n\r".contains($0) }) || safe.hasPrefix("#") else { return safe }
        return "\"" + safe.replacingOccurrences(of: "\"", with: "\"\"") + "\""
    }

    /// Whether a spreadsheet would compute it, apostrophes before it aside.
    private static func looksLikeFormula(_ field: String) -> Bool {
        field.first { $0 != "'" }.map { "=+-@\t".contains($0) } == true
    }

    private static func csv(_ path: String) throws -> Script {
        guard var text = String(data: try bytes(path), encoding: .utf8) else {
            throw invalid("The file is not in UTF-8.", path)
        }
        if text.hasPrefix("\u{feff}") { text.removeFirst() }
        text = text.replacingOccurrences(of: "\r\n", with: "\n")
        var language: Language?
        var duration: MediaTime?
        // Counted as a spreadsheet counts: the head, if there is one, and the names of the columns come first.
        var firstRow = 2
        // Spreadsheets may have quoted the head, and filled it up with commas.
        if let head = text.prefixMatch(of: /"?# language: ([A-Za-z0-9-]+)[^\n]*\n/) {
            language = try? Language(String(head.1))
            duration = head.0.firstMatch(of: /duration: ([0-9.]+)/).flatMap { seconds(String($0.1)) }
            firstRow = 3
            text = String(text[head.range.upperBound...])
        }
        let table: CSV<Named>
        do {
            table = try CSV<Named>(string: text)
        } catch {
            throw invalid("The file is no CSV: \(error).", path, error)
        }
        for needed in ["start", "end"] where !table.header.contains(needed) {
            throw invalid("There is no column `\(needed)`.", path)
        }
        let targets = try table.header.filter { !columns.contains($0) && !$0.isEmpty }.map {
            ($0, try Language($0))
        }
        let lines = try table.rows.enumerated().map { index, row -> Line in
            guard let start = seconds(row["start"]), let end = seconds(row["end"]) else {
                throw invalid("Start and end have to be seconds.", "\(path), row \(index + firstRow)")
            }
            var translations: [Language: Translation] = [:]
            for (column, target) in targets {
                let text = unquoted(row[column] ?? "")
                if !text.isEmpty { translations[target] = Translation(text: text, origin: .imported) }
            }
            let speaker = row["speaker"] ?? ""
            return Line(
                id: row["id"] ?? "", start: start, end: end,
                speaker: speaker.isEmpty ? nil : speaker, text: unquoted(row["text"] ?? ""),
                translations: translations)
        }
        return Script(
            language: try language ?? Language("en"), duration: duration ?? lines.last?.end ?? .zero, lines: lines)
    }

    private static func unquoted(_ field: String) -> String {
        field.hasPrefix("'") && looksLikeFormula(field) ? String(field.dropFirst()) : field
    }

    /// Seconds within the lifetime of a person; all else is a slip.
    private static func seconds(_ field: String?) -> MediaTime? {
        guard let seconds = Double(field ?? ""), abs(seconds) < 1e9 else { return nil }
        return MediaTime(seconds: seconds)
    }

    // MARK: - Subtitles

    private static func subtitles(_ path: String, _ target: Language?) async throws -> Script {
        let cues: [Cue]
        do {
            cues = try await MediaThread.run { _ in try SubtitleFile.read(path) }
        } catch let error as DubError where [.mediaUnreadable, .mediaNoStream].contains(error.code) {
            throw invalid("The file holds no subtitles: \(error.what)", path, error)
        }
        guard !cues.isEmpty else { throw invalid("There is no cue in this file.", path) }
        let lines = cues.map { cue in
            let text = cue.text.split(whereSeparator: \.isWhitespace).joined(separator: " ")
            return Line(
                id: "", start: cue.start, end: cue.end, text: target == nil ? text : "",
                translations: target.map { [$0: Translation(text: text, origin: .imported)] } ?? [:])
        }
        return Script(
            language: try target ?? Language("en"), duration: lines.last?.end ?? .zero, lines: lines)
    }
}
