internal import DubCore

extension GraphCheck {
    /// How many nodes a stage may have by its parameter axes alone.
    private static let mostNodes = 1_000_000

    /// The graph of a pipeline without faults, with the run's parameters.
    func bind(_ given: [String: JSONValue]) throws(DubError) -> Graph {
        let parameters = try ParameterBinding(parameters: pipeline.parameters, file: pipeline.file).bind(given)
        let index = Dictionary(uniqueKeysWithValues: order.enumerated().map { ($1, $0) })
        let axisIndex = Dictionary(uniqueKeysWithValues: pipeline.axes.enumerated().map { ($1.name, $0) })
        var steps: [Graph.Step] = []
        for name in order {
            guard let step = pipeline.steps.first(where: { $0.name == name }), let signature = signatures[name] else {
                continue
            }
            try checkCount(of: step, parameters)
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
            var settings = signature.parameters.merging(step.with, uniquingKeysWith: { $1 })
            if signature.isOpen { settings["out"] = OpenStages.declared(step.out) }
            steps.append(
                Graph.Step(
                    name: name, signature: signature, axes: step.forEach.compactMap { axisIndex[$0] }, inputs: inputs,
                    parameters: settings, depth: before.max() ?? 0, when: normalised(step.when, in: step),
                    policy: step.policy))
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

    private func checkCount(of step: Pipeline.Step, _ parameters: [String: JSONValue]) throws(DubError) {
        var count = 1
        for axis in step.forEach {
            guard case .parameter(let name) = pipeline.axes.first(where: { $0.name == axis })?.source else { continue }
            count *= parameters[name]?.array?.count ?? 0
            guard count <= Self.mostNodes else {
                throw DubError(
                    .parameterInvalid, "`\(step.name)` would run more than \(Self.mostNodes) times.", at: pipeline.file,
                    fix: "Give shorter lists, or let it run for each of fewer axes.")
            }
        }
    }
}
