public import DubCore

/// What a stage reads and writes, and what may be set on it: all that planning needs to know.
public struct StageSignature: Sendable {
    /// One named input.
    public struct Input: Sendable {
        /// The name in a pipeline file's `in`.
        public var name: String
        /// Whether the stage runs without it.
        public var isOptional: Bool
        /// Whether it takes a list, gathered over the axes that the stage lacks.
        public var isList: Bool

        /// A required single input.
        public static func one(_ name: String) -> Input { Input(name: name, isOptional: false, isList: false) }
        /// A list, in the order of the axes it is gathered over.
        public static func list(_ name: String) -> Input { Input(name: name, isOptional: false, isList: true) }
        /// An input that may be left out.
        public static func optional(_ name: String) -> Input { Input(name: name, isOptional: true, isList: false) }
    }

    /// One named output.
    public struct Output: Sendable {
        /// The name behind the dot in a reference.
        public var name: String
        /// Whether it is a list that others may fan out over.
        public var isList: Bool

        /// A single artifact.
        public static func one(_ name: String) -> Output { Output(name: name, isList: false) }
        /// A list of artifacts.
        public static func list(_ name: String) -> Output { Output(name: name, isList: true) }
    }

    /// What bounds how many may run at once.
    public enum Resource: String, Sendable, Codable {
        /// Work of this process: one slot each.
        case cpu
        /// Work of a worker, which forms its own batches.
        case worker
    }

    /// The name in a pipeline file's `uses`.
    public var name: String
    /// Raised whenever the same inputs may give other outputs.
    public var version: Int
    /// What it reads.
    public var inputs: [Input]
    /// What it writes.
    public var outputs: [Output]
    /// What may be set in `with`, and what holds where it is not.
    public var parameters: [String: JSONValue]
    /// The settings without which it cannot do anything, of `parameters`.
    public var required: [String]
    /// Whose slots it takes.
    public var resource: Resource
    /// Whether each step of a pipeline declares itself what it reads and writes: `inputs` and `outputs` are empty, and
    /// the step's own `in` and `out` stand for them. What is declared in `out` reaches the stage as its parameter `out`.
    public var isOpen: Bool

    /// Describes a stage.
    public init(
        name: String, version: Int, inputs: [Input], outputs: [Output], parameters: [String: JSONValue] = [:],
        required: [String] = [], resource: Resource = .cpu, isOpen: Bool = false
    ) {
        self.name = name
        self.version = version
        self.inputs = inputs
        self.outputs = outputs
        self.parameters = parameters
        self.required = required
        self.resource = resource
        self.isOpen = isOpen
    }
}

/// What a stage is handed, or hands back, under one name.
public enum StageValue: Hashable, Sendable, Codable {
    case one(Artifact)
    case list([Artifact])

    /// The artifacts, in order.
    public var artifacts: [Artifact] {
        switch self {
        case .one(let artifact): [artifact]
        case .list(let artifacts): artifacts
        }
    }
}

/// What went into a node, by name, and the parameters that held.
public struct StageInputs: Sendable {
    /// By the signature's names; an optional input that was not given is absent.
    public var values: [String: StageValue]
    /// Every parameter of the signature, set or by default.
    public var parameters: [String: JSONValue]

    /// Binds values and parameters.
    public init(values: [String: StageValue], parameters: [String: JSONValue]) {
        self.values = values
        self.parameters = parameters
    }

    /// The single artifact called `name`, where it was given.
    public func artifact(_ name: String) -> Artifact? { values[name]?.artifacts.first }

    /// The list called `name`; empty where it was not given.
    public func list(_ name: String) -> [Artifact] { values[name]?.artifacts ?? [] }
}

/// A model that takes part in a stage: a change of its weights is a change of the node's key.
public struct ModelIdentity: Hashable, Sendable, Codable {
    /// The catalogue's name.
    public var name: String
    /// SHA-256 of the weights, or what else tells them apart, and the revision of the code that runs them.
    public var digest: String

    /// Names a model and its weights.
    public init(name: String, digest: String) {
        self.name = name
        self.digest = digest
    }
}
