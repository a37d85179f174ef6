/// Decides where each dubbed line goes, and how fast each piece of it is spoken.
///
/// Hard: no speech is cut, two lines overlap only where the source's did, rates and gaps keep to the limits, nothing
/// lies outside the item. Within that, onset, rate, spill and time outside the source's speech are weighed over all lines
/// together: docs/timing.md states the cost and the ladder.
public struct Fit: Sendable {
    /// What a placement must keep to.
    public var limits: FitLimits
    /// What it costs.
    public var weights: FitWeights

    /// Makes a fit.
    public init(limits: FitLimits = .init(), weights: FitWeights = .init()) {
        self.limits = limits
        self.weights = weights
    }

    /// Places all lines of an item.
    ///
    /// Deterministic. Times are exact to 10 ms where a line starts, and rates follow from the lengths on that grid.
    ///
    /// - Parameters:
    ///   - lines: in any order; windows in seconds on the item's timeline.
    ///   - duration: how long the item is, in seconds.
    /// - Returns: a placement for each line, in the order given.
    public func place(_ lines: [FitLine], duration: Double) -> [PlacedLine] {
        var solver = FitSolver(fit: self, lines: lines, duration: duration)
        return solver.solve()
    }

    /// At which rate to ask an engine for a line, so that little is left to stretch: above 1 is faster.
    ///
    /// - Returns: 1 where the take fits the source's window within ±10 %, or has no length; else what would fit, within
    ///   `limits.nativeRate`.
    public func rateHint(for line: FitLine) -> Double {
        let take = line.take.speech.isEmpty ? line.take.duration : line.take.speech.merged().total
        // Pauses are matched to pauses where the take has any; else it has the whole window to fill.
        let paused = line.take.speech.merged(closing: limits.minPause).count > 1 && !line.speech.isEmpty
        let source = paused ? line.speech.merged().total : line.window.length
        guard take > 0, source > 0, take.isFinite, source.isFinite else { return 1 }
        let needed = take / source
        guard abs(needed - 1) > 0.1 else { return 1 }
        return min(max(needed, limits.nativeRate.lowerBound), limits.nativeRate.upperBound)
    }
}
