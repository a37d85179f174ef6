/// A stretch of a timeline, in seconds.
///
/// Which timeline (chunk, item or take) is said where a span is used. `MediaTime` stays the exact time of the media;
/// what is decided here comes from voice-activity detection and recognition, which are approximate by nature.
public struct Span: Hashable, Sendable, Codable {
    /// Where it begins, in seconds.
    public var start: Double
    /// Where it ends, in seconds; ≥ `start`.
    public var end: Double

    /// Makes a span; an `end` before `start` gives an empty span at `start`.
    public init(start: Double, end: Double) {
        self.start = start
        self.end = max(start, end)
    }

    /// Its length in seconds; ≥ 0.
    public var length: Double { end - start }

    /// The instant half-way, in seconds.
    public var middle: Double { (start + end) / 2 }

    /// How many seconds both share; 0 where they only touch.
    public func overlap(_ other: Span) -> Double {
        max(0, min(end, other.end) - max(start, other.start))
    }

    /// How many seconds of nothing lie between both; 0 where they touch or overlap.
    public func distance(to other: Span) -> Double {
        max(0, max(start, other.start) - min(end, other.end))
    }

    /// The same stretch, `seconds` later.
    public func shifted(by seconds: Double) -> Span {
        Span(start: start + seconds, end: end + seconds)
    }

    /// The part inside `bounds`; `nil` where nothing is left.
    public func clipped(to bounds: Span) -> Span? {
        let low = max(start, bounds.start)
        let high = min(end, bounds.end)
        return low < high ? Span(start: low, end: high) : nil
    }

    var isSound: Bool { start.isFinite && end.isFinite }
}

extension Sequence<Span> {
    /// The union: in order, disjoint, with no empty spans; gaps shorter than `gap` seconds are closed.
    public func merged(closing gap: Double = 0) -> [Span] {
        var union: [Span] = []
        for span in filter({ $0.isSound && $0.length > 0 }).sorted(by: { $0.start < $1.start }) {
            if let last = union.last, span.start <= last.end || span.start - last.end < gap {
                union[union.count - 1].end = Swift.max(last.end, span.end)
            } else {
                union.append(span)
            }
        }
        return union
    }

    /// The lengths together, in seconds; shared time counts twice.
    public var total: Double { reduce(0) { $0 + $1.length } }
}

/// How long two unions of spans sound together, in seconds; both in order and disjoint.
func sharedTime(_ left: [Span], _ right: [Span]) -> Double {
    var (i, j, shared) = (0, 0, 0.0)
    while i < left.count, j < right.count {
        shared += left[i].overlap(right[j])
        if left[i].end < right[j].end { i += 1 } else { j += 1 }
    }
    return shared
}
