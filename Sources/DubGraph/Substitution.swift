internal import DubCore

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

    /// The name of a text that is one name alone.
    static func whole(_ value: JSONValue) -> String? {
        guard let pieces = value.string.map(pieces), pieces.count == 1, case .name(let name) = pieces[0] else {
            return nil
        }
        return name
    }

    /// The value with its names filled in. A text that is one name alone takes the value's own type.
    static func fill(_ value: JSONValue, from values: [String: JSONValue]) -> JSONValue {
        switch value {
        case .string(let text):
            let pieces = pieces(of: text)
            if let name = whole(value) { return values[name] ?? .null }
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
