internal import DubCore

/// What the steps of open stages read and write: what each of them declares.
enum OpenStages {
    /// What each step reads and writes, by its name; of other stages, what the stage says.
    static func signatures(of pipeline: Pipeline, _ stages: [String: StageSignature]) -> [String: StageSignature] {
        var signatures: [String: StageSignature] = [:]
        for step in pipeline.steps {
            guard var signature = stages[step.uses] else { continue }
            if signature.isOpen {
                signature.outputs = step.out.map { StageSignature.Output(name: $0.name, isList: $0.isList) }
            }
            signatures[step.name] = signature
        }
        for step in pipeline.steps where signatures[step.name]?.isOpen == true {
            let inputs = step.inputs.sorted { $0.key < $1.key }.map { name, wired in
                // What is wired decides: a list that is written or gathered is a list.
                let isList =
                    if case .output(let stage, let output) = wired.reference,
                        let producer = pipeline.steps.first(where: { $0.name == stage })
                    {
                        producer.forEach.contains { !step.forEach.contains($0) }
                            || signatures[stage]?.outputs.contains { $0.name == output && $0.isList } == true
                    } else {
                        false
                    }
                return StageSignature.Input(
                    name: name,
                    isOptional: [.given("edits"), .given("cast"), .given("gate")].contains(wired.reference),
                    isList: isList)
            }
            signatures[step.name]?.inputs = inputs
        }
        return signatures
    }

    /// `{in.NAME}` and `{out.NAME}` in a text, as they stand; other braces are text.
    static func placeholders(in text: String) -> [(side: Substring, name: Substring)] {
        text.matches(of: /\{(in|out)\.([^{}]*)\}/).map { ($0.output.1, $0.output.2) }
    }

    /// The parameter `out`: extensions by name, in brackets those of lists.
    static func declared(_ out: [Pipeline.Written]) -> JSONValue {
        .object(
            Dictionary(
                out.map { ($0.name, $0.isList ? .array([.string($0.type)]) : .string($0.type)) },
                uniquingKeysWith: { $1 }))
    }
}

extension GraphCheck {
    mutating func checkOpen(_ step: Pipeline.Step, _ signature: StageSignature) {
        guard signature.isOpen else {
            if let first = step.out.first {
                fault(first.place, "What `\(step.uses)` writes is fixed.", "Leave `out` away; it is for `exec`.")
            }
            return
        }
        if step.out.isEmpty {
            fault(step.place, "Stage `\(step.name)` writes nothing.", "Add `out: {name: extension}`.")
        }
        for (name, value) in step.with.sorted(by: { $0.key < $1.key }) {
            let place = step.withPlaces[name] ?? step.place
            for text in Self.texts(in: value) {
                for (side, wanted) in OpenStages.placeholders(in: text) {
                    let known = side == "in" ? signature.inputs.map(\.name) : signature.outputs.map(\.name)
                    guard !known.contains(String(wanted)) else { continue }
                    fault(
                        place, "`{\(side).\(wanted)}`: there is no `\(wanted)` in `\(side)` of `\(step.name)`.",
                        hint(String(wanted), among: known))
                }
                if text.unicodeScalars.contains("\0") {
                    fault(place, "`\(name)` of `\(step.name)` holds a NUL.", "No program can be given one.")
                }
            }
            checkElements(of: name, value, of: step, at: place)
        }
    }

    /// Lists of an open stage hold single values; so do mappings.
    private mutating func checkElements(
        of name: String, _ value: JSONValue, of step: Pipeline.Step, at place: Pipeline.Place
    ) {
        let elements = value.array ?? value.object.map { Array($0.values) } ?? []
        if elements.contains(where: { $0.array != nil || $0.object != nil || $0 == .null }) {
            fault(
                place, "`\(name)` of `\(step.name)` holds more than single values.",
                "Write texts or numbers; put quotes around `{in.name}` and `{out.name}`.")
        }
        if let name = value.object?.keys.first(where: { $0.isEmpty || $0.contains("=") }) {
            fault(place, "`\(name)` is no name of a variable.", "Write a name without `=`.")
        }
        if let list = value.array, stages[step.uses]?.required.contains(name) == true {
            guard let first = list.first, first != "" else {
                return fault(place, "`\(name)` of `\(step.name)` is empty.", "Write at least one value.")
            }
        }
    }

    private static func texts(in value: JSONValue) -> [String] {
        switch value {
        case .string(let text): [text]
        case .array(let elements): elements.flatMap { texts(in: $0) }
        case .object(let members): members.flatMap { [$0.key] + texts(in: $0.value) }
        default: []
        }
    }
}
