public import DubCore

extension Graph {
    /// What may be handed to a run from outside, by name.
    public static let givenNames = ["item", "edits", "cast", "gate"]

    /// The paths of the files beside the pipeline that its stages read: what a run has to hand in under these names.
    public var files: [String] {
        let given = steps.flatMap(\.inputs).compactMap { if case .given(let name) = $0.source { name } else { nil } }
        return Set(given).filter { $0.contains("/") }.sorted()
    }

    /// Reads, checks and binds a pipeline.
    ///
    /// - Parameters:
    ///   - text: the file's text.
    ///   - file: how faults name it.
    ///   - stages: the signatures that exist, by name.
    ///   - parameters: what the run sets.
    ///   - include: reads what the file includes.
    /// - Throws: `pipeline.invalid` with every fault of form and meaning; `parameter.invalid` for the run's settings.
    public static func read(
        _ text: String, file: String, stages: [String: StageSignature], parameters: [String: JSONValue] = [:],
        include: @escaping PipelineInclude = refuseInclude
    ) throws(DubError) -> Graph {
        let (pipeline, formal) = PipelineReader.parse(text, file: file, include: include)
        guard let pipeline else { throw .invalid(Fault.sorted(formal, file: file)) }
        var check = GraphCheck(pipeline: pipeline, stages: stages)
        let faults = formal + check.run()
        guard faults.isEmpty else { throw .invalid(Fault.sorted(faults, file: file)) }
        return try check.bind(parameters)
    }

    /// Every fault of a file, without a run, in its order: what an editor or a test asks for.
    public static func faults(
        in text: String, file: String, stages: [String: StageSignature],
        include: @escaping PipelineInclude = refuseInclude
    ) -> [Fault] {
        let (pipeline, formal) = PipelineReader.parse(text, file: file, include: include)
        guard let pipeline else { return Fault.sorted(formal, file: file) }
        var check = GraphCheck(pipeline: pipeline, stages: stages)
        return Fault.sorted(formal + check.run(), file: file)
    }
}

/// Checks the meaning of a pipeline: names, wiring, axes, values, cycles.
struct GraphCheck {
    let pipeline: Pipeline
    let stages: [String: StageSignature]
    /// What each step reads and writes, by its name; absent where there is no such stage.
    let signatures: [String: StageSignature]
    var faults: [Fault] = []
    /// The steps' names, each after all that it reads.
    private(set) var order: [String] = []

    init(pipeline: Pipeline, stages: [String: StageSignature]) {
        self.pipeline = pipeline
        self.stages = stages
        signatures = OpenStages.signatures(of: pipeline, stages)
    }

    /// Every fault, in no order.
    mutating func run() -> [Fault] {
        for parameter in pipeline.parameters { check(parameter) }
        for profile in pipeline.profiles { check(profile) }
        for step in pipeline.steps { check(step) }
        for axis in pipeline.axes { check(axis) }
        for delivery in pipeline.deliveries { check(delivery) }
        checkCycles()
        return faults
    }

    mutating func fault(_ place: Pipeline.Place, _ what: String, _ fix: String) {
        faults.append(Fault(place, what, fix))
    }

    // MARK: - Stages

    private mutating func check(_ step: Pipeline.Step) {
        guard let signature = signatures[step.name] else {
            fault(step.place, "There is no stage `\(step.uses)`.", hint(step.uses, among: stages.keys))
            return
        }
        for input in signature.inputs where !input.isOptional && step.inputs[input.name] == nil {
            fault(step.place, "Stage `\(step.name)` gets no `\(input.name)`.", "Add `\(input.name):` to its `in`.")
        }
        for (name, wired) in step.inputs.sorted(by: { $0.key < $1.key }) {
            guard let input = signature.inputs.first(where: { $0.name == name }) else {
                fault(
                    wired.place, "`\(step.uses)` has no input `\(name)`.",
                    hint(name, among: signature.inputs.map(\.name)))
                continue
            }
            check(wired.reference, at: wired.place, for: input, of: step)
        }
        checkSettings(of: step, signature)
        checkOpen(step, signature)
        checkCondition(of: step)
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

    // MARK: - Wiring

    private mutating func check(
        _ reference: Pipeline.Reference, at place: Pipeline.Place, for input: StageSignature.Input,
        of step: Pipeline.Step
    ) {
        switch reference {
        case .given(let name):
            if !Graph.givenNames.contains(name), !reference.isFile {
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
            if producer.forEach.contains(where: { !step.forEach.contains($0) }) {
                fault(
                    place, "`\(stage).\(name)` is not one list here, but one for each \(quoted(producer.forEach)).",
                    "Add \(quoted(producer.forEach)) to `for_each`.")
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
            fault(
                place, "There is no stage `\(stage)` in this pipeline.", hint(stage, among: pipeline.steps.map(\.name)))
            return nil
        }
        guard let signature = signatures[producer.name] else { return nil }
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
            if !parameter.kind.isList {
                fault(axis.place, "Parameter `\(name)` is no list.", "Give it `type: languages` or `type: list`.")
            }
        case .output(let stage, let name):
            if let (_, output) = output(stage, name, at: axis.place), !output.isList {
                fault(axis.place, "`\(stage).\(name)` is no list.", "Fan out over a list that a stage writes.")
            }
        }
    }

    private mutating func check(_ delivery: Pipeline.Delivery) {
        if delivery.name.contains("/") || delivery.name.isEmpty {
            fault(delivery.place, "`\(delivery.name)` is no file name.", "Write a name without `/`.")
        }
        guard let (producer, output) = output(delivery.stage, delivery.output, at: delivery.place) else { return }
        for axis in producer.forEach where !delivery.name.contains("{\(axis)}") {
            fault(
                delivery.place, "Every \(axis) would be delivered under the same name.",
                "Put `{\(axis)}` into `name`.")
        }
        for match in delivery.name.matches(of: /\{([^{}]*)\}/) {
            let name = String(match.output.1)
            guard name != "stem", !producer.forEach.contains(name) else { continue }
            fault(
                delivery.place, "`{\(name)}` is neither `{stem}` nor an axis of `\(producer.name)`.",
                hint(name, among: ["stem"] + producer.forEach))
        }
        if output.isList {
            fault(
                delivery.place, "`\(delivery.stage).\(delivery.output)` is a list: its files would share one name.",
                "Fan out over it, and deliver what a stage makes of each element.")
        }
    }

    private mutating func checkCycles() {
        let names = Set(pipeline.steps.map(\.name))
        var waiting = Dictionary(
            uniqueKeysWithValues: pipeline.steps.map { ($0.name, Set(prerequisites(of: $0)).intersection(names)) })
        while let free = pipeline.steps.map(\.name).first(where: { waiting[$0]?.isEmpty == true }) {
            waiting[free] = nil
            order.append(free)
            for name in waiting.keys { waiting[name]?.remove(free) }
        }
        guard var name = pipeline.steps.map(\.name).first(where: { waiting[$0] != nil }) else { return }
        // Whoever waits, waits for somebody who waits: followed far enough, the way comes back to itself.
        var way: [String] = []
        while !way.contains(name), let next = waiting[name]?.min() {
            way.append(name)
            name = next
        }
        let circle = way[(way.firstIndex(of: name) ?? 0)...] + [name]
        guard let stuck = pipeline.steps.first(where: { $0.name == name }) else { return }
        let place = stuck.inputs.values.filter { circle.dropFirst().first == $0.reference.stage }.map(\.place)
            .min { ($0.line, $0.column) < ($1.line, $1.column) }
        if circle.count == 2 {
            fault(place ?? stuck.place, "`\(name)` reads what it writes.", "Wire it to what another stage writes.")
        } else {
            fault(
                place ?? stuck.place, "Stages wait for each other: \(circle.joined(separator: " reads ")).",
                "Break the circle: a stage reads only what was made before it.")
        }
    }

    /// The steps that one reads from or fans out over.
    func prerequisites(of step: Pipeline.Step) -> [String] {
        let wired = step.inputs.values.compactMap(\.reference.stage)
        let fanned = step.forEach.compactMap { name -> String? in
            guard case .output(let stage, _) = pipeline.axes.first(where: { $0.name == name })?.source else {
                return nil
            }
            return stage
        }
        return wired + fanned
    }
}
