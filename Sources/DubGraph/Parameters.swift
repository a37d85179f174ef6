internal import DubCore

/// Sets a pipeline's parameters from what a run gives, or says what does not fit.
struct ParameterBinding {
    let parameters: [Pipeline.Parameter]
    let file: String

    func bind(_ given: [String: JSONValue]) throws(DubError) -> [String: JSONValue] {
        for name in given.keys.sorted() where !parameters.contains(where: { $0.name == name }) {
            throw DubError(
                .parameterInvalid, "The pipeline has no parameter `\(name)`.", at: file,
                fix: parameters.isEmpty ? "It takes none." : hint(name, among: parameters.map(\.name)))
        }
        var bound: [String: JSONValue] = [:]
        for parameter in parameters {
            guard let value = given[parameter.name] ?? parameter.fallback else {
                throw DubError(
                    .parameterInvalid, "The pipeline needs `\(parameter.name)` (\(parameter.kind.rawValue)).", at: file,
                    fix: "Give it with the flag of that name, or with --set \(parameter.name)=VALUE.")
            }
            bound[parameter.name] = try parameter.accept(value, at: file)
        }
        return bound
    }
}

extension Pipeline.Parameter {
    /// A value as this parameter holds it: languages as canonical tags, lists without repetitions, numbers and flags
    /// read from the texts of a command line.
    ///
    /// - Parameters:
    ///   - isWritten: it stands in a file, where a number or a flag is not written as a text.
    ///   - place: where the error says it is.
    /// - Throws: `parameter.invalid`, `language.unknown`.
    func accept(_ value: JSONValue, isWritten: Bool = false, at place: String) throws(DubError) -> JSONValue {
        switch kind {
        case .text:
            switch value {
            case .string: break
            case .integer, .number, .bool:
                guard isWritten else { return try chosen(.string(value.canonical), place) }
                throw refuse(value, "a text", at: place, fix: "Put it in quotes: \"\(value.canonical)\".")
            default: throw refuse(value, "a text", at: place)
            }
            return try chosen(value, place)
        case .number:
            var number = value
            if !isWritten, let text = value.string { number = SourceText.meaning(of: text) }
            guard let amount = number.double else { throw refuse(value, "a number", at: place) }
            if let min, amount < min { throw refuse(value, "at least \(JSONValue.number(min).canonical)", at: place) }
            if let max, amount > max { throw refuse(value, "at most \(JSONValue.number(max).canonical)", at: place) }
            return try chosen(number, place)
        case .flag:
            if value.bool != nil { return value }
            if !isWritten, let flag = value.string.map(SourceText.meaning), flag.bool != nil { return flag }
            throw refuse(value, "true or false", at: place)
        case .language: return try chosen(language(value, place), place)
        case .languages:
            let elements = try elements(value, place)
            guard !elements.isEmpty else { throw refuse(value, "one or more languages, such as es,fr", at: place) }
            var tags: [JSONValue] = []
            for element in elements {
                guard element != "auto" else { throw refuse(element, "a language such as es", at: place) }
                let tag = try chosen(language(element, place), place)
                if !tags.contains(tag) { tags.append(tag) }
            }
            return .array(tags)
        case .list:
            var unique: [JSONValue] = []
            var seen: Set<JSONValue> = []
            for element in try elements(value, place) {
                guard element.string != nil || element.double != nil else {
                    throw refuse(element, "a text or a number", at: place)
                }
                let element = try chosen(element, place)
                if seen.insert(element).inserted { unique.append(element) }
            }
            return .array(unique)
        }
    }

    /// The elements of a list, or of a text with commas between; a single value is a list of one.
    private func elements(_ value: JSONValue, _ place: String) throws(DubError) -> [JSONValue] {
        switch value {
        case .array(let elements): return elements
        case .string(let text):
            return text.split(separator: ",").compactMap { part in
                let element = part.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed()
                guard !element.isEmpty else { return nil }
                return kind == .list ? SourceText.meaning(of: String(element)) : .string(String(element))
            }
        case .integer, .number: return [value]
        default: throw refuse(value, "a list", at: place)
        }
    }

    private func language(_ value: JSONValue, _ place: String) throws(DubError) -> JSONValue {
        guard let text = value.string else {
            throw refuse(value, "a language such as es", at: place, fix: "Give a language tag; in a file, in quotes.")
        }
        return text == "auto" ? value : .string(try Language(text).tag)
    }

    private func chosen(_ value: JSONValue, _ place: String) throws(DubError) -> JSONValue {
        let text = value.string ?? value.canonical
        guard !choices.isEmpty, !choices.contains(where: { ($0.string ?? $0.canonical) == text }) else { return value }
        throw refuse(
            value, "one of \(choices.map { $0.string ?? $0.canonical }.joined(separator: ", "))", at: place)
    }

    private func refuse(_ value: JSONValue, _ wanted: String, at place: String, fix: String? = nil) -> DubError {
        DubError(
            .parameterInvalid, "`\(name)` is \(value.canonical), and has to be \(wanted).", at: place,
            fix: fix ?? "Give \(wanted).")
    }
}
