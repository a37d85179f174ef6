internal import DubCore

/// The values that a field of a cron expression matches.
struct FieldSet: Hashable, Sendable {
    private var bits: UInt64 = 0
    /// Whether the field begins with `*`, which counts for the rules of days and of clock changes; `*/2` does too.
    let isStarred: Bool

    func contains(_ value: Int) -> Bool { bits & (1 << UInt64(value)) != 0 }

    /// The least value in a range within 0…63.
    func first(in range: Range<Int>) -> Int? {
        let found = (bits >> UInt64(range.lowerBound)).trailingZeroBitCount + range.lowerBound
        return range.contains(found) ? found : nil
    }

    /// The greatest value in a range within 0…63.
    func last(in range: Range<Int>) -> Int? {
        guard !range.isEmpty else { return nil }
        let found = 63 - (bits << UInt64(64 - range.upperBound)).leadingZeroBitCount - (64 - range.upperBound)
        return range.contains(found) ? found : nil
    }

    /// Reads a field.
    init(_ text: String, _ kind: FieldKind) throws(FieldFault) {
        isStarred = text.hasPrefix("*")
        for item in text.split(separator: ",", omittingEmptySubsequences: false) {
            guard !item.isEmpty else {
                throw kind.fault("`\(text)` has an empty place in its list.", "Take out a comma.")
            }
            try insert(String(item), kind)
        }
        if kind.position == 5, contains(7) { bits = (bits | 1) & 0x7F }
    }

    private mutating func insert(_ item: String, _ kind: FieldKind) throws(FieldFault) {
        let parts = item.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        let bounds = parts[0].split(separator: "-", omittingEmptySubsequences: false).map(String.init)
        guard parts.count <= 2, bounds.count <= 2 else {
            throw kind.fault(
                "`\(item)` is no \(kind.name).",
                "Write `*`, a number, `a-b`, or one of the last two steps: `*/n`, `a-b/n`.")
        }
        let lowest: Int
        let highest: Int
        if parts[0] == "*" {
            (lowest, highest) = (kind.range.lowerBound, kind.range.upperBound)
        } else if bounds.count == 1 {
            lowest = try kind.value(bounds[0], in: item)
            highest = lowest
        } else {
            lowest = try kind.value(bounds[0], in: item)
            let end = try kind.value(bounds[1], in: item)
            // `fri-sun`: Sunday is the end of a week as well as its beginning.
            highest = kind.position == 5 && end == 0 && lowest > 0 ? 7 : end
        }
        guard lowest <= highest else {
            throw kind.fault(
                "`\(item)` runs backwards.",
                "Write two ranges: `\(bounds[0])-\(kind.range.upperBound),\(kind.range.lowerBound)-\(bounds[1])`.")
        }
        var step = 1
        if parts.count == 2 {
            guard parts[0] == "*" || bounds.count == 2 else {
                throw kind.fault(
                    "`\(item)` steps from a single value.", "Write `\(bounds[0])-\(kind.range.upperBound)/\(parts[1])`."
                )
            }
            guard let number = kind.number(parts[1]), number > 0 else {
                throw kind.fault("The step of `\(item)` is no whole number of 1 or more.", "Write `\(parts[0])/2`.")
            }
            guard number <= kind.range.upperBound else {
                throw kind.fault(
                    "The step of `\(item)` is greater than the field, so that it never comes about.",
                    "Steps begin anew with every \(kind.whole); give one of at most \(kind.range.upperBound).")
            }
            step = number
        }
        for value in stride(from: lowest, through: highest, by: step) { bits |= 1 << UInt64(value) }
    }
}

/// One of the five fields: its name, place and values.
struct FieldKind: Sendable {
    let name: String
    /// From 1.
    let position: Int
    let range: ClosedRange<Int>
    /// What a step begins anew with.
    let whole: String
    /// What the values may be called, the first being `range.lowerBound`.
    var names: [String] = []

    static let all = [
        FieldKind(name: "minute", position: 1, range: 0...59, whole: "hour"),
        FieldKind(name: "hour", position: 2, range: 0...23, whole: "day"),
        FieldKind(name: "day of the month", position: 3, range: 1...31, whole: "month"),
        FieldKind(
            name: "month", position: 4, range: 1...12, whole: "year",
            names: ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]),
        FieldKind(
            name: "weekday", position: 5, range: 0...7, whole: "week",
            names: ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]),
    ]

    /// A number of at most four digits, without a sign.
    func number(_ text: String) -> Int? {
        text.allSatisfy { $0.isASCII && $0.isNumber } && text.count <= 4 ? Int(text) : nil
    }

    func value(_ text: String, in item: String) throws(FieldFault) -> Int {
        if let index = names.firstIndex(of: text.lowercased()) { return range.lowerBound + index }
        let named = names.isEmpty ? "" : " or \(names[0])–\(names[names.count - 1])"
        let fix = "Use \(range.lowerBound)–\(range.upperBound)\(named)."
        guard let number = number(text) else {
            let of = text == item ? "" : " of `\(item)`"
            throw fault(text.isEmpty ? "`\(item)` lacks a value." : "`\(text)`\(of) is no \(name).", fix)
        }
        guard range.contains(number) else {
            throw fault("`\(text)` is outside \(range.lowerBound)–\(range.upperBound), the range of a \(name).", fix)
        }
        return number
    }

    func fault(_ what: String, _ fix: String) -> FieldFault {
        FieldFault(what: what, place: "field \(position) (\(name))", fix: fix)
    }
}

/// What is wrong with one field.
struct FieldFault: Error {
    var what: String
    var place: String
    var fix: String
}
