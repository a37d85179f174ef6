/// A ratio of two integers, as FFmpeg's `AVRational`.
public struct Rational: Hashable, Sendable {
    /// The upper term.
    public var numerator: Int32
    /// The lower term; > 0.
    public var denominator: Int32

    /// Makes a ratio; a denominator that is not positive is our own bug.
    public init(_ numerator: Int32, _ denominator: Int32) {
        precondition(denominator > 0, "a ratio needs a positive denominator")
        self.numerator = numerator
        self.denominator = denominator
    }

    /// The value as a floating-point number.
    public var value: Double { Double(numerator) / Double(denominator) }
}

/// A point or span on a media timeline: `ticks × timebase` seconds, exact.
///
/// Mirrors FFmpeg's pts and time_base (libavutil/rational.h). `Double` seconds are for display and for arithmetic
/// that is approximate by nature. In JSON a time is a number of seconds, rounded to a microsecond.
public struct MediaTime: Hashable, Sendable {
    /// At timebase 1/48000, one tick is one sample frame (all channels).
    public var ticks: Int64
    /// Seconds per tick; both terms > 0.
    public var timebase: Rational

    /// Makes a time of `ticks` of `timebase` seconds each.
    public init(ticks: Int64, timebase: Rational) {
        self.ticks = ticks
        self.timebase = timebase
    }

    /// The time nearest to `seconds` on a grid of microseconds; beyond ±10¹² seconds it stays there, and what is no
    /// number is zero.
    public init(seconds: Double) {
        let bounded = seconds.isNaN ? 0 : min(1e12, max(-1e12, seconds))
        self.init(ticks: Int64((bounded * 1_000_000).rounded()), timebase: Rational(1, 1_000_000))
    }

    /// The start of the timeline.
    public static let zero = MediaTime(ticks: 0, timebase: Rational(1, 1_000_000))

    /// For display and approximate arithmetic.
    public var seconds: Double {
        Double(ticks) * Double(timebase.numerator) / Double(timebase.denominator)
    }

    /// The nearest whole number of samples at `rate` samples a second.
    public func samples(at rate: Int) -> Int64 {
        let wide = Int64(timebase.numerator) * Int64(rate)
        let denominator = Int64(timebase.denominator)
        let (whole, rest) = ticks.quotientAndRemainder(dividingBy: denominator)
        let partial = (Double(rest) * Double(wide) / Double(denominator)).rounded()
        return whole * wide + Int64(partial)
    }
}

extension MediaTime: Comparable {
    /// Orders by the instant, whatever the timebases.
    public static func < (left: MediaTime, right: MediaTime) -> Bool {
        guard left.timebase != right.timebase else { return left.ticks < right.ticks }
        let a = left.ticks.multipliedFullWidth(
            by: Int64(left.timebase.numerator) * Int64(right.timebase.denominator))
        let b = right.ticks.multipliedFullWidth(
            by: Int64(right.timebase.numerator) * Int64(left.timebase.denominator))
        return a.high == b.high ? a.low < b.low : a.high < b.high
    }
}

extension MediaTime: Codable {
    /// Reads a number of seconds.
    public init(from decoder: any Decoder) throws {
        let seconds = try decoder.singleValueContainer().decode(Double.self)
        guard seconds.isFinite, abs(seconds) < 1e9 else {
            throw DecodingError.dataCorrupted(
                .init(codingPath: decoder.codingPath, debugDescription: "\(seconds) is not a time in seconds"))
        }
        self.init(seconds: seconds)
    }

    /// Writes seconds, rounded to a microsecond.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode((seconds * 1_000_000).rounded() / 1_000_000)
    }
}
