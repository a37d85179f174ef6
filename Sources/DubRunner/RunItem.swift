public import DubCore
public import DubGraph

/// An item of a run, with what is handed to its plan from outside.
public struct RunItem: Sendable {
    /// A thing handed in, and where its bytes lie.
    public struct Given: Sendable {
        /// Digest, size, type.
        public var artifact: Artifact
        /// Where it lies.
        public var path: String

        /// Describes a thing handed in.
        public init(artifact: Artifact, path: String) {
            self.artifact = artifact
            self.path = path
        }
    }

    /// The run's name.
    public var run: String
    /// Its place in the run, from 0.
    public var index: Int
    /// The source's absolute path.
    public var source: String
    /// By the graph's names: `item`; `edits` and `gate` where there are any.
    public var given: [String: Given]
    /// Greater goes first where nodes wait for the same.
    public var priority: Int

    /// Describes an item.
    public init(run: String, index: Int, source: String, given: [String: Given], priority: Int = 0) {
        self.run = run
        self.index = index
        self.source = source
        self.given = given
        self.priority = priority
    }
}

/// How far an item's plan got.
public struct PlanResult: Sendable {
    /// The plan, with what every finished node wrote.
    public var plan: Plan
    /// How many nodes ran, and how many were found in the store.
    public var nodes = NodeCount()
    /// One for each node that failed and stopped what reads it, in the order in which they failed.
    public var errors: [DubError] = []
    /// One for each node that failed and is tolerated.
    public var tolerated: [DubError] = []
    /// Whether the run was cancelled before the plan's end.
    public var isCancelled = false
}

extension Duration {
    /// As a floating-point number of seconds.
    public var seconds: Double {
        Double(components.seconds) + Double(components.attoseconds) * 1e-18
    }
}
