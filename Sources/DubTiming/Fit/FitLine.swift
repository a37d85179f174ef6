/// A voiced line as the engine gave it, before it is placed.
public struct Take: Hashable, Sendable, Codable {
    /// The natural duration in seconds, at rate 1.
    public var duration: Double
    /// Where speech lies in the take, in seconds from its start; in order, apart by pauses. Empty where nobody has
    /// looked: the whole take counts as speech.
    public var speech: [Span]

    /// Makes a take.
    public init(duration: Double, speech: [Span] = []) {
        self.duration = duration
        self.speech = speech
    }
}

/// A line to be placed: where the source says it, and what is to be heard instead.
public struct FitLine: Hashable, Sendable, Codable {
    /// Where the source says it, in seconds on the item's timeline.
    public var window: Span
    /// Where the source speaks in that window, in seconds on the item's timeline; empty stands for all of it.
    public var speech: [Span]
    /// Who speaks. Two lines of one speaker never overlap, whatever their windows do.
    public var speaker: String?
    /// What is to be placed.
    public var take: Take

    /// Makes a line.
    public init(window: Span, speech: [Span] = [], speaker: String? = nil, take: Take) {
        self.window = window
        self.speech = speech
        self.speaker = speaker
        self.take = take
    }
}

/// What a placement must keep to.
public struct FitLimits: Hashable, Sendable, Codable {
    /// How much a take may be slowed (below 1) or sped up (above 1).
    public var rate: ClosedRange<Double> = 0.85...1.25
    /// The least silence between two lines, in seconds; ≥ 0.
    public var minGap = 0.06
    /// How much earlier than the source a line may begin, in seconds; ≥ 0.
    public var maxEarly = 0.15
    /// The same for lines that would else pass the end of the item, in seconds; ≥ `maxEarly`.
    public var maxEarlyAtEnd = 0.3
    /// From how much spill past the source's end a line is for review, in seconds.
    public var maxSpill = 1.0
    /// From how late an onset a line is for review, in seconds.
    public var maxLate = 0.3
    /// The shortest silence in a take at which it may be parted, in seconds.
    public var minPause = 0.15
    /// The longest a pause of a take may become where the source has none, in seconds.
    public var maxPause = 0.8
    /// Which rates an engine may be asked to speak at, see `Fit.rateHint(for:)`.
    public var nativeRate: ClosedRange<Double> = 0.8...1.4

    /// The defaults.
    public init() {}
}

/// A stretch of a take and where it is heard.
public struct PlacedPiece: Hashable, Sendable, Codable {
    /// Where it begins in the take, in seconds at rate 1.
    public var takeStart: Double
    /// Where it ends in the take, in seconds at rate 1; > `takeStart`.
    public var takeEnd: Double
    /// Where it begins on the item's timeline, in seconds.
    public var start: Double
    /// How much faster than natural it is spoken, with the pitch kept: above 1 is faster.
    public var rate: Double

    /// Makes a piece.
    public init(takeStart: Double, takeEnd: Double, start: Double, rate: Double) {
        self.takeStart = takeStart
        self.takeEnd = takeEnd
        self.start = start
        self.rate = rate
    }

    /// Where it ends on the item's timeline, in seconds.
    public var end: Double { start + (takeEnd - takeStart) / rate }
}

/// How a line came out.
public enum FitOutcome: Hashable, Sendable, Codable {
    /// It speaks while the source speaks, within the limits.
    case fits
    /// It goes on after the source has ended, in silence, by so many seconds.
    case spills(by: Double)
    /// It is voiced in full and someone should look at it, for this reason.
    case review(String)
    /// It cannot be voiced within the limits, for this reason: it has no pieces.
    case unvoiced(String)
}

/// Where a line goes.
public struct PlacedLine: Hashable, Sendable, Codable {
    /// The stretches of the take, in order; together they hold all of its speech. Empty where `unvoiced`.
    public var pieces: [PlacedPiece]
    /// How it came out.
    public var outcome: FitOutcome

    /// Makes a placement.
    public init(pieces: [PlacedPiece], outcome: FitOutcome) {
        self.pieces = pieces
        self.outcome = outcome
    }

    /// From the first piece's start to the last piece's end, in seconds on the item's timeline; `nil` where unvoiced.
    public var span: Span? {
        guard let first = pieces.first, let last = pieces.last else { return nil }
        return Span(start: first.start, end: last.end)
    }

    /// The rate of all pieces together: above 1 is faster than natural; 1 where unvoiced.
    public var rate: Double {
        let natural = pieces.reduce(0) { $0 + $1.takeEnd - $1.takeStart }
        let placed = pieces.reduce(0) { $0 + $1.end - $1.start }
        return placed > 0 ? natural / placed : 1
    }
}
