internal import DubCore
public import Foundation

/// When something is to be started, and what becomes of times that were missed or come while it still goes on.
///
/// Pure: it is told what time it is and what was started, and says what to do.
public struct Timetable: Hashable, Sendable {
    /// What becomes of times at which nobody was there to start anything.
    public enum Missed: String, Sendable, CaseIterable {
        /// They are left out.
        case skip
        /// They are made up for by a single start.
        case once
        /// Each is made up for, the oldest first; of more than `mostMadeUp` the latest.
        case all
    }

    /// What becomes of a time that comes while what was started before still goes on.
    public enum Overlap: String, Sendable, CaseIterable {
        /// It is left out.
        case skip
        /// It waits until the one before has ended. One waits at most: a second would do the same once more.
        case queue
        /// The one before is stopped for it.
        case cancelPrevious = "cancel-previous"
        /// Both go on side by side.
        case allow
    }

    /// How many missed times `all` makes up for.
    public static let mostMadeUp = 100
    /// How late a start may be without being taken for a missed one, beside the jitter: a machine may be busy.
    public static let tolerance: TimeInterval = 60

    /// When it is due.
    public var cron: CronExpression
    /// The zone whose clock counts.
    public var zone: TimeZone
    /// Seconds, ≥ 0: each start is put off by a part of it that its name and time decide, so that many timetables of
    /// one time do not begin at once.
    public var jitter: TimeInterval
    /// What becomes of times that were missed.
    public var missed: Missed
    /// What becomes of times that come too soon.
    public var overlap: Overlap

    /// Describes a timetable.
    public init(
        cron: CronExpression, zone: TimeZone = .gmt, jitter: TimeInterval = 0, missed: Missed = .once,
        overlap: Overlap = .skip
    ) {
        self.cron = cron
        self.zone = zone
        self.jitter = jitter
        self.missed = missed
        self.overlap = overlap
    }

    /// How long the start that is due at a time is put off: 0 ≤ delay < `jitter`, the same for everybody who asks.
    public func delay(of due: Date, name: String) -> TimeInterval {
        guard jitter > 0 else { return 0 }
        let digest = Digest.of(Data("\(name)\n\(Int(due.timeIntervalSince1970))".utf8))
        let number = digest.hex.prefix(13).reduce(UInt64(0)) { $0 << 4 | UInt64($1.hexDigitValue ?? 0) }
        return jitter * Double(number) / Double(UInt64(1) << 52)
    }

    /// What is to be started at a moment.
    public struct Due: Hashable, Sendable {
        /// The times that are to be started now, in order.
        public var starts: [Date] = []
        /// Times that are left out: they were missed.
        public var skipped: [Date] = []
        /// When to ask again: the moment at which the next start is to be made, its jitter counted in.
        public var next: Date?
    }

    /// Decides what is due.
    ///
    /// - Parameters:
    ///   - last: the last time that was dealt with, started or left out; what lies behind it counts.
    ///   - now: the present.
    ///   - name: what the jitter goes by.
    public func due(since last: Date, now: Date, name: String) -> Due {
        var due = Due()
        var late: [Date] = []
        var isPending = false
        var from = last
        // So many that a minute's expression that was down for a year stays cheap: what is older counts as skipped.
        if let latest = cron.previous(before: now, in: zone), missed != .all, latest > last {
            from = max(last, latest.addingTimeInterval(-Self.tolerance - jitter - 60))
        }
        while let time = cron.next(after: from, in: zone) {
            let start = time.addingTimeInterval(delay(of: time, name: name))
            guard start <= now else {
                due.next = start
                isPending = time <= now
                break
            }
            if now.timeIntervalSince(start) > Self.tolerance { late.append(time) } else { due.starts.append(time) }
            from = time
            if late.count > 2 * Self.mostMadeUp { late.removeFirst(Self.mostMadeUp) }
        }
        switch missed {
        case .skip:
            due.skipped = late
        case .once:
            // What is on time, or is due and put off by its jitter, does for the missed ones too.
            if due.starts.isEmpty, !isPending, let time = late.popLast() { due.starts = [time] }
            due.skipped = late
        case .all:
            due.skipped = Array(late.dropLast(Self.mostMadeUp))
            due.starts = late.suffix(Self.mostMadeUp) + due.starts
        }
        return due
    }

    /// What to do with a start that has come.
    public enum Turn: Hashable, Sendable {
        case start
        case skip
        case wait
        case cancelPreviousAndStart
    }

    /// Decides by what goes on already.
    public func turn(running: Int, waiting: Int) -> Turn {
        guard running + waiting > 0 else { return .start }
        switch overlap {
        case .skip: return .skip
        case .queue: return waiting > 0 ? .skip : .wait
        case .cancelPrevious: return .cancelPreviousAndStart
        case .allow: return .start
        }
    }
}
