/// A stretch of a take that is moved and stretched as one, and where it should lie.
struct Group: Hashable, Sendable {
    /// In the take, with the silence kept around its speech.
    var take: Span
    /// Where it should begin and end on the item's timeline.
    var target: Span
    /// The least silence before it, in seconds; 0 for the first of a line.
    var gap: Double
    /// The silence kept in it before its speech, in seconds: so much earlier than its target it begins.
    var lead = 0.0
    /// The silence kept in it after its speech, in seconds.
    var trail = 0.0
}

/// Matches the pieces of a take, in order, to the speech of the source, in order.
///
/// A group is one or more pieces that lie on one or more spans of speech; a small dynamic programme over (pieces
/// placed, spans passed) picks the groups with the least cost: rate, time outside the source's speech, and running
/// into the next span. Groups are judged each by itself, at their best rate; the chain then places all together.
struct PieceMatch {
    var limits: FitLimits
    var weights: FitWeights
    /// Silence kept before and after speech where a take is parted or trimmed: soft consonants live there.
    static let head = 0.03
    static let tail = 0.08
    /// More pieces or spans than these are joined at their shortest gaps.
    static let most = 8

    func groups(for line: FitLine) -> [Group] {
        let pieces = self.pieces(of: line.take)
        let spans = speech(of: line)
        guard pieces.count > 1 else {
            return [
                Group(take: cut(pieces, 0, 0, line.take), target: target(spans, 0, spans.count - 1), gap: 0)
            ]
        }
        let parts = spans.count == 1 ? [(0, pieces.count - 1, 0, 0)] : match(pieces, spans, line.take)
        var groups: [Group] = []
        for (first, last, from, to) in parts {
            let whole = group(pieces, first, last, on: target(spans, from, to), of: line.take)
            if first == last || whole.take.length / limits.rate.lowerBound + 0.1 > whole.target.length {
                groups.append(whole)
            } else {
                groups += spread(pieces, first, last, over: whole.target, of: line.take)
            }
        }
        return groups
    }

    private func group(_ pieces: [Span], _ first: Int, _ last: Int, on target: Span, of take: Take) -> Group {
        let cut = cut(pieces, first, last, take)
        return Group(
            take: cut, target: target, gap: gap(pieces, before: first), lead: pieces[first].start - cut.start,
            trail: cut.end - pieces[last].end)
    }

    /// Where the take speaks, parted at its pauses.
    private func pieces(of take: Take) -> [Span] {
        let all = Span(start: 0, end: take.duration)
        let spans = take.speech.compactMap { $0.isSound ? $0.clipped(to: all) : nil }
            .merged(closing: limits.minPause)
        return spans.isEmpty ? [all] : joined(spans)
    }

    private func speech(of line: FitLine) -> [Span] {
        let spans = line.speech.compactMap { $0.isSound ? $0.clipped(to: line.window) : nil }
            .merged(closing: limits.minPause)
        return spans.isEmpty ? [line.window] : joined(spans)
    }

    private func joined(_ spans: [Span]) -> [Span] {
        var spans = spans
        while spans.count > Self.most {
            let shortest = spans.indices.dropFirst().min {
                spans[$0].start - spans[$0 - 1].end < spans[$1].start - spans[$1 - 1].end
            }
            guard let shortest else { break }
            spans[shortest - 1].end = spans[shortest].end
            spans.remove(at: shortest)
        }
        return spans
    }

    /// The stretch of the take that holds the pieces, with some of the silence around.
    private func cut(_ pieces: [Span], _ first: Int, _ last: Int, _ take: Take) -> Span {
        let before = first == 0 ? pieces[0].start : (pieces[first].start - pieces[first - 1].end) / 3
        let after =
            last == pieces.count - 1
            ? take.duration - pieces[last].end : (pieces[last + 1].start - pieces[last].end) / 3
        return Span(
            start: max(0, pieces[first].start - min(Self.head, before)),
            end: min(take.duration, pieces[last].end + min(Self.tail, after)))
    }

    /// The silence that must stay before a piece inside a line: a part of the pause that was there.
    private func gap(_ pieces: [Span], before index: Int) -> Double {
        index == 0 ? 0 : min(0.05, (pieces[index].start - pieces[index - 1].end) / 3)
    }

    private func target(_ spans: [Span], _ from: Int, _ to: Int) -> Span {
        Span(start: spans[from].start, end: spans[to].end)
    }

    /// The pieces one by one, their pauses stretched so that they fill the target, up to `maxPause` each.
    private func spread(
        _ pieces: [Span], _ first: Int, _ last: Int, over target: Span, of take: Take
    ) -> [Group] {
        let slowest = limits.rate.lowerBound
        let whole = cut(pieces, first, last, take)
        let share = (target.length - whole.length / slowest) / Double(last - first)
        var groups: [Group] = []
        var at = target.start
        for index in first...last {
            if index > first {
                let natural = (pieces[index].start - pieces[index - 1].end) / slowest
                at += max(natural, min(natural + share, limits.maxPause))
            }
            let end = at + pieces[index].length / slowest
            groups.append(group(pieces, index, index, on: Span(start: at, end: end), of: take))
            at = end
        }
        return groups
    }

    private typealias Part = (first: Int, last: Int, from: Int, to: Int)

    private func match(_ pieces: [Span], _ spans: [Span], _ take: Take) -> [Part] {
        let (p, q) = (pieces.count, spans.count)
        let width = q + 1
        var best = [Double](repeating: .infinity, count: (p + 1) * width)
        var from = [Part?](repeating: nil, count: (p + 1) * width)
        best[0] = 0
        for placed in 0...p {
            for passed in 0...q where best[placed * width + passed] < .infinity {
                let here = best[placed * width + passed]
                // A span may stay without words, save the first: there the line begins.
                if placed > 0, passed < q {
                    let cost = here + weights.outside * spans[passed].length
                    if cost < best[placed * width + passed + 1] {
                        best[placed * width + passed + 1] = cost
                        from[placed * width + passed + 1] = (placed, placed - 1, passed, passed)
                    }
                }
                guard placed < p, passed < q else { continue }
                for last in placed..<p {
                    for to in passed..<q {
                        let part = (first: placed, last: last, from: passed, to: to)
                        let cost = here + weights.part + cost(part, pieces, spans, take)
                        let slot = (last + 1) * width + to + 1
                        if cost < best[slot] {
                            best[slot] = cost
                            from[slot] = part
                        }
                    }
                }
            }
        }
        var parts: [Part] = []
        var (placed, passed) = (p, q)
        while let part = from[placed * width + passed], placed + passed > 0 {
            if part.last < part.first {
                passed -= 1
            } else {
                parts.append(part)
                (placed, passed) = (part.first, part.from)
            }
        }
        return parts.reversed()
    }

    /// What a group costs by itself, begun at its target.
    private func cost(_ part: Part, _ pieces: [Span], _ spans: [Span], _ take: Take) -> Double {
        let cut = cut(pieces, part.first, part.last, take)
        let target = target(spans, part.from, part.to)
        let shortest = cut.length / limits.rate.upperBound
        let longest = cut.length / limits.rate.lowerBound
        let length = min(max(target.length, shortest), longest)
        let stretch = length / cut.length
        var cost = weights.rate * cut.length * (stretch - 1) * (stretch - 1)
        let dub = pieces[part.first...part.last].map { piece in
            Span(
                start: target.start + (piece.start - cut.start) * stretch,
                end: target.start + (piece.end - cut.start) * stretch)
        }
        let source = Array(spans[part.from...part.to])
        cost += weights.outside * (dub.total + source.total - 2 * sharedTime(dub, source))
        if part.to + 1 < spans.count {
            let over = target.start + length + limits.minGap - spans[part.to + 1].start
            if over > 0 { cost += weights.late.linear * over + weights.late.square * over * over }
        }
        return cost
    }
}
