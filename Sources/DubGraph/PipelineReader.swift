public import DubCore
internal import Yams

/// Reads a pipeline file: YAML to `Pipeline`, with every fault of form at once.
public struct PipelineReader {
    private let file: String
    private var faults: [Fault] = []

    private init(file: String) {
        self.file = file
    }

    /// Reads the text of a pipeline file.
    ///
    /// - Throws: `pipeline.invalid` listing every fault of form, each with line and column.
    public static func read(_ text: String, file: String) throws(DubError) -> Pipeline {
        let (pipeline, faults) = parse(text, file: file)
        guard let pipeline, faults.isEmpty else { throw .invalid(faults) }
        return pipeline
    }

    /// Reads as far as it can, so that faults of meaning can be told with those of form.
    static func parse(_ text: String, file: String) -> (Pipeline?, [Fault]) {
        var reader = PipelineReader(file: file)
        guard text.utf8.count <= 1 << 20 else {
            reader.fault(nil, "The file is larger than 1 MiB.", "Pipelines are short: is it the right file?")
            return (nil, reader.faults)
        }
        do {
            guard let root = try Yams.compose(yaml: text), root.mapping != nil else {
                reader.fault(nil, "The file holds no mapping.", "Start with `version: 1`.")
                return (nil, reader.faults)
            }
            let pipeline = reader.pipeline(root)
            return (pipeline, reader.faults)
        } catch let error as YamlError {
            reader.fault(yaml: error)
            return (nil, reader.faults)
        } catch {
            reader.fault(nil, "It is no YAML: \(error).", "Check the indentation.")
            return (nil, reader.faults)
        }
    }

    private mutating func pipeline(_ root: Node) -> Pipeline {
        let top = members(
            of: root, named: "the pipeline",
            allowed: ["version", "name", "summary", "parameters", "axes", "stages", "deliver"])
        if top["version"]?.value.int != 1 {
            fault(top["version"]?.value ?? root, "`version` has to be 1.", "Write `version: 1`.")
        }
        if top["stages"] == nil { fault(root, "There are no `stages`.", "Add `stages:` with at least one stage.") }
        return Pipeline(
            file: file,
            name: top["name"].flatMap { text($0.value, "name") } ?? "",
            summary: top["summary"].flatMap { text($0.value, "summary") } ?? "",
            parameters: pairs(top["parameters"]?.value, "parameters").compactMap { parameter($0, $1) },
            axes: pairs(top["axes"]?.value, "axes").compactMap { axis($0, $1) },
            steps: pairs(top["stages"]?.value, "stages").compactMap { step($0, $1) },
            deliveries: (top["deliver"].flatMap { sequence($0.value, "deliver") } ?? []).compactMap { delivery($0) })
    }

    private mutating func parameter(_ name: String, _ node: Node) -> Pipeline.Parameter? {
        let fields = members(of: node, named: "parameter `\(name)`", allowed: ["type", "default", "choices"])
        guard let kindText = fields["type"].flatMap({ text($0.value, "type") }) else {
            fault(node, "Parameter `\(name)` has no `type`.", "Add one of \(Self.kinds).")
            return nil
        }
        guard let kind = Pipeline.Parameter.Kind(rawValue: kindText) else {
            fault(fields["type"]?.value ?? node, "`\(kindText)` is no type.", "Use one of \(Self.kinds).")
            return nil
        }
        return Pipeline.Parameter(
            name: name, kind: kind, fallback: fields["default"].map { json($0.value) },
            choices: (fields["choices"].flatMap { sequence($0.value, "choices") } ?? []).compactMap(\.string))
    }

    private static let kinds = Pipeline.Parameter.Kind.allCases.map(\.rawValue).joined(separator: ", ")

    private mutating func axis(_ name: String, _ node: Node) -> Pipeline.Axis? {
        guard let source = text(node, "axis `\(name)`") else { return nil }
        let parts = source.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        switch parts.count {
        case 1: return .init(name: name, source: .parameter(source), place: place(node))
        case 2: return .init(name: name, source: .output(stage: parts[0], name: parts[1]), place: place(node))
        default:
            fault(node, "`\(source)` is no list.", "Name a parameter, or `stage.output`.")
            return nil
        }
    }

    private mutating func step(_ name: String, _ node: Node) -> Pipeline.Step? {
        let fields = members(of: node, named: "stage `\(name)`", allowed: ["uses", "in", "with", "for_each"])
        let uses = fields["uses"].flatMap { text($0.value, "uses") } ?? name
        var inputs: [String: (reference: Pipeline.Reference, place: Pipeline.Place)] = [:]
        for (input, value) in pairs(fields["in"]?.value, "in") {
            guard let text = text(value, "input `\(input)`") else { continue }
            guard let reference = Self.reference(text) else {
                fault(value, "`\(text)` refers to nothing.", "Write `item`, `stage.output` or `stage.output[axis]`.")
                continue
            }
            inputs[input] = (reference, place(value))
        }
        var with: [String: JSONValue] = [:]
        var withPlaces: [String: Pipeline.Place] = [:]
        for (key, value) in pairs(fields["with"]?.value, "with") {
            with[key] = json(value)
            withPlaces[key] = place(value)
        }
        let forEach = fields["for_each"].map { field -> [String] in
            if let single = field.value.string { return [single] }
            return (sequence(field.value, "for_each") ?? []).compactMap { text($0, "for_each") }
        }
        return Pipeline.Step(
            name: name, uses: uses, inputs: inputs, with: with, withPlaces: withPlaces, forEach: forEach ?? [],
            when: nil, place: place(node))
    }

    private mutating func delivery(_ node: Node) -> Pipeline.Delivery? {
        let fields = members(of: node, named: "a delivery", allowed: ["kind", "from", "name"])
        guard let kind = fields["kind"].flatMap({ text($0.value, "kind") }),
            let from = fields["from"].flatMap({ text($0.value, "from") }),
            case .output(let stage, let output) = Self.reference(from)
        else {
            fault(node, "A delivery needs `kind` and `from: stage.output`.", "Write both.")
            return nil
        }
        return Pipeline.Delivery(
            kind: kind, stage: stage, output: output,
            name: fields["name"].flatMap { text($0.value, "name") } ?? "{stem}", place: place(node))
    }

    /// `item`, `stage.output` or `stage.output[axis]`.
    static func reference(_ text: String) -> Pipeline.Reference? {
        guard let dot = text.firstIndex(of: ".") else { return text.isEmpty ? nil : .given(text) }
        let stage = String(text[..<dot])
        var output = String(text[text.index(after: dot)...])
        guard !stage.isEmpty, !output.isEmpty, !output.contains(".") else { return nil }
        guard output.hasSuffix("]") else { return .output(stage: stage, name: output) }
        guard let open = output.firstIndex(of: "[") else { return nil }
        let axis = String(output[output.index(after: open)...].dropLast())
        output = String(output[..<open])
        return axis.isEmpty || output.isEmpty ? nil : .element(stage: stage, name: output, axis: axis)
    }
}

// MARK: - YAML to values

extension PipelineReader {
    private typealias Member = (key: Node, value: Node)

    private mutating func members(of node: Node, named: String, allowed: [String]) -> [String: Member] {
        guard let mapping = node.mapping else {
            fault(node, "\(named) has to be a mapping.", "Write `key: value` lines under it.")
            return [:]
        }
        var found: [String: Member] = [:]
        for (key, value) in mapping {
            guard let name = key.string, allowed.contains(name) else {
                let word = key.string ?? "?"
                let hint = suggestion(for: word, among: allowed).map { "Did you mean `\($0)`?" }
                fault(key, "\(named) has no `\(word)`.", hint ?? "It takes \(allowed.joined(separator: ", ")).")
                continue
            }
            found[name] = (key, value)
        }
        return found
    }

    private mutating func pairs(_ node: Node?, _ what: String) -> [(String, Node)] {
        guard let node else { return [] }
        guard let mapping = node.mapping else {
            fault(node, "`\(what)` has to be a mapping.", "Write `name: …` lines under it.")
            return []
        }
        return mapping.compactMap { key, value in
            guard let name = key.string, Self.isName(name) else {
                fault(key, "`\(key.string ?? "?")` is no name.", "Use letters, digits, - and _.")
                return nil
            }
            return (name, value)
        }
    }

    private static func isName(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.count <= 64
            && text.unicodeScalars.allSatisfy {
                ("a"..."z").contains($0) || ("A"..."Z").contains($0) || ("0"..."9").contains($0) || $0 == "-"
                    || $0 == "_"
            }
    }

    private mutating func text(_ node: Node, _ what: String) -> String? {
        guard let text = node.string else {
            fault(node, "`\(what)` has to be a text.", "Write a single value.")
            return nil
        }
        return text
    }

    private mutating func sequence(_ node: Node, _ what: String) -> [Node]? {
        guard let sequence = node.sequence else {
            fault(node, "`\(what)` has to be a list.", "Write `[a, b]` or lines that begin with `-`.")
            return nil
        }
        return Array(sequence)
    }

    private func json(_ node: Node) -> JSONValue {
        if let mapping = node.mapping {
            return .object(
                Dictionary(mapping.map { ($0.key.string ?? "", json($0.value)) }, uniquingKeysWith: { $1 }))
        }
        if let sequence = node.sequence { return .array(sequence.map { json($0) }) }
        if node.null != nil { return .null }
        if let bool = node.bool, node.scalar?.style == .plain { return .bool(bool) }
        if let int = node.int, node.scalar?.style == .plain { return .integer(Int64(int)) }
        if let number = node.float, node.scalar?.style == .plain { return .number(number) }
        return .string(node.string ?? "")
    }

    private func place(_ node: Node) -> Pipeline.Place {
        Pipeline.Place(line: node.mark?.line ?? 0, column: node.mark?.column ?? 0)
    }

    private mutating func fault(_ node: Node?, _ what: String, _ fix: String) {
        faults.append(
            Fault(file: file, line: node?.mark?.line ?? 0, column: node?.mark?.column ?? 0, what: what, fix: fix))
    }

    private mutating func fault(yaml error: YamlError) {
        switch error {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            faults.append(
                Fault(
                    file: file, line: mark.line, column: mark.column, what: "It is no YAML: \(problem).",
                    fix: "Check the indentation and the quotes."))
        default:
            faults.append(
                Fault(
                    file: file, line: 0, column: 0, what: "It is no YAML: \(error).",
                    fix: "Check the indentation and the quotes."))
        }
    }
}
