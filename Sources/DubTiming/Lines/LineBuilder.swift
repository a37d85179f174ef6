public import DubCore

/// Turns recognised words into lines, with edges from a voice-activity detector.
///
/// A recogniser knows what is said and where sentences end; a detector knows to a hundredth of a second where speech
/// begins and ends. So words are assigned to the detector's speech, lines are cut by the words, and a line's edges are
/// the detector's.
public struct LineBuilder: Sendable {
    /// How words become lines.
    public var rules: LineRules

    /// Makes a builder.
    public init(_ rules: LineRules = .init()) {
        self.rules = rules
    }

    /// Builds the lines of a chunk.
    ///
    /// Every word is in exactly one line, in the order given, or in a segment that a note says was dropped because there
    /// is no speech under it. Lines are in order, do not overlap, and are longer than nothing.
    ///
    /// - Parameters:
    ///   - words: as recognised, in order, in seconds on the timeline of the chunk. Times that run backwards are mended.
    ///   - speech: where the detector hears speech, on the same timeline; in any order.
    ///   - language: what is spoken; decides on spacing and abbreviations.
    /// - Returns: the lines, and what a person should know: segments dropped, speech without words.
    public func lines(
        from words: [RecognisedWord], speech: [Span], language: Language
    ) -> (lines: [BuiltLine], notes: [String]) {
        let speech = speech.merged()
        var notes: [String] = []
        let words = believed(mended(words), speech, &notes)
        guard !words.isEmpty else {
            notes += speech.map { "speech without words at \(Self.text($0))" }
            return ([], notes)
        }
        let spaced = words.contains {
            $0.text.first?.isWhitespace == true || $0.text.last?.isWhitespace == true
        }
        let map = SpeechMap(words: words, speech: speech)
        var cutter = LineCutter(
            rules: rules, words: words, map: map, language: language, spaced: spaced && !language.isUnspaced)
        let ranges = cutter.ranges()
        let windows = map.windows(of: ranges)
        notes += windows.wordless.map { "speech without words at \(Self.text($0))" }
        let separator = spaced || language.isUnspaced ? "" : " "
        let lines = zip(ranges, windows.lines).map { range, spans in
            let window = Span(start: spans[0].start, end: spans[spans.count - 1].end)
            let own = words[range].map { word in
                var word = word
                word.start = min(max(word.start, window.start), window.end)
                word.end = min(max(word.end, word.start), window.end)
                return word
            }
            return BuiltLine(
                start: window.start, end: window.end, text: Self.join(own, separator), words: own,
                speech: spans)
        }
        return (lines, notes)
    }

    /// Texts one after the other, each run of white space one space.
    static func join(_ words: [RecognisedWord], _ separator: String) -> String {
        words.map(\.text).joined(separator: separator).split(whereSeparator: \.isWhitespace).joined(
            separator: " ")
    }

    /// With finite times that never run backwards.
    private func mended(_ words: [RecognisedWord]) -> [RecognisedWord] {
        var last = 0.0
        return words.map { word in
            var word = word
            word.start = word.start.isFinite ? max(word.start, last) : last
            word.end = word.end.isFinite ? max(word.end, word.start) : word.start
            last = word.start
            return word
        }
    }

    /// Without the segments that have no speech under them: what a recogniser invents in silence and music.
    private func believed(_ words: [RecognisedWord], _ speech: [Span], _ notes: inout [String])
        -> [RecognisedWord]
    {
        var kept: [RecognisedWord] = []
        var index = 0
        while index < words.count {
            var next = index
            while next < words.count, words[next].segment == words[index].segment { next += 1 }
            let segment = Array(words[index..<next])
            let last = segment.reduce(segment[0].end) { max($0, $1.end) }
            let span = Span(start: segment[0].start - rules.slack, end: last + rules.slack)
            if speech.contains(where: { $0.overlap(span) > 0 }) {
                kept += segment
            } else {
                let said = Self.join(segment, segment.contains { $0.text.first == " " } ? "" : " ")
                notes.append("dropped “\(said)” at \(Self.text(span)): there is no speech under it")
            }
            index = next
        }
        return kept
    }

    private static func text(_ span: Span) -> String {
        func tenths(_ seconds: Double) -> String {
            let tenths = Int((max(0, seconds) * 10).rounded())
            return "\(tenths / 10).\(tenths % 10)"
        }
        return "\(tenths(span.start))–\(tenths(span.end)) s"
    }
}
