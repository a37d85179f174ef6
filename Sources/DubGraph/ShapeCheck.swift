internal import DubCore

/// Checks a file against the tables of `PipelineFields`: every fault of form, where it stands.
struct ShapeCheck {
    private(set) var faults: [Fault] = []

    /// Checks what stands under `name`.
    mutating func check(_ node: SourceNode, _ shape: PipelineFields.Shape, _ name: String) {
        switch shape {
        case .value: break
        case .fields(let fields): checkFields(node, fields, name)
        case .named(let kind, let inner):
            for member in mapping(node, name) ?? [] {
                guard PipelineReader.isName(member.key) else {
                    fault(member.keyPlace, "`\(member.key)` is no name.", "Use letters, digits, - and _; at most 64.")
                    continue
                }
                check(member.value, inner, "\(kind) `\(member.key)`")
            }
        case .list(let inner):
            guard let elements = node.elements else {
                fault(node.place, "\(name) has to be a list.", "Write `[a, b]` or lines that begin with `-`.")
                return
            }
            for element in elements { check(element, inner, "an element of \(name)") }
        case .some(let inner):
            guard let elements = node.elements else { return check(node, inner, name) }
            for element in elements { check(element, inner, "an element of \(name)") }
        case .bracketed(let inner):
            guard let elements = node.elements else { return check(node, inner, name) }
            guard elements.count == 1 else {
                return fault(node.place, "\(name) has \(elements.count) types.", "Write one, as `[png]`.")
            }
            check(elements[0], inner, name)
        case .either(let single, let fields):
            if node.members != nil { checkFields(node, fields, name) } else { check(node, single, name) }
        case .text, .name, .flag, .number, .whole, .duration, .size, .choice, .reference, .condition, .tolerance, .code,
            .fileType:
            checkScalar(node, shape, name)
        }
    }

    private mutating func mapping(_ node: SourceNode, _ name: String) -> [SourceNode.Member]? {
        if node.members == nil {
            fault(
                node.place, "\(name) \(node.isNull ? "is empty" : "has to be a mapping").",
                "Write `key: value` lines under it.")
        }
        return node.members
    }

    private mutating func checkFields(_ node: SourceNode, _ fields: [PipelineFields.Field], _ name: String) {
        for member in mapping(node, name) ?? [] {
            guard let field = fields.first(where: { $0.name == member.key }) else {
                let near = suggestion(for: member.key, among: fields.map(\.name)).map { "Did you mean `\($0)`?" }
                fault(
                    member.keyPlace, "\(name) has no `\(member.key)`.",
                    near ?? "It takes \(fields.map(\.name).joined(separator: ", ")).")
                continue
            }
            check(member.value, field.shape, "`\(field.name)`")
        }
    }

    private mutating func checkScalar(_ node: SourceNode, _ shape: PipelineFields.Shape, _ name: String) {
        guard case .scalar(let text, let meaning) = node.value, meaning != .null else {
            return fault(
                node.place, "\(name) \(node.isNull ? "is empty" : "has to be a single value").", Self.remedy(shape))
        }
        if let (kind, word, choices) = Self.choice(text, shape), !choices.contains(word) {
            let near = suggestion(for: word, among: choices).map { "Did you mean `\($0)`?" }
            return fault(
                node.place, "`\(word)` is no \(kind).", near ?? "Use one of \(choices.joined(separator: ", ")).")
        }
        guard !Self.fits(text, meaning, shape) else { return }
        switch shape {
        case .reference: fault(node.place, "`\(text)` refers to nothing.", Self.remedy(shape))
        case .whole(1...1): fault(node.place, "\(name) has to be 1.", "Write `version: 1`.")
        default: fault(node.place, "\(name) cannot be `\(text)`.", Self.remedy(shape))
        }
    }

    /// The word of a text that has to be one of several, and those; `nil` where any will do.
    private static func choice(
        _ text: String, _ shape: PipelineFields.Shape
    ) -> (kind: String, word: String, choices: [String])? {
        switch shape {
        case .choice(let kind, let choices): (kind, text, choices)
        case .code: ("kind of error of a node", String(text.prefix { $0 != "." }), RetryPolicy.families)
        default: nil
        }
    }

    private static func fits(_ text: String, _ meaning: JSONValue, _ shape: PipelineFields.Shape) -> Bool {
        switch shape {
        case .name: return PipelineReader.isName(text)
        case .flag: return meaning.bool != nil
        case .number: return meaning.double != nil
        case .whole(let range):
            guard case .integer(let value) = meaning else { return false }
            return Int(exactly: value).map(range.contains) ?? false
        case .duration(let least, let most):
            guard let value = Quantity.duration(text) else { return false }
            return value >= Quantity.duration(least) ?? .zero && value <= Quantity.duration(most) ?? .zero
        case .size: return Quantity.size(text) != nil
        case .reference: return PipelineReader.reference(text) != nil
        case .condition: return Quantity.condition(text) != nil
        case .tolerance: return Quantity.tolerance(text) != nil
        case .code: return text.wholeMatch(of: /[a-z]+(\.[a-z][a-z0-9-]*)?/) != nil && text.utf8.count <= 64
        case .fileType: return text.wholeMatch(of: /[a-z0-9]{1,10}/) != nil
        default: return true
        }
    }

    /// What to write instead.
    private static func remedy(_ shape: PipelineFields.Shape) -> String {
        switch shape {
        case .name: "Write a name of letters, digits, - and _; at most 64."
        case .flag: "Write `true` or `false`."
        case .number: "Write a number."
        case .whole(let range): "Write a whole number from \(range.lowerBound) to \(range.upperBound)."
        case .duration(let least, let most):
            "Write a duration such as `250ms`, `90s`, `10m` or `1.5h`, from \(least) to \(most)."
        case .size: "Write a size such as `512MiB`, `4GiB` or `2GB`."
        case .choice(_, let choices): "Use one of \(choices.joined(separator: ", "))."
        case .reference: "Write `item`, `stage.output`, `stage.output[axis]`, or a file as `./name`."
        case .condition: "Write `${flag}`, `!${flag}`, `${name} == text` or `${name} != text`."
        case .tolerance: "Write a number such as `3`, or a share such as `5%`."
        case .code: "Write the kind of an error, such as `worker` or `output.unwritable`."
        case .fileType: "Write an extension of small letters and digits, such as `png`."
        default: "Write a single value."
        }
    }

    private mutating func fault(_ place: Pipeline.Place, _ what: String, _ fix: String) {
        faults.append(Fault(place, what, fix))
    }
}
