public import DubCore

/// Breaks lines into subtitle cues that can be read in the time there is.
public struct CueBuilder: Sendable {
    /// What subtitles keep to.
    public var rules: CueRules

    /// Makes a builder.
    public init(_ rules: CueRules = .init()) {
        self.rules = rules
    }

    /// The cues of all lines, in order of time.
    ///
    /// No two overlap; rows and `maxSeconds` always hold. The gap holds unless the item is too short for its cues. The
    /// shortest time and the reading speed hold where there is silence to extend into; a cue that needs more takes it
    /// from the silence after, then a little from the silence before. Lines without text give no cue.
    ///
    /// - Parameters:
    ///   - lines: what is said and when; in any order.
    ///   - language: of the text; decides on row length and on where rows break.
    ///   - duration: of the item in seconds; no cue ends later.
    public func cues(from lines: [CueLine], language: Language, duration: Double) -> [SubtitleCue] {
        var drafts: [Draft] = []
        let sorted = lines.indices.filter { lines[$0].window.isSound }
            .sorted { (lines[$0].window.start, $0) < (lines[$1].window.start, $1) }
        for index in sorted { drafts += self.drafts(of: lines[index], in: language) }
        guard !drafts.isEmpty else { return [] }
        let limit = duration.isFinite ? Int(max(0, min(duration, 1e9)) / Chain.cell + 1e-6) : Int.max / 4
        // Only an item that is too short for all that is to be read gets past the first of these.
        let places =
            Chain.solve(links(drafts, least: 0.3, gap: rules.minGap, limit: limit))
            ?? Chain.solve(links(drafts, least: 0.1, gap: rules.minGap, limit: limit))
            ?? Chain.solve(links(drafts, least: 0.1, gap: rules.minGap, limit: limit, anywhere: true))
            ?? Chain.solve(links(drafts, least: Chain.cell, gap: 0, limit: limit, anywhere: true))
        guard let places else { return [] }
        return zip(drafts, places).map { draft, place in
            SubtitleCue(
                start: Chain.seconds(place.start), end: Chain.seconds(place.end), rows: draft.rows
            )
        }
    }

    private struct Draft {
        var rows: [String]
        var said: Span
        var characters: Int
    }

    private func drafts(of line: CueLine, in language: Language) -> [Draft] {
        let text = CueText(line.text, limit: rules.row(in: language), language: language)
        let count = max(1, Int((line.window.length / rules.maxSeconds).rounded(.up)))
        let ranges = text.cues(atLeast: count)
        let total = Double(max(1, text.width(0..<text.tokens.count)))
        let timed = (text.tokens.last.map { $0.word + 1 } ?? 0) == line.words.count
        return ranges.map { range in
            let shares = [range.lowerBound, range.upperBound].map { edge in
                line.window.start + line.window.length * Double(text.width(0..<edge)) / total
            }
            var said = Span(start: shares[0], end: shares[1])
            if timed {
                let first = line.words[text.tokens[range.lowerBound].word]
                let last = line.words[text.tokens[range.upperBound - 1].word]
                if first.isSound, last.isSound { said = Span(start: first.start, end: last.end) }
            }
            let rows = (text.layout(range)?.rows ?? [range]).map(text.row)
            return Draft(rows: rows, said: said, characters: rows.reduce(0) { $0 + $1.count })
        }
    }

    private func links(
        _ drafts: [Draft], least: Double, gap: Double, limit: Int, anywhere: Bool = false
    ) -> [Link] {
        drafts.map { draft in
            let needed = max(rules.minSeconds, Double(draft.characters) / rules.charactersPerSecond)
            let earliest = anywhere ? 0 : Int((draft.said.start - 0.25) / Chain.cell)
            let longest = max(1, Int((rules.maxSeconds / Chain.cell + 1e-6).rounded(.down)))
            return Link(
                gap: Int((gap / Chain.cell - 1e-6).rounded(.up)), earliest: max(0, earliest),
                latestEnd: limit,
                lengths: min(max(1, Int(least / Chain.cell + 0.5)), longest)...longest,
                start: Bend(center: draft.said.start, below: (1.5, 2), above: (5, 8)),
                length: Bend(center: min(needed, rules.maxSeconds), below: (1, 2), above: (0, 0)),
                end: Bend(center: draft.said.end, below: (0.8, 0), above: (0.05, 0)))
        }
    }
}
