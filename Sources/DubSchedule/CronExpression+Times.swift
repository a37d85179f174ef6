public import Foundation

extension CronExpression {
    /// The first time after a moment, on a whole minute of the zone's clock; `nil` past the year 9999.
    public func next(after moment: Date, in zone: TimeZone) -> Date? {
        guard let after = Self.second(moment, .down), let start = Self.day(after, zone) else { return nil }
        // A day whose end is repeated in the next, or whose gap ends there, reaches into it; so the one before is
        // looked at too, and the one behind the day that has something.
        return search(from: start - 1, through: Self.lastDay, by: 1, in: zone) { stretch in
            switch stretch.kind {
            case .skipped:
                return stretch.anchor > after && firstMinute(in: stretch.minutes) != nil ? stretch.anchor : nil
            case .running, .repeated:
                let from = max(stretch.minutes.lowerBound, min((after - stretch.anchor).floored(by: 60) + 1, 1440))
                guard from < stretch.minutes.upperBound else { return nil }
                return firstMinute(in: from..<stretch.minutes.upperBound).map { stretch.anchor + 60 * $0 }
            }
        }
    }

    /// The last time before a moment, on a whole minute of the zone's clock; `nil` before the year 1.
    public func previous(before moment: Date, in zone: TimeZone) -> Date? {
        guard let before = Self.second(moment, .up), let start = Self.day(before, zone) else { return nil }
        return search(from: start + 1, through: Self.firstDay, by: -1, in: zone) { stretch in
            switch stretch.kind {
            case .skipped:
                return stretch.anchor < before && firstMinute(in: stretch.minutes) != nil ? stretch.anchor : nil
            case .running, .repeated:
                let to = min(stretch.minutes.upperBound, max(-(stretch.anchor - before).floored(by: 60), 0))
                guard to > stretch.minutes.lowerBound else { return nil }
                return lastMinute(in: stretch.minutes.lowerBound..<to).map { stretch.anchor + 60 * $0 }
            }
        }
    }

    /// The next times after a moment, at most `count`.
    public func times(_ count: Int, after moment: Date, in zone: TimeZone) -> [Date] {
        var found: [Date] = []
        var last = moment
        while found.count < count, let next = next(after: last, in: zone) {
            found.append(next)
            last = next
        }
        return found
    }

    /// Goes through the days that match, in one direction, to the nearest time.
    private func search(
        from start: Int, through end: Int, by step: Int, in zone: TimeZone, nearest: (LocalDay.Stretch) -> Int?
    ) -> Date? {
        var date = CivilDate(number: start)
        var best: Int?
        while step > 0 ? date.number <= end : date.number >= end {
            guard months.contains(date.month) else {
                if best != nil { break }
                date = step > 0 ? date.nextMonth : date.lastMonth
                continue
            }
            let isLast = best != nil
            if matches(date) {
                for stretch in LocalDay(date.number, in: zone).stretches {
                    if isWild ? stretch.kind == .skipped : stretch.kind == .repeated { continue }
                    guard let found = nearest(stretch) else { continue }
                    best = best.map { step > 0 ? min($0, found) : max($0, found) } ?? found
                }
            }
            if isLast { break }
            date = CivilDate(number: date.number + step)
        }
        return best.map { Date(timeIntervalSince1970: Double($0)) }
    }

    /// 1 January of the year 1 and 31 December 9999, in days since 1970.
    private static let (firstDay, lastDay) = (-719_162, 2_932_896)

    private static func second(_ moment: Date, _ rule: FloatingPointRoundingRule) -> Int? {
        let seconds = moment.timeIntervalSince1970.rounded(rule)
        return abs(seconds) < 1e12 ? Int(seconds) : nil
    }

    private static func day(_ second: Int, _ zone: TimeZone) -> Int? {
        let local = second + zone.secondsFromGMT(for: Date(timeIntervalSince1970: Double(second)))
        return min(max(local.floored(by: 86_400), firstDay), lastDay)
    }
}
