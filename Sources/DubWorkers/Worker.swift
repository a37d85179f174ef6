public import DubCore

/// A process, here or elsewhere, that transcribes, translates, synthesises and the like, in batches.
public protocol Worker: Sendable {
    /// What it can do, asked now.
    ///
    /// - Throws: `DubError`, transient where a later call can succeed; `CancellationError`.
    func capabilities() async throws -> Capabilities

    /// Does a batch of items.
    ///
    /// `onResult` is called once for each item as soon as it is done, in any order, and before the function returns;
    /// on failure it may have been called for some items, whose results stay good.
    ///
    /// - Returns: All results, in order of completion. An item that failed is a result, not an error.
    /// - Throws: `DubError` for a batch that was refused or broken off; `CancellationError`.
    func batch(_ request: BatchRequest, onResult: @Sendable (ItemResult) -> Void) async throws -> [ItemResult]

    /// Ends what belongs to this process alone; finishes even in a cancelled task.
    func shutdown() async

    /// Forgets past deaths: for those who live long, and begin with something new.
    func forgive() async
}

extension Worker {
    /// Nothing belongs to this process alone.
    public func shutdown() async {}

    /// Has nothing to forget.
    public func forgive() async {}
}

/// Items for one model to work on.
public struct BatchRequest: Hashable, Sendable, Codable {
    /// The version of the worker protocol.
    public var `protocol`: Int
    /// What is to be done.
    public var task: WorkerTask
    /// By which model.
    public var model: String
    /// What holds for all items.
    public var options: JSONValue
    /// Objects, each with an `id` of its own.
    public var items: [JSONValue]

    /// Makes a batch of protocol version 1.
    public init(task: WorkerTask, model: String, options: JSONValue = [:], items: [JSONValue]) {
        self.protocol = WorkerLink.protocolVersion
        self.task = task
        self.model = model
        self.options = options
        self.items = items
    }
}

/// What became of one item.
public struct ItemResult: Hashable, Sendable {
    /// The item's `id`.
    public var id: String
    /// What came out.
    public var outcome: Outcome
    /// What it cost, where the worker says.
    public var seconds: ModelSeconds?

    /// What came out of an item.
    public enum Outcome: Hashable, Sendable {
        /// The output, of a shape that belongs to the task.
        case done(JSONValue)
        /// The worker could not do this item.
        case failed(WorkerFault)
    }

    /// Makes a result.
    public init(id: String, outcome: Outcome, seconds: ModelSeconds? = nil) {
        self.id = id
        self.outcome = outcome
        self.seconds = seconds
    }
}

/// Time spent by a model.
public struct ModelSeconds: Hashable, Sendable, Codable {
    /// Seconds on the clock.
    public var wall: Double
    /// Seconds of all cores together.
    public var cpu: Double

    /// Makes a cost.
    public init(wall: Double = 0, cpu: Double = 0) {
        self.wall = wall
        self.cpu = cpu
    }

    /// Both together.
    public static func + (left: ModelSeconds, right: ModelSeconds) -> ModelSeconds {
        ModelSeconds(wall: left.wall + right.wall, cpu: left.cpu + right.cpu)
    }
}

/// Why a worker could not do an item.
public struct WorkerFault: Hashable, Sendable, Codable {
    /// A code of the worker protocol, such as `bad_audio`.
    public var code: String
    /// A sentence for people.
    public var message: String

    /// Makes a fault.
    public init(code: String, message: String) {
        self.code = code
        self.message = message
    }
}

extension ItemResult: Codable {
    private enum CodingKeys: String, CodingKey { case id, status, output, error, seconds }

    /// Reads a result line of the worker protocol.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        id = try container.decode(String.self, forKey: .id)
        seconds = try container.decodeIfPresent(ModelSeconds.self, forKey: .seconds)
        outcome =
            switch try container.decode(String.self, forKey: .status) {
            case "ok": .done(try container.decodeIfPresent(JSONValue.self, forKey: .output) ?? [:])
            default: .failed(try container.decode(WorkerFault.self, forKey: .error))
            }
    }

    /// Writes a result line of the worker protocol.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(id, forKey: .id)
        try container.encodeIfPresent(seconds, forKey: .seconds)
        switch outcome {
        case .done(let output):
            try container.encode("ok", forKey: .status)
            try container.encode(output, forKey: .output)
        case .failed(let fault):
            try container.encode("error", forKey: .status)
            try container.encode(fault, forKey: .error)
        }
    }
}
