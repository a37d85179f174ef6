public import DubCore

/// A pipeline checked against the stages that exist, its names resolved to indexes: what a plan unfolds.
///
/// A stage runs once for each combination of its axes' elements. An input from a stage with the same axes gets the
/// matching element; axes that the reader lacks are gathered into a list, in order. So that gathering costs no
/// search, the axes shared by reader and read come first in the list of the one that is read.
public struct Graph: Sendable {
    /// A stage in its place.
    public struct Step: Sendable {
        /// Its name in the file.
        public let name: String
        /// What it reads and writes.
        public let signature: StageSignature
        /// Its axes, outermost first, as indexes into `axes`.
        public let axes: [Int]
        /// Where its inputs come from.
        public let inputs: [(name: String, source: Source)]
        /// Its settings, defaults filled in, `${…}` not yet.
        public let parameters: [String: JSONValue]
        /// The longest way from a stage that reads nothing but what was given.
        public let depth: Int
        /// Whether its nodes are needed; `nil` where they always are.
        public let when: Condition?
        /// How its nodes are run.
        public let policy: RunPolicy
    }

    /// Where an input comes from.
    public enum Source: Sendable, Hashable {
        case given(String)
        case output(step: Int, name: String)
        case element(step: Int, name: String, axis: Int)
    }

    /// A dimension of fan-out.
    public struct Axis: Sendable {
        /// The name in the file.
        public let name: String
        /// Where its elements come from.
        public let source: Source

        /// Where an axis gets its elements.
        public enum Source: Sendable {
            case parameter([JSONValue])
            case output(step: Int, name: String)
        }
    }

    /// The file it was read from.
    public let file: String
    /// The pipeline's name.
    public let name: String
    /// In the order of the file.
    public let steps: [Step]
    /// In the order of the file.
    public let axes: [Axis]
    /// In the order of the file.
    public let deliveries: [Pipeline.Delivery]
    /// The parameters that hold: set by the run, or by default.
    public let parameters: [String: JSONValue]

    /// The step called `name`.
    public func step(named name: String) -> Int? { steps.firstIndex { $0.name == name } }

    init(
        file: String, name: String, steps: [Step], axes: [Axis], deliveries: [Pipeline.Delivery],
        parameters: [String: JSONValue]
    ) {
        self.file = file
        self.name = name
        self.steps = steps
        self.axes = axes
        self.deliveries = deliveries
        self.parameters = parameters
    }
}

extension Graph {
    /// The steps of which the parameters alone say that no node is needed: their condition does not hold, or they
    /// require what such a step writes.
    public var unneeded: Set<Int> {
        var unneeded: Set<Int> = []
        for (index, step) in steps.enumerated() {
            if let when = step.when, !step.axes.contains(where: { axes[$0].name == when.name }),
                !when.holds(for: parameters[when.name] ?? .null)
            {
                unneeded.insert(index)
            }
            let requires = step.inputs.contains { name, source in
                guard let producer = source.producer, unneeded.contains(producer) else { return false }
                // Who gathers goes on without it.
                return Set(steps[producer].axes).isSubset(of: step.axes)
                    && step.signature.inputs.first { $0.name == name }?.isOptional != true
            }
            if requires { unneeded.insert(index) }
        }
        return unneeded
    }
}
