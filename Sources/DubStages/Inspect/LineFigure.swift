internal import DubCore
internal import DubTiming

/// How one line came out; times in seconds on the item's timeline.
public struct LineFigure: Codable, Hashable, Sendable {
    /// What became of a line.
    public enum State: String, Codable, Sendable {
        case voiced
        /// Voiced in full, and for a person to look at.
        case review
        case notVoiced
    }

    /// The line's id in the script.
    public var id: String
    /// Where the source says it.
    public var start: Double
    /// Where the source ends it.
    public var end: Double
    /// Where the dub says it; `nil` where it is not voiced, or nobody knows.
    public var dubStart: Double?
    /// Where the dub ends it.
    public var dubEnd: Double?
    /// What is to be said.
    public var text: String
    /// What became of it.
    public var state: State
    /// How much later (+) or earlier (−) the dub is heard to begin than the source; `nil` where the line does not begin
    /// behind a pause.
    public var onset: Double?
    /// How much faster than natural it is spoken; `nil` where nobody knows.
    public var rate: Double?
    /// For how long it goes on after the source's line has ended; 0 where it does not.
    public var spill: Double?
    /// Words heard wrong, lost or added, over words that were to be said; `nil` where nobody listened.
    public var wordsWrong: Double?
    /// Words in whose place nothing is heard; `nil` where nobody listened.
    public var wordsLost: Int?
    /// What a person should know.
    public var notes: [String]

    /// Makes figures.
    public init(id: String, start: Double, end: Double, text: String, state: State) {
        self.id = id
        self.start = start
        self.end = end
        self.text = text
        self.state = state
        notes = []
    }

    /// A line of which less than this is spoken is not voiced, in seconds.
    private static let least = 0.1

    /// The lines of a script, as they are heard in a dub of which nothing else is known.
    static func all(of script: Script, _ language: Language, _ dub: HeardDub) -> [LineFigure] {
        let lines = script.lines.compactMap { line -> LineFigure? in
            let translation = line.translations.first { $0.key.sameLanguage(as: language) }?.value.text
            guard let text = translation ?? (script.language.sameLanguage(as: language) ? line.text : nil),
                !text.isEmpty
            else { return nil }
            let window = Span(start: line.start.seconds, end: line.end.seconds)
            let heard = dub.hearing.speech.compactMap { $0.clipped(to: window) }
            var figure = LineFigure(
                id: line.id, start: window.start, end: window.end, text: text,
                state: heard.total < min(least, window.length / 2) ? .notVoiced : .voiced)
            figure.dubStart = heard.first?.start
            figure.dubEnd = heard.last?.end
            return figure
        }
        return lines.heard(in: dub, language)
    }
}

extension [LineFigure] {
    /// The lines with what was heard of them.
    func heard(in dub: HeardDub, _ language: Language) -> [LineFigure] {
        var lines = self
        let voiced = indices.filter { self[$0].state != .notVoiced }
        let words = dub.hearing.words(
            voiced.map { index in
                let line = self[index]
                return (Span(start: line.dubStart ?? line.start, end: line.dubEnd ?? line.end), line.text)
            }, in: language)
        for (index, count) in zip(voiced, words) {
            lines[index].wordsWrong = count?.errorRate
            lines[index].wordsLost = count?.lost
        }
        let starts = dub.hearing.speech.map(\.start)
        let onsets = dub.sourceSpeech.map(\.start)
        for index in voiced {
            // Only where the source is heard to begin there can the dub be late.
            let line = lines[index]
            guard let begun = onsets.first(where: { abs($0 - line.start) < 0.1 }) else { continue }
            let near = starts.filter { $0 > begun - 1 && $0 < Swift.max(begun + 1, line.dubEnd ?? line.end) }
            lines[index].onset = Isochrony.nearest(to: begun, in: near)
        }
        return lines
    }
}
