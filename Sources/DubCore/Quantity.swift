/// Durations and sizes as people write them: on the command line, in settings, in pipeline files.
package enum Quantity {
    /// `250ms`, `90s`, `1.5h`, `30d`, `2w`: a number and a unit; `nil` for anything else. Whole milliseconds.
    package static func duration(_ text: String) -> Duration? {
        let units = [
            "ms": 0.001, "s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400, "w": 604_800,
        ]
        guard let (number, unit) = parts(text), let scale = units[unit], number * scale < 1e9 else { return nil }
        // Whole milliseconds, so that what is written is what is shown.
        return .milliseconds(Int64((number * scale * 1000).rounded()))
    }

    /// `512MiB`, `4GiB`, `2GB`, in bytes; `nil` for anything else, a number without a unit too.
    package static func size(_ text: String) -> Int64? {
        guard let (number, unit) = parts(text) else { return nil }
        let decimal = ["B", "KB", "MB", "GB", "TB"]
        let binary = ["B", "KiB", "MiB", "GiB", "TiB"]
        let bytes: Double
        if let power = decimal.firstIndex(of: unit == "kB" ? "KB" : unit) {
            bytes = (0..<power).reduce(number) { value, _ in value * 1000 }
        } else if let power = binary.firstIndex(of: unit) {
            bytes = (0..<power).reduce(number) { value, _ in value * 1024 }
        } else {
            return nil
        }
        return bytes < 1e18 ? Int64(bytes.rounded()) : nil
    }

    /// A number without sign or exponent, and what stands behind it.
    package static func parts(_ text: String) -> (number: Double, unit: String)? {
        let digits = text.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
        guard digits.first?.isNumber == true, digits.last?.isNumber == true, digits.count <= 15,
            let number = Double(String(digits))
        else { return nil }
        return (number, String(trimmed(text[digits.endIndex...])))
    }

    /// A text without the white space at its ends.
    package static func trimmed(_ text: some StringProtocol) -> Substring {
        var rest = Substring(text)
        while rest.first?.isWhitespace == true { rest = rest.dropFirst() }
        while rest.last?.isWhitespace == true { rest = rest.dropLast() }
        return rest
    }
}
