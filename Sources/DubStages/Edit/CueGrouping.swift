internal import DubCore
internal import DubTiming

/// Subtitle cues as lines: a line that is long on the screen is several cues, and they belong together again.
enum CueGrouping {
    /// The lines of a subtitle file with the cues that stand for one known line joined into it.
    ///
    /// A cue belongs to the known line with which it shares most time. Its words are put together in order; id, times
    /// and source text are the known line's. What shares no time with any line stays as it is, and so does every line
    /// that has an id or a source text: those come from a script, not from subtitles.
    static func joined(_ lines: [Line], into known: [(id: String, window: Span)]) -> [Line] {
        guard lines.allSatisfy({ $0.id.isEmpty }), lines.contains(where: { $0.text.isEmpty }) else { return lines }
        var joined: [Line] = []
        var place: [Int: Int] = [:]
        for line in lines {
            let span = Span(start: line.start.seconds, end: line.end.seconds)
            let best = known.indices.map { ($0, known[$0].window.overlap(span)) }.max { $0.1 < $1.1 }
            guard let best, best.1 > 0 else {
                joined.append(line)
                continue
            }
            if let index = place[best.0] {
                for (language, more) in line.translations {
                    guard var text = joined[index].translations[language]?.text else { continue }
                    text += text.isEmpty ? more.text : " " + more.text
                    joined[index].translations[language]?.text = text
                }
                continue
            }
            var whole = line
            whole.id = known[best.0].id
            whole.start = MediaTime(seconds: known[best.0].window.start)
            whole.end = MediaTime(seconds: known[best.0].window.end)
            place[best.0] = joined.count
            joined.append(whole)
        }
        return joined
    }
}
