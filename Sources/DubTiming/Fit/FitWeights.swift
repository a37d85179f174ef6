/// What a placement costs. Linear terms are per second, squares per second squared.
///
/// The linear terms make the ladder: up to 1.13 a change of rate costs less than 0.42 a second gained, so a take is sped
/// up that far, then spills and is sped up together, starts early, and pushes the next line last. The squares share a
/// great need among neighbours. `late.linear` must be at least `short` and at least the slope of the rate terms at the
/// slowest rate (0.54): then no line is ever late for the sake of its end.
public struct FitWeights: Hashable, Sendable, Codable {
    /// A linear and a quadratic term.
    public struct Term: Hashable, Sendable, Codable {
        /// Per second; ≥ 0.
        public var linear: Double
        /// Per second squared; ≥ 0.
        public var square: Double

        /// Makes a term.
        public init(_ linear: Double, _ square: Double) {
            self.linear = linear
            self.square = square
        }
    }

    /// Beginning after the source.
    public var late = Term(0.7, 1.5)
    /// Beginning before the source.
    public var early = Term(0.6, 2)
    /// A piece inside a line beginning before or after the source speech it was matched to.
    public var inner = Term(0.4, 0.5)
    /// Speaking on after the source has ended.
    public var spill = Term(0.42, 0.5)
    /// Falling silent before the source does, per second.
    public var short = 0.36
    /// A rate other than 1: × natural seconds × (placed/natural − 1)².
    public var rate = 1.0
    /// A rate further than `ease` from 1, beside `rate`, per second.
    public var strain = 0.18
    /// How far from 1 a rate passes unnoticed: a little under a tenth, so that what stops there stays within ±10 %.
    public var ease = 0.095
    /// Speaking while the source is silent, or the reverse, per second: decides how pieces are matched to speech.
    public var outside = 0.35
    /// Parting a take once more: keeps it whole unless that gains something.
    public var part = 0.02

    /// The defaults.
    public init() {}
}
