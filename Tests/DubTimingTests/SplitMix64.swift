import DubTiming

/// Collects what does not hold: thousands of `#expect`s in a loop would take longer than what they check.
struct Complaints {
    private(set) var all: [String] = []

    mutating func unless(_ holds: Bool, _ what: @autoclosure () -> String) {
        if !holds, all.count < 20 { all.append(what()) }
    }
}

/// Sebastiano Vigna's SplitMix64: the same cases on every machine.
struct SplitMix64: RandomNumberGenerator {
    var state: UInt64

    init(_ seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    mutating func seconds(_ range: ClosedRange<Double>) -> Double {
        (Double.random(in: range, using: &self) * 1000).rounded() / 1000
    }

    mutating func chance(_ share: Double) -> Bool { Double.random(in: 0..<1, using: &self) < share }

    mutating func pick<Element>(_ elements: [Element]) -> Element {
        elements[Int.random(in: 0..<elements.count, using: &self)]
    }

    /// Spans one after the other in `bounds`, apart by at least `gap`.
    mutating func spans(_ count: Int, in bounds: Span, gap: Double) -> [Span] {
        let free = bounds.length - gap * Double(count - 1)
        guard count > 0, free > 0 else { return [bounds] }
        let cuts = (0..<2 * count - 1).map { _ in Double.random(in: 0...free, using: &self) }.sorted()
        var edges = [0.0] + cuts
        edges.append(free)
        return (0..<count).map { index in
            let shift = bounds.start + gap * Double(index)
            return Span(start: edges[2 * index] + shift, end: edges[2 * index + 1] + shift)
        }.filter { $0.length > 0.01 }
    }

    /// Speech like that of a person: all of `bounds` but `count` − 1 pauses of 0.2 to 0.6 s.
    mutating func speech(_ count: Int, in bounds: Span) -> [Span] {
        var spans: [Span] = []
        var at = bounds.start
        for index in 0..<count {
            let left = bounds.end - at
            let share = left / Double(count - index) * seconds(0.7...1.3)
            let pause = seconds(0.2...0.6)
            guard index + 1 < count, share > 0.4, left - share - pause > 0.3 else { break }
            spans.append(Span(start: at, end: at + share))
            at += share + pause
        }
        return spans + [Span(start: at, end: bounds.end)]
    }
}
