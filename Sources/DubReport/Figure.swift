internal import Foundation

/// Numbers as people read them; the same in every locale.
enum Figure {
    /// With so many digits after the point.
    static func decimal(_ value: Double, _ digits: Int) -> String {
        guard value.isFinite else { return "–" }
        let text = String(format: "%.\(digits)f", value)
        guard digits == 1, text.hasSuffix(".0") else { return text }
        return String(text.dropLast(2))
    }

    /// `0.42 s`, `12.3 s`, `3 min 20 s`, `1 h 02 min`.
    static func time(_ seconds: Double) -> String {
        let seconds = max(0, seconds)
        if seconds < 9.995 { return String(format: "%.2f s", seconds) }
        if seconds < 59.95 { return String(format: "%.1f s", seconds) }
        let whole = Int(min(seconds, 1e12).rounded())
        if whole < 3600 { return String(format: "%d min %02d s", whole / 60, whole % 60) }
        return String(format: "%d h %02d min", whole / 3600, whole / 60 % 60)
    }

    /// `12 %`, `< 1 %`.
    static func share(_ fraction: Double) -> String {
        if fraction > 0, fraction < 0.01 { return "< 1 %" }
        return "\(Int((fraction.isFinite ? fraction * 100 : 0).rounded())) %"
    }

    /// `1 node`, `3 nodes`.
    static func count(_ number: Int, _ one: String, _ many: String? = nil) -> String {
        "\(number) " + (number == 1 ? one : many ?? one + "s")
    }

    /// `2026-11-25 10:12:03 UTC`.
    static func instant(_ date: Date) -> String {
        let text = date.formatted(.iso8601)
        return text.replacing("T", with: " ").replacing("Z", with: " UTC")
    }
}

extension Array<Double> {
    /// The middle one, or the mean of the two in the middle; `nil` of none.
    var median: Double? {
        guard !isEmpty else { return nil }
        let sorted = sorted()
        let middle = count / 2
        return count.isMultiple(of: 2) ? (sorted[middle - 1] + sorted[middle]) / 2 : sorted[middle]
    }
}
