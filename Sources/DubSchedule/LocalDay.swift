internal import Foundation

/// How the clock of a zone runs through one day of its calendar: in one stretch on most days, in two when clocks
/// change, and never at all where a day was left out.
struct LocalDay: Sendable {
    /// A part of the day.
    struct Stretch: Sendable {
        /// Minutes of the day from its midnight.
        var minutes: Range<Int>
        /// Seconds since 1970: of minute 0 where the clock runs, of the end of the gap where it jumps over them.
        var anchor: Int
        var kind: Kind
    }

    /// What the clock does meanwhile.
    enum Kind: Sendable {
        /// It shows these minutes for the first time.
        case running
        /// It shows them again, having been put back by less than three hours.
        case repeated
        /// It jumps over them, by less than three hours.
        case skipped
    }

    /// In the order of time.
    let stretches: [Stretch]

    /// Seconds.
    private static let mostMadeUpFor = 3 * 3600

    /// - Parameter number: days since 1 January 1970.
    init(_ number: Int, in zone: TimeZone) {
        let midnight = number * 86_400
        // Zones are at most 15:56 away from UTC (Manila before 1844); three hours more may reach into the day.
        let (from, to) = (midnight - 19 * 3600, midnight + 86_400 + 19 * 3600)
        var found: [Stretch] = []
        var offset = Self.offset(at: from, zone)
        var start = from
        var repeatedUntil = Int.min
        func minute(_ local: Int) -> Int { min(max(-(midnight - local).floored(by: 60), 0), 1440) }
        func add(_ local: Range<Int>, _ kind: Kind, _ anchor: Int) {
            let minutes = minute(local.lowerBound)..<minute(local.upperBound)
            if !minutes.isEmpty { found.append(Stretch(minutes: minutes, anchor: anchor, kind: kind)) }
        }
        while start < to {
            let end = Self.change(after: start, before: to, from: offset, zone) ?? to
            let (first, last) = (start + offset, end + offset)
            let split = min(max(first, repeatedUntil), last)
            add(first..<split, .repeated, midnight - offset)
            add(split..<last, .running, midnight - offset)
            guard end < to else { break }
            let next = Self.offset(at: end, zone)
            repeatedUntil = max(repeatedUntil, last)
            if next < offset, offset - next >= Self.mostMadeUpFor { repeatedUntil = Int.min }
            if next > offset, next - offset < Self.mostMadeUpFor, last >= repeatedUntil {
                add(last..<end + next, .skipped, end)
            }
            (start, offset) = (end, next)
        }
        stretches = found
    }

    private static func offset(at seconds: Int, _ zone: TimeZone) -> Int {
        zone.secondsFromGMT(for: Date(timeIntervalSince1970: Double(seconds)))
    }

    /// The first second with another offset. Foundation tells changes of daylight saving alone, and not those where a
    /// country takes another zone, so it is looked for: no zone changes twice within six hours.
    private static func change(after start: Int, before end: Int, from offset: Int, _ zone: TimeZone) -> Int? {
        var low = start
        while low < end {
            var high = min(low + 6 * 3600, end)
            guard Self.offset(at: high, zone) == offset else {
                while high - low > 1 {
                    let middle = (low + high) / 2
                    if Self.offset(at: middle, zone) == offset { low = middle } else { high = middle }
                }
                return high < end ? high : nil
            }
            low = high
        }
        return nil
    }
}
