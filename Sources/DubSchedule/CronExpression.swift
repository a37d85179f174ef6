public import DubCore

/// When something is to run, in the five fields of cron: minute, hour, day of the month, month, weekday.
///
/// A field is a list of `*`, numbers and ranges, the latter and `*` with a step: `*/15`, `8-18/2`, `1,15`. Months and
/// weekdays may be named by three letters in any case; Sunday is 0 and 7. `@hourly`, `@daily`, `@midnight`,
/// `@weekly`, `@monthly`, `@yearly` and `@annually` stand for five fields.
///
/// The rules are those of Vixie cron (ISC cron 4.1, entry.c and cron.c), which most systems ship:
/// - **Days.** Where both the day of the month and the weekday are restricted, either is enough: `0 0 13 * fri` is
///   every 13th and every Friday. Where one of them begins with `*`, both have to match: `0 0 */2 * mon` is Mondays
///   with an odd date.
/// - **Clocks that are put forward** by less than 3 hours: a time that is skipped runs once, at the first moment after
///   the gap. Several skipped times run once together.
/// - **Clocks that are put back** by less than 3 hours: a time that comes twice runs the first time alone.
/// - Both hold for expressions whose minute and hour are fixed. Where one of the two begins with `*`, it runs by real
///   time: not in the gap, and in both of the repeated hours. Greater changes of the clock count for nobody: what is
///   skipped is not made up for, what is repeated runs again.
///
/// Stricter than Vixie cron: an expression that never matches, and a step greater than its field, are refused.
public struct CronExpression: Hashable, Sendable, CustomStringConvertible {
    /// What was written, white space at the ends aside.
    public let text: String
    let minutes: FieldSet
    let hours: FieldSet
    let days: FieldSet
    let months: FieldSet
    /// 0 is Sunday, 6 Saturday; 7 is folded into 0.
    let weekdays: FieldSet

    /// What was written.
    public var description: String { text }

    /// Reads an expression.
    ///
    /// - Throws: `schedule.invalid` with every bad field and its place, or where nothing ever matches.
    public init(_ text: String) throws(DubError) {
        let written = Quantity.trimmed(text)
        self.text = String(written)
        var fields = written.split(whereSeparator: \.isWhitespace).map(String.init)
        if let name = fields.first, name.hasPrefix("@") {
            guard fields.count == 1, let known = Self.names[name.lowercased()] else {
                throw Self.invalid(
                    "`\(written)` is no name of a schedule.", at: self.text,
                    fix: "Use one of \(Self.names.keys.sorted().joined(separator: ", ")), or five fields.")
            }
            fields = known.split(separator: " ").map(String.init)
        }
        guard fields.count == FieldKind.all.count else {
            let hint = fields.count == 6 ? " Seconds, or a user as in /etc/crontab, are not part of it." : ""
            throw Self.invalid(
                "There \(fields.count == 1 ? "is 1 field" : "are \(fields.count) fields"), not 5.\(hint)",
                at: self.text,
                fix: "Write minute, hour, day of the month, month and weekday, as in `30 2 * * mon-fri`.")
        }
        var sets: [FieldSet] = []
        var faults: [FieldFault] = []
        for (kind, field) in zip(FieldKind.all, fields) {
            do throws(FieldFault) {
                sets.append(try FieldSet(field, kind))
            } catch {
                faults.append(error)
            }
        }
        guard faults.isEmpty, sets.count == 5 else {
            throw Self.invalid(
                faults.map(\.what).joined(separator: " "),
                at: "\(self.text): \(faults.map(\.place).joined(separator: ", "))",
                fix: faults.map(\.fix).joined(separator: " "))
        }
        (minutes, hours, days, months, weekdays) = (sets[0], sets[1], sets[2], sets[3], sets[4])
        // Every date falls on every weekday within 400 years, so the days of the months alone can rule all out.
        let isPossible = (1...12).contains { month in
            months.contains(month) && (days.first(in: 1..<CivilDate.longest(month) + 1) != nil)
        }
        guard isPossible || isEitherDay else {
            throw Self.invalid(
                "It never matches: no month in `\(fields[3])` has a day in `\(fields[2])`.",
                at: "\(self.text): field 3 (day of the month), field 4 (month)",
                fix: "Name a day that the month has; `28-31` is every day from the 28th on.")
        }
    }

    private static let names = [
        "@hourly": "0 * * * *", "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@weekly": "0 0 * * 0",
        "@monthly": "0 0 1 * *", "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *",
    ]

    /// Whether a matching day of the month or a matching weekday alone is enough.
    private var isEitherDay: Bool { !days.isStarred && !weekdays.isStarred }

    /// Whether it runs by real time when clocks change.
    var isWild: Bool { minutes.isStarred || hours.isStarred }

    /// Whether it may run on a day.
    func matches(_ date: CivilDate) -> Bool {
        guard months.contains(date.month) else { return false }
        let (day, weekday) = (days.contains(date.day), weekdays.contains(date.weekday))
        return isEitherDay ? day || weekday : day && weekday
    }

    /// The first matching minute of a day, counted from its midnight.
    func firstMinute(in range: Range<Int>) -> Int? {
        guard !range.isEmpty else { return nil }
        var from = range.lowerBound
        while let hour = hours.first(in: from / 60..<24) {
            if hour > from / 60 { from = hour * 60 }
            if let minute = minutes.first(in: from % 60..<60) {
                let found = hour * 60 + minute
                return found < range.upperBound ? found : nil
            }
            from = (hour + 1) * 60
        }
        return nil
    }

    /// The last matching minute of a day, counted from its midnight.
    func lastMinute(in range: Range<Int>) -> Int? {
        guard !range.isEmpty else { return nil }
        var to = range.upperBound - 1
        while to >= 0, let hour = hours.last(in: 0..<to / 60 + 1) {
            if hour < to / 60 { to = hour * 60 + 59 }
            if let minute = minutes.last(in: 0..<to % 60 + 1) {
                let found = hour * 60 + minute
                return found >= range.lowerBound ? found : nil
            }
            to = hour * 60 - 1
        }
        return nil
    }

    private static func invalid(_ what: String, at place: String, fix: String) -> DubError {
        DubError(.scheduleInvalid, what, at: place, fix: fix)
    }
}

extension DubError.Code {
    /// A cron expression, a time zone or a timetable is malformed, or never comes to pass.
    public static let scheduleInvalid = Self(name: "schedule.invalid")
}
