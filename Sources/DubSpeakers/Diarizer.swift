internal import DubTiming

/// Tells speakers apart by their voiceprints.
public struct Diarizer: Sendable {
    /// How close the means of two groups have to lie to be one voice, as a cosine.
    ///
    /// Measured with the d-vector on 63 recordings of one speaker and 2 dialogues: from 0.66 to 0.72 both dialogues come
    /// out right; of the recordings one falls apart at 0.66 and 0.68, two at 0.70, four at 0.72.
    public var closeness = 0.68
    /// Shorter windows are too unsure to found a voice on; they go to the one that is closest. In seconds.
    public var leastSeconds = 0.8
    /// Beyond so many windows those of each so many are grouped first, so that a long film does not take the square of
    /// its length.
    public var most = 1200
    /// Where a window is so close to a second voice, compared with the first, both are noted: 53 % of windows in which
    /// two people speak equally loud, and 1.4 % of those in which one does (28 pairs of recordings mixed).
    public var overlapMargin = 0.1

    /// A diarizer with the measured values.
    public init() {}

    /// Who speaks in windows, and when.
    ///
    /// - Parameters:
    ///   - windows: of speech, in order.
    ///   - count: how many speakers there are; found where it is `nil`.
    public func diarize(_ windows: [HeardWindow], count: Int? = nil) -> Diarization {
        guard !windows.isEmpty else { return Diarization(speakers: [], turns: []) }
        let means = voices(of: windows, count: count)
        let closeness = smoothed(
            windows.map { window in means.map { $0.similarity(to: window.print) } }, windows)
        var labels = closeness.map { row in row.indices.max { row[$0] < row[$1] } ?? 0 }
        // Named in the order of appearance; a voice to which no window went has none.
        var order: [Int: Int] = [:]
        for label in labels where order[label] == nil { order[label] = order.count }
        labels = labels.map { order[$0] ?? 0 }
        let names = (0..<order.count).map { "S\($0 + 1)" }
        var also: [Int: Int] = [:]
        for (index, row) in closeness.enumerated() {
            let ranked = row.indices.sorted { row[$0] > row[$1] }
            if ranked.count > 1, row[ranked[0]] - row[ranked[1]] < overlapMargin, row[ranked[1]] > 0.5,
                let second = order[ranked[1]]
            {
                also[index] = second
            }
        }
        let turns = turns(windows, labels, also, names)
        let speakers = names.indices.map { speaker in
            let own = windows.indices.filter { labels[$0] == speaker }
            let clean = turns.filter { $0.speaker == names[speaker] && $0.also == nil }.map(\.span)
            var sum: [Float] = []
            for index in own {
                let parts = windows[index].print.components.map { $0 * Float(windows[index].span.length) }
                sum = sum.isEmpty ? parts : zip(sum, parts).map(+)
            }
            let print = Voiceprint(sum)
            return FoundSpeaker(
                name: names[speaker], print: print, pitch: Self.median(own.compactMap { windows[$0].pitch }),
                seconds: turns.filter { $0.speaker == names[speaker] }.reduce(0) { $0 + $1.span.length },
                reference: Self.reference(in: clean, own.map { windows[$0] }, print))
        }
        return Diarization(speakers: speakers, turns: turns)
    }

    /// The voices there are: the means of groups of windows.
    private func voices(of windows: [HeardWindow], count: Int?) -> [Voiceprint] {
        let sure = windows.filter { $0.span.length >= leastSeconds }
        let used = sure.count >= max(1, count ?? 1) ? sure : windows
        var prints = used.map { (print: $0.print, weight: $0.span.length) }
        if prints.count > most {
            let block = max(2, most / 20)
            prints = stride(from: 0, to: prints.count, by: block).flatMap { start in
                let part = Array(prints[start..<min(prints.count, start + block)])
                // Closer than voices have to lie, so that no group holds two of them.
                return Grouping(prints: part).groups(closeness: (1 + closeness) / 2).map { group in
                    (Voiceprint(group.sum), group.members.reduce(0) { $0 + part[$1].weight })
                }
            }
        }
        return Grouping(prints: prints).groups(closeness: closeness, count: count).map { Voiceprint($0.sum) }
    }

    /// What each window is close to, its neighbours in the same breath counted in: a voice does not change for a
    /// second and back.
    private func smoothed(_ rows: [[Double]], _ windows: [HeardWindow]) -> [[Double]] {
        rows.indices.map { index in
            var row = rows[index]
            for other in [index - 1, index + 1] where rows.indices.contains(other) {
                guard windows[index].span.overlap(windows[other].span) > 0 else { continue }
                for voice in row.indices { row[voice] += (rows[other][voice] - rows[index][voice]) / 4 }
            }
            return row
        }
    }

    /// Where windows overlap, each has the half that is closer to it.
    private func turns(
        _ windows: [HeardWindow], _ labels: [Int], _ also: [Int: Int], _ names: [String]
    ) -> [Turn] {
        var turns: [Turn] = []
        for index in windows.indices {
            var span = windows[index].span
            if index > 0, windows[index - 1].span.end > span.start {
                span.start = (windows[index - 1].span.end + span.start) / 2
            }
            if index + 1 < windows.count, windows[index + 1].span.start < span.end {
                span.end = (windows[index + 1].span.start + span.end) / 2
            }
            guard span.end > span.start else { continue }
            let turn = Turn(span: span, speaker: names[labels[index]], also: also[index].map { names[$0] })
            if let last = turns.last, last.speaker == turn.speaker, last.also == turn.also,
                abs(last.span.end - span.start) < 1e-6
            {
                turns[turns.count - 1].span.end = span.end
            } else {
                turns.append(turn)
            }
        }
        return turns
    }

    private static func median(_ values: [Double]) -> Double? {
        guard !values.isEmpty else { return nil }
        return values.sorted()[values.count / 2]
    }

    /// The 3 to 10 s without another voice that sound most like the speaker.
    private static func reference(in clean: [Span], _ own: [HeardWindow], _ print: Voiceprint) -> Span? {
        let candidates = clean.merged(closing: 0.4).filter { $0.length >= 3 }.map { span in
            Span(start: span.start, end: min(span.end, span.start + 10))
        }
        func closeness(_ span: Span) -> Double {
            let inside = own.filter { $0.span.overlap(span) > 0 }
            return inside.reduce(0) { $0 + $1.print.similarity(to: print) } / Double(max(1, inside.count))
        }
        return candidates.max { closeness($0) < closeness($1) }
    }
}
