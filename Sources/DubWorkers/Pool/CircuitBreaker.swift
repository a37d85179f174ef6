/// Whether an endpoint is asked for work. Pure: it is told what time it is.
///
/// It opens after so many failures in a row: then nothing is sent. When its pause is over one probe is let through
/// (half-open); that closes it, or opens it for twice as long.
///
/// Source: M. Nygard, “Release It!”, 2nd edition, chapter 5.
struct CircuitBreaker {
    enum State: Equatable {
        case closed
        case open
        case halfOpen
    }

    /// Failures in a row that open it; ≥ 1.
    var threshold: Int
    /// The first pause.
    var pause: Duration
    /// The longest.
    var longest: Duration
    private(set) var failures = 0
    private var openings = 0
    private(set) var opensAgainAt: ContinuousClock.Instant?

    init(threshold: Int, pause: Duration, longest: Duration) {
        (self.threshold, self.pause, self.longest) = (threshold, pause, longest)
    }

    func state(at now: ContinuousClock.Instant) -> State {
        guard let opensAgainAt else { return .closed }
        return now < opensAgainAt ? .open : .halfOpen
    }

    /// Notes that a probe went well: work is let through, and the next failure opens it again for longer.
    mutating func probed() {
        if opensAgainAt != nil { failures = threshold - 1 }
        opensAgainAt = nil
    }

    /// Notes that work was done.
    mutating func succeeded() {
        (failures, openings, opensAgainAt) = (0, 0, nil)
    }

    /// Notes a failure; one that will not pass by itself opens it at once, for the longest pause.
    mutating func failed(at now: ContinuousClock.Instant, isLasting: Bool = false) {
        failures += 1
        if isLasting {
            opensAgainAt = now + longest
        } else if opensAgainAt != nil || failures >= threshold {
            opensAgainAt = now + min(longest, pause * (1 << min(openings, 10)))
            openings += 1
        }
    }
}
