internal import DubTiming

/// Decides where audio is cut for recognition: at pauses, into stretches that a recogniser takes in one go.
///
/// Each cut depends only on the speech shortly behind the one before, so that a file that is cut shorter at its end
/// keeps all chunks before the cut, and one that is cut at its start finds back to the same cuts at the next long
/// pause. What nobody speaks in belongs to no chunk.
struct ChunkCutter: Sendable {
    /// The longest chunk, in seconds; Whisper hears 30.
    var maxSeconds = 28.0
    /// From where on a pause is looked for, in seconds from the chunk's start.
    var enoughSeconds = 14.0
    /// How much silence a chunk keeps before its first and after its last sound, in seconds.
    var margin = 0.3
    /// A pause that always ends a chunk, in seconds.
    var longPause = 4.0

    /// The chunks for speech that lies so; in order, disjoint, each with at least one sound of speech.
    ///
    /// - Parameters:
    ///   - speech: in order, disjoint, in seconds.
    ///   - duration: the length of the audio, in seconds.
    func chunks(of speech: [Span], duration: Double) -> [Span] {
        let speech = speech.flatMap { split($0) }
        var groups: [[Span]] = []
        var rest = speech[...]
        while let first = rest.first {
            var reach = rest.startIndex + 1
            var cut = reach
            var longest = -1.0
            while reach < rest.endIndex, rest[reach].end - first.start <= maxSeconds {
                let pause = rest[reach].start - rest[reach - 1].end
                if pause >= longPause { break }
                if rest[reach].start - first.start >= enoughSeconds, pause >= longest {
                    longest = pause
                    cut = reach
                }
                reach += 1
            }
            // All that is left, or all up to a long pause, fits: no cut is needed before it.
            let isOpen = reach == rest.endIndex || rest[reach].start - rest[reach - 1].end >= longPause
            if isOpen || longest < 0 { cut = reach }
            groups.append(Array(rest[..<cut]))
            rest = rest[cut...]
        }
        return groups.indices.map { index in
            let group = groups[index]
            let before = index > 0 ? groups[index - 1].last?.end ?? 0 : 0
            let after = index + 1 < groups.count ? groups[index + 1].first?.start ?? duration : duration
            let start = group.first?.start ?? 0
            let end = group.last?.end ?? 0
            return Span(
                start: max(start - margin, index > 0 ? (before + start) / 2 : 0),
                end: min(end + margin, index + 1 < groups.count ? (end + after) / 2 : duration))
        }
    }

    /// Speech without a pause for longer than a chunk is cut into equal parts.
    private func split(_ span: Span) -> [Span] {
        let limit = maxSeconds - 2 * margin
        let parts = Int((span.length / limit).rounded(.up))
        guard parts > 1 else { return [span] }
        let step = span.length / Double(parts)
        return (0..<parts).map {
            Span(start: span.start + Double($0) * step, end: span.start + Double($0 + 1) * step)
        }
    }
}
