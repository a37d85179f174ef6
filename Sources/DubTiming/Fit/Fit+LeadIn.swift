extension Fit {
    /// Places all lines of an item, each begun somewhat later than the source where there is room, so that the original
    /// is heard alone for a moment: the habit of voice-overs.
    ///
    /// A line gives way only where that costs nothing: as far as its take, spoken at rate 1, still ends with the source or
    /// at most `leadIn` behind it, before any other line of the source begins, and within the item. Where the fit as a
    /// whole would still make a line worse than without (unvoiced, for review, or sped up more), that line and those
    /// beside it are begun with the source.
    ///
    /// - Parameters:
    ///   - lines: in any order; windows in seconds on the item's timeline.
    ///   - duration: how long the item is, in seconds.
    ///   - leadIn: how long the original is alone at the most, in seconds; ≥ 0.
    /// - Returns: a placement for each line, in the order given. What counts as late is told from the later beginning.
    public func place(_ lines: [FitLine], duration: Double, leadIn: Double) -> [PlacedLine] {
        let plain = place(lines, duration: duration)
        guard leadIn > 0 else { return plain }
        let order = lines.indices.filter { lines[$0].window.isSound }.sorted {
            (lines[$0].window.start, $0) < (lines[$1].window.start, $1)
        }
        var late = lines
        for (position, index) in order.enumerated() {
            let next = position + 1 < order.count ? lines[order[position + 1]].window.start : nil
            late[index] = begun(lines[index], by: leadIn, next: next, duration: duration)
        }
        for _ in 0..<4 {
            let placed = place(late, duration: duration)
            let harmed = order.indices.filter { Self.isWorse(placed[order[$0]], than: plain[order[$0]]) }
            if harmed.isEmpty { return placed }
            for position in harmed {
                for index in order[max(0, position - 1)...min(order.count - 1, position + 1)] {
                    late[index] = lines[index]
                }
            }
        }
        return plain
    }

    /// The line with the window that leaves the original alone at first.
    private func begun(_ line: FitLine, by seconds: Double, next: Double?, duration: Double) -> FitLine {
        guard line.take.duration.isFinite, line.take.duration > 0 else { return line }
        let free = next.map { $0 - limits.minGap - limits.maxEarly } ?? duration
        let end = min(free, line.window.end + seconds, duration)
        let lead = min(seconds, end - line.window.start - line.take.duration)
        guard lead > 0 else { return line }
        var line = line
        let start = line.window.start + lead
        line.window = Span(start: start, end: max(line.window.end, start + line.take.duration))
        // Lips are no measure for a voice over the original: it need not pause where the source does.
        line.speech = []
        return line
    }

    private static func isWorse(_ placed: PlacedLine, than plain: PlacedLine) -> Bool {
        switch (placed.outcome, plain.outcome) {
        case (.unvoiced, .fits), (.unvoiced, .spills), (.unvoiced, .review), (.review, .fits), (.review, .spills):
            true
        default: placed.rate > max(1, plain.rate) + 0.02
        }
    }
}
