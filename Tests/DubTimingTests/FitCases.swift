import DubTiming
import Testing

/// What must hold of every placement, whatever the lines.
func expectSound(
    _ placed: [PlacedLine], _ lines: [FitLine], duration: Double, limits: FitLimits = .init(),
    _ note: Comment? = nil, at place: SourceLocation = #_sourceLocation
) {
    #expect(placed.count == lines.count, note, sourceLocation: place)
    var problems: [String] = []
    for (index, (line, placement)) in zip(lines, placed).enumerated() {
        if case .unvoiced = placement.outcome {
            if !placement.pieces.isEmpty { problems.append("\(index): unvoiced and has pieces") }
            continue
        }
        guard let span = placement.span else {
            problems.append("\(index): voiced and has no pieces")
            continue
        }
        if span.start < -1e-6 || span.end > duration + 1e-6 { problems.append("\(index): outside the item") }
        if span.start < line.window.start - limits.maxEarlyAtEnd - 1e-6 {
            problems.append("\(index): too early")
        }
        // All of the take's speech is in some piece, once.
        let parts = placement.pieces.map { Span(start: $0.takeStart, end: $0.takeEnd) }
        for (left, right) in zip(parts, parts.dropFirst()) where left.end > right.start + 1e-9 {
            problems.append("\(index): said twice")
        }
        let speech = line.take.speech.isEmpty ? [Span(start: 0, end: line.take.duration)] : line.take.speech
        for spoken in speech
        where !parts.contains(where: { $0.start <= spoken.start + 1e-9 && $0.end >= spoken.end - 1e-9 }) {
            problems.append("\(index): speech at \(spoken) cut")
        }
        for piece in placement.pieces
        where piece.rate < limits.rate.lowerBound - 1e-6 || piece.rate > limits.rate.upperBound + 1e-6 {
            problems.append("\(index): rate \(piece.rate)")
        }
        for (left, right) in zip(placement.pieces, placement.pieces.dropFirst())
        where left.end > right.start + 1e-6 {
            problems.append("\(index): pieces overlap")
        }
    }
    let spans = zip(lines.indices, placed).compactMap { index, line in line.span.map { (index, $0) } }
    for (position, (index, span)) in spans.enumerated() {
        for (other, against) in spans[(position + 1)...] {
            let (a, b) = (lines[index], lines[other])
            let together = a.window.overlap(b.window)
            let same = a.speaker != nil && a.speaker == b.speaker
            if together > 0.2, !same {
                let nested = together >= min(a.window.length, b.window.length) - 1e-9
                if !nested, span.overlap(against) > together + 0.01 + 1e-6 {
                    problems.append("\(index), \(other): overlap more than the source")
                }
            } else if span.distance(to: against) < limits.minGap - 1e-6 || span.overlap(against) > 0 {
                problems.append("\(index), \(other): too close")
            }
        }
    }
    #expect(problems == [], note, sourceLocation: place)
}

extension SplitMix64 {
    /// A dialogue with pauses, and takes that are 0.5 to 1.9 times as long.
    mutating func dialogue(_ count: Int, overlaps: Double = 0, tight: Double = 0.3) -> (
        lines: [FitLine], duration: Double
    ) {
        var at = seconds(0...1)
        var lines: [FitLine] = []
        for _ in 0..<count {
            let window = Span(start: at, end: at + seconds(0.3...6))
            let natural = window.length * seconds(0.5...1.9)
            let pieces = spans(
                Int.random(in: 1...4, using: &self), in: Span(start: 0, end: natural), gap: 0.2)
            lines.append(
                FitLine(
                    window: window,
                    speech: spans(Int.random(in: 1...3, using: &self), in: window, gap: 0.25),
                    speaker: pick([nil, "a", "b"]),
                    take: Take(duration: natural, speech: chance(0.3) ? [] : pieces)))
            at = window.end
            if chance(overlaps) {
                at = max(0, at - seconds(0...3))
            } else if !chance(tight) {
                at += seconds(0...3)
            }
        }
        let last = lines.reduce(0) { max($0, $1.window.end) }
        return (lines, last + (chance(0.5) ? 0 : seconds(0...4)))
    }
}
