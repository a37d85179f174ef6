internal import DubCore

/// Shares and conditions as they are written in a pipeline file.
extension Quantity {
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
}

extension Condition: CustomStringConvertible {
    /// As it is written.
    public var description: String {
        guard let text else { return "\(isNegated ? "!" : "")${\(name)}" }
        return "${\(name)} \(isNegated ? "!=" : "==") \(text.isEmpty ? "''" : text)"
    }
}
