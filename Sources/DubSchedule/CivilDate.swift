/// A day of the Gregorian calendar, which is taken to hold for all times.
///
/// Source of the arithmetic: Howard Hinnant, “chrono-compatible low-level date algorithms”, 2013.
struct CivilDate: Hashable, Sendable {
    let year: Int
    /// 1…12.
    let month: Int
    /// 1…31.
    let day: Int
    /// Days since 1 January 1970.
    let number: Int

    /// 0 is Sunday.
    var weekday: Int { ((number + 4) % 7 + 7) % 7 }

    /// The first day of the next month.
    var nextMonth: CivilDate {
        CivilDate(number: number - day + 1 + length)
    }

    /// The last day of the month before.
    var lastMonth: CivilDate {
        CivilDate(number: number - day)
    }

    /// Days in its month.
    private var length: Int {
        let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
        return month == 2 && !isLeap ? 28 : Self.longest(month)
    }

    /// Days that a month has at most.
    static func longest(_ month: Int) -> Int {
        [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1]
    }

    init(number: Int) {
        self.number = number
        let shifted = number + 719_468
        let era = shifted.floored(by: 146_097)
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    }
}

extension Int {
    /// The quotient, rounded down; `divisor` > 0.
    func floored(by divisor: Int) -> Int {
        let quotient = self / divisor
        return self % divisor < 0 ? quotient - 1 : quotient
    }
}
