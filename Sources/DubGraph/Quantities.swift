internal import DubCore

/// Durations, sizes, shares and conditions as they are written in a pipeline file.
enum Quantity {
    /// `250ms`, `90s`, `1.5h`: a number and a unit; `nil` for anything else.
    static func duration(_ text: String) -> Duration? {
        guard let (number, unit) = parts(text) else { return nil }
        let seconds: Double
        switch unit {
        case "ms": seconds = number / 1000
        case "s": seconds = number
        case "m", "min": seconds = number * 60
        case "h": seconds = number * 3600
        default: return nil
        }
        // Whole milliseconds, so that what is written is what is shown.
        guard seconds < 1e9 else { return nil }
        return .milliseconds(Int64((seconds * 1000).rounded()))
    }

    /// `512MiB`, `4GiB`, `2GB`, in bytes; `nil` for anything else.
    static func size(_ text: String) -> Int64? {
        guard let (number, unit) = parts(text) else { return nil }
        let units = ["": ["", "K", "M", "G", "T"].map { $0 + "B" }, "i": ["K", "M", "G", "T"].map { $0 + "iB" }]
        let bytes: Double
        if let power = units[""]?.firstIndex(of: unit == "kB" ? "KB" : unit) {
            bytes = (0..<power).reduce(number) { value, _ in value * 1000 }
        } else if let power = units["i"]?.firstIndex(of: unit) {
            bytes = (0...power).reduce(number) { value, _ in value * 1024 }
        } else {
            return nil
        }
        return bytes < 1e18 ? Int64(bytes.rounded()) : nil
    }

    /// `3` or `5%`; `nil` for anything else. None at all is `0`.
    static func tolerance(_ text: String) -> Tolerance? {
        if text.hasSuffix("%") {
            guard let (percent, unit) = parts(text), unit == "%", percent > 0, percent <= 100 else { return nil }
            return .share(percent / 100)
        }
        guard case .integer(let count) = SourceText.meaning(of: text), 0...1_000_000 ~= count else { return nil }
        return count == 0 ? Tolerance.none : .count(Int(count))
    }

    /// `${flag}`, `!${flag}`, `${name} == text` or `${name} != text`; a text may be quoted. `nil` for anything else.
    static func condition(_ text: String) -> Condition? {
        var rest = trimmed(text)
        let isNegated = rest.first == "!"
        if isNegated { rest = rest.dropFirst() }
        guard rest.hasPrefix("${"), let close = rest.firstIndex(of: "}") else { return nil }
        let name = String(rest[rest.index(rest.startIndex, offsetBy: 2)..<close])
        guard PipelineReader.isName(name) else { return nil }
        rest = trimmed(rest[rest.index(after: close)...])
        if rest.isEmpty { return Condition(name: name, isNegated: isNegated) }
        guard !isNegated, rest.hasPrefix("==") || rest.hasPrefix("!=") else { return nil }
        var compared = trimmed(rest.dropFirst(2))
        guard !compared.isEmpty, !compared.contains("${") else { return nil }
        if let quote = compared.first, quote == "'" || quote == "\"", compared.count >= 2, compared.last == quote {
            compared = compared.dropFirst().dropLast()
        }
        return Condition(name: name, text: String(compared), isNegated: rest.hasPrefix("!="))
    }

    /// A number without sign or exponent, and what stands behind it.
    private static func parts(_ text: String) -> (number: Double, unit: String)? {
        let digits = text.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
        guard digits.first?.isNumber == true, digits.last?.isNumber == true, digits.count <= 15,
            let number = Double(String(digits))
        else { return nil }
        return (number, String(trimmed(text[digits.endIndex...])))
    }

    private static func trimmed(_ text: some StringProtocol) -> Substring {
        var rest = Substring(text)
        while rest.first?.isWhitespace == true { rest = rest.dropFirst() }
        while rest.last?.isWhitespace == true { rest = rest.dropLast() }
        return rest
    }
}

extension Condition: CustomStringConvertible {
    /// As it is written.
    public var description: String {
        guard let text else { return "\(isNegated ? "!" : "")${\(name)}" }
        return "${\(name)} \(isNegated ? "!=" : "==") \(text.isEmpty ? "''" : text)"
    }
}
