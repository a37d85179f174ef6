public import DubCore

extension Graph {
    /// What may be handed to a run from outside, by name.
    public static let givenNames = ["item", "edits"]

    /// Reads, checks and binds a pipeline.
    ///
    /// - Parameters:
    ///   - text: the file's text.
    ///   - file: how faults name it.
    ///   - stages: the signatures that exist, by name.
    ///   - parameters: what the run sets.
    /// - Throws: `pipeline.invalid` with every fault of form and meaning; `parameter.invalid` for the run's settings.
    public static func read(
        _ text: String, file: String, stages: [String: StageSignature], parameters: [String: JSONValue] = [:]
    ) throws(DubError) -> Graph {
        let (pipeline, formal) = PipelineReader.parse(text, file: file)
        guard let pipeline else { throw .invalid(formal) }
        var check = GraphCheck(pipeline: pipeline, stages: stages)
        let faults = formal + check.run()
        guard faults.isEmpty else {
            throw .invalid(faults.sorted { ($0.line, $0.column) < ($1.line, $1.column) })
        }
        return try check.bind(parameters)
    }

    /// Every fault of a file, without a run: what an editor or a test asks for.
    public static func faults(in text: String, file: String, stages: [String: StageSignature]) -> [Fault] {
        let (pipeline, formal) = PipelineReader.parse(text, file: file)
        guard let pipeline else { return formal }
        var check = GraphCheck(pipeline: pipeline, stages: stages)
        return formal + check.run()
    }
}

/// Checks the meaning of a pipeline: names, wiring, axes, cycles.
struct GraphCheck {
    private let pipeline: Pipeline
    private let stages: [String: StageSignature]
    private var faults: [Fault] = []
    private var order: [String] = []

    init(pipeline: Pipeline, stages: [String: StageSignature]) {
        self.pipeline = pipeline
        self.stages = stages
    }

    /// Every fault, in no order.
    mutating func run() -> [Fault] {
        for step in pipeline.steps { check(step) }
        for axis in pipeline.axes { check(axis) }
        for delivery in pipeline.deliveries { check(delivery) }
        checkCycles()
        return faults
    }

    // MARK: - Stages

    private mutating func check(_ step: Pipeline.Step) {
        guard let signature = stages[step.uses] else {
            fault(step.place, "There is no stage `\(step.uses)`.", hint(step.uses, among: stages.keys))
            return
        }
        let inputs = signature.inputs.map(\.name)
        for input in signature.inputs where !input.isOptional && step.inputs[input.name] == nil {
            fault(step.place, "Stage `\(step.name)` gets no `\(input.name)`.", "Add `\(input.name):` to its `in`.")
        }
        for (name, wired) in step.inputs.sorted(by: { $0.key < $1.key }) {
            guard let input = signature.inputs.first(where: { $0.name == name }) else {
                fault(wired.place, "`\(step.uses)` has no input `\(name)`.", hint(name, among: inputs))
                continue
            }
            check(wired.reference, at: wired.place, for: input, of: step)
        }
        for (name, value) in step.with.sorted(by: { $0.key < $1.key }) {
            let place = step.withPlaces[name] ?? step.place
            if signature.parameters[name] == nil {
                fault(place, "`\(step.uses)` has no setting `\(name)`.", hint(name, among: signature.parameters.keys))
            }
            for reference in Substitution.names(in: value) where !isValue(reference, in: step) {
                fault(
                    place, "`${\(reference)}` is neither a parameter nor an axis of `\(step.name)`.",
                    hint(reference, among: pipeline.parameters.map(\.name) + step.forEach))
            }
        }
        var seen: Set<String> = []
        for axis in step.forEach {
            if !pipeline.axes.contains(where: { $0.name == axis }) {
                fault(step.place, "There is no axis `\(axis)`.", hint(axis, among: pipeline.axes.map(\.name)))
            }
            if !seen.insert(axis).inserted {
                fault(step.place, "`for_each` names `\(axis)` twice.", "Name each axis once.")
            }
        }
        checkAxisOrder(of: step)
    }

    private func isValue(_ name: String, in step: Pipeline.Step) -> Bool {
        pipeline.parameters.contains { $0.name == name }
            || step.forEach.contains(name)
                && pipeline.axes.contains {
                    if $0.name == name, case .parameter = $0.source { true } else { false }
                }
    }

    /// An axis that a stage writes needs that stage's own axes before it.
    private mutating func checkAxisOrder(of step: Pipeline.Step) {
        for (index, name) in step.forEach.enumerated() {
            guard let axis = pipeline.axes.first(where: { $0.name == name }),
                case .output(let producer, _) = axis.source,
                let writer = pipeline.steps.first(where: { $0.name == producer })
            else { continue }
            let missing = writer.forEach.filter { !step.forEach[..<index].contains($0) }
            if !missing.isEmpty {
                fault(
                    step.place, "Axis `\(name)` comes from `\(producer)`, which runs for each \(quoted(missing)).",
                    "Put \(quoted(missing)) before `\(name)` in `for_each`.")
            }
        }
    }

    private mutating func check(
        _ reference: Pipeline.Reference, at place: Pipeline.Place, for input: StageSignature.Input,
        of step: Pipeline.Step
    ) {
        switch reference {
        case .given(let name):
            if !Graph.givenNames.contains(name) {
                fault(
                    place, "`\(name)` is not handed to a run.",
                    hint(name, among: Graph.givenNames + pipeline.steps.map { "\($0.name).…" }))
            }
        case .output(let stage, let name):
            guard let (producer, output) = output(stage, name, at: place) else { return }
            let gathered = producer.forEach.contains { !step.forEach.contains($0) }
            checkSharedAxes(producer, step, place)
            if (gathered || output.isList) && !input.isList {
                fault(
                    place, "`\(stage).\(name)` is a list here, and `\(input.name)` takes one artifact.",
                    output.isList
                        ? "Pick an element: `\(stage).\(name)[axis]`."
                        : "Add \(quoted(producer.forEach)) to `for_each`.")
            }
            if output.isList, gathered {
                fault(place, "`\(stage).\(name)` would be a list of lists.", "Gather a single output instead.")
            }
        case .element(let stage, let name, let axis):
            guard let (producer, output) = output(stage, name, at: place) else { return }
            checkSharedAxes(producer, step, place)
            if !step.forEach.contains(axis) {
                fault(place, "`\(step.name)` does not run for each `\(axis)`.", hint(axis, among: step.forEach))
            }
            if !output.isList { fault(place, "`\(stage).\(name)` is no list.", "Leave `[\(axis)]` away.") }
            if input.isList { fault(place, "`\(input.name)` takes a list.", "Leave `[\(axis)]` away.") }
        }
    }

    private mutating func checkSharedAxes(_ producer: Pipeline.Step, _ step: Pipeline.Step, _ place: Pipeline.Place) {
        let shared = producer.forEach.filter { step.forEach.contains($0) }
        if Array(producer.forEach.prefix(shared.count)) != shared {
            fault(
                place,
                "`\(producer.name)` is gathered over an axis that comes before one it shares with `\(step.name)`.",
                "In `\(producer.name)`, put \(quoted(shared)) first in `for_each`.")
        }
    }

    private mutating func output(
        _ stage: String, _ name: String, at place: Pipeline.Place
    ) -> (Pipeline.Step, StageSignature.Output)? {
        guard let producer = pipeline.steps.first(where: { $0.name == stage }) else {
            fault(place, "There is no stage `\(stage)` in this file.", hint(stage, among: pipeline.steps.map(\.name)))
            return nil
        }
        guard let signature = stages[producer.uses] else { return nil }
        guard let output = signature.outputs.first(where: { $0.name == name }) else {
            fault(place, "`\(stage)` writes no `\(name)`.", hint(name, among: signature.outputs.map(\.name)))
            return nil
        }
        return (producer, output)
    }

    // MARK: - Axes, deliveries, cycles

    private mutating func check(_ axis: Pipeline.Axis) {
        switch axis.source {
        case .parameter(let name):
            guard let parameter = pipeline.parameters.first(where: { $0.name == name }) else {
                fault(
                    axis.place, "There is no parameter `\(name)`.", hint(name, among: pipeline.parameters.map(\.name)))
                return
            }
            if parameter.kind != .languages, parameter.kind != .list {
                fault(axis.place, "Parameter `\(name)` is no list.", "Give it `type: languages`.")
            }
        case .output(let stage, let name):
            if let (_, output) = output(stage, name, at: axis.place), !output.isList {
                fault(axis.place, "`\(stage).\(name)` is no list.", "Fan out over a list that a stage writes.")
            }
        }
    }

    private mutating func check(_ delivery: Pipeline.Delivery) {
        guard let (producer, _) = output(delivery.stage, delivery.output, at: delivery.place) else { return }
        for axis in producer.forEach where !delivery.name.contains("{\(axis)}") {
            fault(
                delivery.place, "Every \(axis) would be delivered under the same name.",
                "Put `{\(axis)}` into `name`.")
        }
    }

    private mutating func checkCycles() {
        var waiting = Dictionary(
            uniqueKeysWithValues: pipeline.steps.map { step in
                (step.name, Set(prerequisites(of: step)).intersection(pipeline.steps.map(\.name)))
            })
        while let free = pipeline.steps.map(\.name).first(where: { waiting[$0]?.isEmpty == true }) {
            waiting[free] = nil
            order.append(free)
            for name in waiting.keys { waiting[name]?.remove(free) }
        }
        if let stuck = pipeline.steps.first(where: { waiting[$0.name] != nil }) {
            fault(
                stuck.place, "\(quoted(waiting.keys.sorted())) wait for each other.",
                "Break the circle: a stage reads only what was made before it.")
        }
    }

    private func prerequisites(of step: Pipeline.Step) -> [String] {
        let wired = step.inputs.values.compactMap { input -> String? in
            switch input.reference {
            case .given: nil
            case .output(let stage, _), .element(let stage, _, _): stage
            }
        }
        let fanned = step.forEach.compactMap { name -> String? in
            guard case .output(let stage, _) = pipeline.axes.first(where: { $0.name == name })?.source else {
                return nil
            }
            return stage
        }
        return wired + fanned
    }

    private func hint(_ word: String, among candidates: some Sequence<String>) -> String {
        let known = candidates.sorted()
        if let near = suggestion(for: word, among: known) { return "Did you mean `\(near)`?" }
        return known.isEmpty ? "Leave it away." : "There is \(known.joined(separator: ", "))."
    }

    private func quoted(_ names: [String]) -> String { names.map { "`\($0)`" }.joined(separator: ", ") }

    private mutating func fault(_ place: Pipeline.Place, _ what: String, _ fix: String) {
        faults.append(Fault(file: pipeline.file, line: place.line, column: place.column, what: what, fix: fix))
    }
}

// MARK: - Binding

extension GraphCheck {
    /// The graph of a pipeline without faults, with the run's parameters.
    func bind(_ given: [String: JSONValue]) throws(DubError) -> Graph {
        let parameters = try ParameterBinding(parameters: pipeline.parameters, file: pipeline.file).bind(given)
        let index = Dictionary(uniqueKeysWithValues: order.enumerated().map { ($1, $0) })
        let axisIndex = Dictionary(uniqueKeysWithValues: pipeline.axes.enumerated().map { ($1.name, $0) })
        var steps: [Graph.Step] = []
        for name in order {
            guard let step = pipeline.steps.first(where: { $0.name == name }), let signature = stages[step.uses] else {
                continue
            }
            let inputs = signature.inputs.compactMap { input -> (name: String, source: Graph.Source)? in
                guard let wired = step.inputs[input.name] else { return nil }
                switch wired.reference {
                case .given(let name): return (input.name, .given(name))
                case .output(let stage, let name):
                    return (input.name, .output(step: index[stage, default: 0], name: name))
                case .element(let stage, let name, let axis):
                    return (
                        input.name,
                        .element(step: index[stage, default: 0], name: name, axis: axisIndex[axis, default: 0])
                    )
                }
            }
            let before = prerequisites(of: step).compactMap { index[$0] }.map { steps[$0].depth + 1 }
            steps.append(
                Graph.Step(
                    name: name, signature: signature, axes: step.forEach.compactMap { axisIndex[$0] }, inputs: inputs,
                    parameters: signature.parameters.merging(step.with, uniquingKeysWith: { $1 }),
                    depth: before.max() ?? 0, when: step.when, policy: step.policy))
        }
        let axes = pipeline.axes.map { axis in
            switch axis.source {
            case .parameter(let name):
                Graph.Axis(name: axis.name, source: .parameter(parameters[name]?.array ?? []))
            case .output(let stage, let name):
                Graph.Axis(name: axis.name, source: .output(step: index[stage, default: 0], name: name))
            }
        }
        return Graph(
            file: pipeline.file, name: pipeline.name, steps: steps, axes: axes, deliveries: pipeline.deliveries,
            parameters: parameters)
    }
}
