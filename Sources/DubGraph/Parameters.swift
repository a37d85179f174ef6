internal import DubCore

/// Sets a pipeline's parameters from what a run gives, or says what does not fit.
struct ParameterBinding {
    let parameters: [Pipeline.Parameter]
    let file: String

    func bind(_ given: [String: JSONValue]) throws(DubError) -> [String: JSONValue] {
        for name in given.keys.sorted() where !parameters.contains(where: { $0.name == name }) {
            let near = suggestion(for: name, among: parameters.map(\.name)).map { "Did you mean `\($0)`?" }
            throw DubError(
                .parameterInvalid, "The pipeline has no parameter `\(name)`.", at: file,
                fix: near ?? "It takes \(parameters.map(\.name).joined(separator: ", ")).")
        }
        var bound: [String: JSONValue] = [:]
        for parameter in parameters {
            guard let value = given[parameter.name] ?? parameter.fallback else {
                throw DubError(
                    .parameterInvalid, "The pipeline needs `\(parameter.name)` (\(parameter.kind.rawValue)).", at: file,
                    fix: "Give it, for example with --\(parameter.name).")
            }
            bound[parameter.name] = try check(value, for: parameter)
        }
        return bound
    }

    private func check(_ value: JSONValue, for parameter: Pipeline.Parameter) throws(DubError) -> JSONValue {
        if let text = value.string, !parameter.choices.isEmpty, !parameter.choices.contains(text) {
            throw refuse(value, parameter, "one of \(parameter.choices.joined(separator: ", "))")
        }
        switch parameter.kind {
        case .text:
            guard value.string != nil else { throw refuse(value, parameter, "a text") }
            return value
        case .number:
            guard value.double != nil else { throw refuse(value, parameter, "a number") }
            return value
        case .flag:
            guard value.bool != nil else { throw refuse(value, parameter, "true or false") }
            return value
        case .language:
            guard let text = value.string else { throw refuse(value, parameter, "a language such as es") }
            return text == "auto" ? value : .string(try Language(text).tag)
        case .list: return value
        case .languages:
            let elements = value.array ?? value.string.map { [.string($0)] } ?? []
            guard !elements.isEmpty else { throw refuse(value, parameter, "one or more languages, such as es,fr") }
            var tags: [String] = []
            for element in elements {
                guard let text = element.string else { throw refuse(element, parameter, "a language such as es") }
                let tag = try Language(text).tag
                if !tags.contains(tag) { tags.append(tag) }
            }
            return .array(tags.map { .string($0) })
        }
    }

    private func refuse(_ value: JSONValue, _ parameter: Pipeline.Parameter, _ wanted: String) -> DubError {
        DubError(
            .parameterInvalid, "`\(parameter.name)` is \(value.canonical), and has to be \(wanted).", at: file,
            fix: "Give \(wanted).")
    }
}

/// `${name}` in the settings of a stage.
enum Substitution {
    /// The names in a value's texts.
    static func names(in value: JSONValue) -> [String] {
        switch value {
        case .string(let text): pieces(of: text).compactMap { if case .name(let name) = $0 { name } else { nil } }
        case .array(let elements): elements.flatMap { names(in: $0) }
        case .object(let members): members.values.flatMap { names(in: $0) }
        default: []
        }
    }

    /// The value with its names filled in. A text that is one name alone takes the value's own type.
    static func fill(_ value: JSONValue, from values: [String: JSONValue]) -> JSONValue {
        switch value {
        case .string(let text):
            let pieces = pieces(of: text)
            if pieces.count == 1, case .name(let name) = pieces[0] { return values[name] ?? .null }
            return .string(
                pieces.map { piece in
                    switch piece {
                    case .text(let text): text
                    case .name(let name): values[name].map { $0.string ?? $0.canonical } ?? ""
                    }
                }.joined())
        case .array(let elements): return .array(elements.map { fill($0, from: values) })
        case .object(let members): return .object(members.mapValues { fill($0, from: values) })
        default: return value
        }
    }

    private enum Piece {
        case text(String)
        case name(String)
    }

    private static func pieces(of text: String) -> [Piece] {
        var pieces: [Piece] = []
        var rest = text[...]
        while let open = rest.firstIndex(of: "$") {
            let after = rest.index(after: open)
            guard after < rest.endIndex, rest[after] == "{", let close = rest[after...].firstIndex(of: "}") else {
                break
            }
            if open > rest.startIndex { pieces.append(.text(String(rest[..<open]))) }
            pieces.append(.name(String(rest[rest.index(after: after)..<close])))
            rest = rest[rest.index(after: close)...]
        }
        if !rest.isEmpty || pieces.isEmpty { pieces.append(.text(String(rest))) }
        return pieces
    }
}
