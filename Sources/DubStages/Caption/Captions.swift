internal import DubCore
internal import DubMedia
internal import DubTiming

/// The cues of a script, in the language that is asked for.
enum Captions {
    /// Cues for `target`'s translations, or for what is said where `target` is `nil`.
    ///
    /// - Parameter windows: where each line is heard instead of where the source says it, by the line's id.
    static func cues(_ script: Script, target: Language?, windows: [String: Span] = [:]) -> [Cue] {
        let lines = script.lines.compactMap { line -> CueLine? in
            let text = target.map { line.translations[$0]?.text ?? "" } ?? line.text
            guard !text.isEmpty else { return nil }
            let window = windows[line.id] ?? Span(start: line.start.seconds, end: line.end.seconds)
            let words = target == nil ? line.words.map { Span(start: $0.start.seconds, end: $0.end.seconds) } : []
            return CueLine(text: text, window: window, words: words)
        }
        return CueBuilder()
            .cues(from: lines, language: target ?? script.language, duration: script.duration.seconds)
            .map {
                Cue(
                    start: MediaTime(seconds: $0.start), end: MediaTime(seconds: $0.end),
                    text: $0.rows.joined(separator: "\n"))
            }
    }
}
