internal import DubTiming

/// How well the dub speaks while the source speaks, from where speech was detected in both.
struct Isochrony: Sendable {
    /// For every phrase of the source, how much later (+) or earlier (−) the nearest phrase of the dub begins, seconds;
    /// not for those that the dub speaks into without a pause: it has no onset there.
    let onsets: [Double]
    /// Time in which both speak over time in which either does, 0…1; `nil` where neither speaks.
    let iou: Double?
    /// The shift of the dub's speech that matches the source's best, seconds, + for late; `nil` where the speech has
    /// too little shape to tell.
    let lag: Double?
    /// Whether the dub still speaks as its track ends, and the source does not.
    let isCutAtEnd: Bool

    /// Silence that parts two phrases, seconds.
    static let phraseGap = 0.45
    /// How far a lag is looked for, seconds, and in which steps.
    private static let (lagReach, lagStep) = (5.0, 0.01)
    /// By how much a lag must match better than none at all, as a correlation.
    private static let lagGain = 0.1
    /// Speech that reaches this near to the end is cut, seconds.
    private static let edge = 0.06

    /// - Parameters:
    ///   - source: where the source speaks, in seconds.
    ///   - dub: where the dub speaks, on the same timeline.
    init(source: [Span], sourceDuration: Double, dub: [Span], dubDuration: Double) {
        let (source, dub) = (source.merged(), dub.merged())
        let starts = dub.merged(closing: Self.phraseGap).map(\.start)
        let spoken = dub.merged(closing: Self.phraseGap)
        onsets = source.merged(closing: Self.phraseGap).compactMap { phrase in
            let isSpokenInto = spoken.contains {
                $0.start < phrase.start - Self.phraseGap && $0.end > phrase.start
            }
            return isSpokenInto ? nil : Self.nearest(to: phrase.start, in: starts)
        }
        let shared = Self.shared(source, dub)
        let union = source.total + dub.total - shared
        iou = union > 0 ? shared / union : nil
        lag = Self.lag(source, dub, duration: max(sourceDuration, dubDuration))
        isCutAtEnd =
            (dub.last?.end ?? 0) > dubDuration - Self.edge
            && (source.last?.end ?? 0) <= sourceDuration - Self.edge
    }

    /// What is added to `time` to come to the nearest of `starts`.
    static func nearest(to time: Double, in starts: [Double]) -> Double? {
        starts.map { $0 - time }.min { abs($0) < abs($1) }
    }

    /// The value below which a share of the sizes lies; `nil` of none.
    static func quantile(_ share: Double, of values: [Double]) -> Double? {
        guard !values.isEmpty else { return nil }
        let sorted = values.map(abs).sorted()
        let place = share * Double(sorted.count - 1)
        let low = Int(place)
        let high = min(low + 1, sorted.count - 1)
        return sorted[low] + (place - Double(low)) * (sorted[high] - sorted[low])
    }

    /// How long both sound together; both in order and disjoint.
    private static func shared(_ left: [Span], _ right: [Span], shift: Double = 0) -> Double {
        var (i, j, shared) = (0, 0, 0.0)
        while i < left.count, j < right.count {
            let (start, end) = (right[j].start - shift, right[j].end - shift)
            shared += max(0, min(left[i].end, end) - max(left[i].start, start))
            if left[i].end < end { i += 1 } else { j += 1 }
        }
        return shared
    }

    private static func lag(_ source: [Span], _ dub: [Span], duration: Double) -> Double? {
        let (a, b, n) = (source.total, dub.total, duration)
        guard n > 0, a > 0, b > 0, a < 0.97 * n, b < 0.97 * n else { return nil }
        let scale = (a * (n - a) * b * (n - b)).squareRoot()
        func match(_ shift: Double) -> Double { (n * shared(source, dub, shift: shift) - a * b) / scale }
        let now = match(0)
        let steps = Int(lagReach / lagStep)
        let best = (-steps...steps).map { Double($0) * lagStep }.max { match($0) < match($1) } ?? 0
        let matched = match(best)
        guard matched >= 0.15 else { return nil }
        return matched > now + lagGain ? best : 0
    }
}
