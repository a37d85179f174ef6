public import DubCore

/// Reads a pipeline file: YAML to `Pipeline`, with every fault of form at once.
public enum PipelineReader {
    /// Reads the text of a pipeline file.
    ///
    /// - Parameters:
    ///   - file: how faults name it.
    ///   - include: reads what it includes.
    /// - Throws: `pipeline.invalid` listing every fault of form, each with line and column.
    public static func read(
        _ text: String, file: String, include: @escaping PipelineInclude = refuseInclude
    ) throws(DubError) -> Pipeline {
        let (pipeline, faults) = parse(text, file: file, include: include)
        guard let pipeline, faults.isEmpty else { throw .invalid(Fault.sorted(faults, file: file)) }
        return pipeline
    }

    /// Reads as far as it can, so that faults of meaning can be told with those of form; no pipeline where what is
    /// missing would make faults of its own.
    static func parse(
        _ text: String, file: String, include: @escaping PipelineInclude = refuseInclude
    ) -> (Pipeline?, [Fault]) {
        var inclusion = Inclusion(include)
        guard let root = inclusion.root(text, file: file) else { return (nil, inclusion.faults) }
        var shape = ShapeCheck()
        shape.check(root, .fields(PipelineFields.top), "the pipeline")
        var faults = inclusion.faults + shape.faults
        if root["stages"] == nil || root["stages"]?.members?.isEmpty == true {
            faults.append(Fault(root.place, "There are no `stages`.", "Add `stages:` with at least one stage."))
        }
        let pipeline = Pipeline(
            file: file, name: root["name"]?.text ?? "", summary: root["summary"]?.text ?? "",
            parameters: named(root["parameters"]).compactMap { parameter($0, &faults) },
            profiles: named(root["profiles"]).map(profile), axes: named(root["axes"]).compactMap { axis($0, &faults) },
            steps: named(root["stages"]).filter { $0.value.members != nil }.map { step($0, &faults) },
            deliveries: (root["deliver"]?.elements ?? []).compactMap { delivery($0, &faults) })
        return (pipeline, faults)
    }

    private static func parameter(
        _ member: SourceNode.Member, _ faults: inout [Fault]
    ) -> Pipeline.Parameter? {
        let node = member.value
        guard node.members != nil else { return nil }
        guard let type = node["type"] else {
            let kinds = Pipeline.Parameter.Kind.allCases.map(\.rawValue).joined(separator: ", ")
            faults.append(Fault(node.place, "Parameter `\(member.key)` has no `type`.", "Add one of \(kinds)."))
            return nil
        }
        return Pipeline.Parameter(
            name: member.key,
            // A type that there is not is a fault already; so that none follows from it, anything will do.
            kind: type.text.flatMap(Pipeline.Parameter.Kind.init(rawValue:)) ?? .list, fallback: node["default"]?.json,
            choices: node["choices"]?.elements?.map(\.json) ?? [], min: node["min"]?.json.double,
            max: node["max"]?.json.double, summary: node["summary"]?.text ?? "", place: node.place,
            fallbackPlace: node["default"]?.place ?? node.place)
    }

    private static func profile(_ member: SourceNode.Member) -> Pipeline.Profile {
        let values = named(member.value)
        return Pipeline.Profile(
            name: member.key, values: Dictionary(uniqueKeysWithValues: values.map { ($0.key, $0.value.json) }),
            places: Dictionary(uniqueKeysWithValues: values.map { ($0.key, $0.value.place) }))
    }

    private static func axis(_ member: SourceNode.Member, _ faults: inout [Fault]) -> Pipeline.Axis? {
        guard let source = member.value.text else { return nil }
        switch reference(source) {
        case .given(let name): return .init(name: member.key, source: .parameter(name), place: member.value.place)
        case .output(let stage, let name):
            return .init(name: member.key, source: .output(stage: stage, name: name), place: member.value.place)
        case .element, nil:
            faults.append(
                Fault(member.value.place, "`\(source)` is no list.", "Name a list parameter, or `stage.output`."))
            return nil
        }
    }

    private static func step(_ member: SourceNode.Member, _ faults: inout [Fault]) -> Pipeline.Step {
        let node = member.value
        var inputs: [String: (reference: Pipeline.Reference, place: Pipeline.Place)] = [:]
        for input in named(node["in"]) {
            if let reference = input.value.text.flatMap(reference) {
                inputs[input.key] = (reference.from(input.value.place.file), input.value.place)
            }
        }
        let settings = named(node["with"])
        return Pipeline.Step(
            name: member.key, uses: node["uses"]?.text ?? member.key, inputs: inputs,
            with: Dictionary(uniqueKeysWithValues: settings.map { ($0.key, $0.value.json) }),
            withPlaces: Dictionary(uniqueKeysWithValues: settings.map { ($0.key, $0.value.place) }),
            out: named(node["out"]).compactMap(written).sorted { $0.name < $1.name }, forEach: texts(node["for_each"]),
            when: node["when"]?.text.flatMap(Quantity.condition), whenPlace: node["when"]?.place,
            policy: policy(node, &faults), place: node.place)
    }

    private static func written(_ member: SourceNode.Member) -> Pipeline.Written? {
        guard let type = member.value.text ?? member.value.elements?.first?.text else { return nil }
        return Pipeline.Written(
            name: member.key, type: type, isList: member.value.elements != nil, place: member.keyPlace)
    }

    private static func delivery(_ node: SourceNode, _ faults: inout [Fault]) -> Pipeline.Delivery? {
        guard node.members != nil else { return nil }
        guard let kind = node["kind"]?.text, let from = node["from"]?.text,
            case .output(let stage, let output) = reference(from)
        else {
            faults.append(Fault(node.place, "A delivery needs `kind` and `from: stage.output`.", "Write both."))
            return nil
        }
        return Pipeline.Delivery(
            kind: kind, stage: stage, output: output, name: node["name"]?.text ?? "{stem}", place: node.place)
    }

    // MARK: - Parts

    /// The members of a mapping whose keys are names; what is no name is a fault already.
    static func named(_ node: SourceNode?) -> [SourceNode.Member] {
        (node?.members ?? []).filter { isName($0.key) }
    }

    /// One text, or a list of them.
    static func texts(_ node: SourceNode?) -> [String] {
        node?.text.map { [$0] } ?? node?.elements?.compactMap(\.text) ?? []
    }

    /// `item`, `stage.output`, `stage.output[axis]`, or a file: `./name` or `../name`.
    static func reference(_ text: String) -> Pipeline.Reference? {
        if text.hasPrefix("./") || text.hasPrefix("../") {
            return text.hasSuffix("/") || text.utf8.contains(0) ? nil : .given(text)
        }
        guard let dot = text.firstIndex(of: ".") else { return isName(text) ? .given(text) : nil }
        let stage = String(text[..<dot])
        var output = String(text[text.index(after: dot)...])
        guard isName(stage) else { return nil }
        guard output.hasSuffix("]") else { return isName(output) ? .output(stage: stage, name: output) : nil }
        guard let open = output.firstIndex(of: "[") else { return nil }
        let axis = String(output[output.index(after: open)...].dropLast())
        output = String(output[..<open])
        return isName(axis) && isName(output) ? .element(stage: stage, name: output, axis: axis) : nil
    }

    /// Whether a text may name something: letters, digits, - and _, at most 64.
    static func isName(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.count <= 64
            && text.unicodeScalars.allSatisfy {
                ("a"..."z").contains($0) || ("A"..."Z").contains($0) || ("0"..."9").contains($0) || $0 == "-"
                    || $0 == "_"
            }
    }
}
