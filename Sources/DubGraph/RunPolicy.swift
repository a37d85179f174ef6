internal import DubCore

/// How the nodes of a stage are run: when they may start, how long they may take, what is done when they fail.
///
/// Nothing of it is part of a key: it changes when and whether a result is there, never what the result is.
public struct RunPolicy: Sendable, Hashable {
    /// How often, and after which waits, a failure is tried again; `nil` leaves it to the runner.
    public var retry: RetryPolicy?
    /// How long one attempt may take; `nil` sets no bound.
    public var timeout: Duration?
    /// What a node holds while it runs; what is not said is left to the stage's signature.
    public var resources = Resources()
    /// How many nodes of the stage run at once, over all items; `nil` sets no bound.
    public var limit: Int?
    /// How many of a fan-out may fail before what gathers them does.
    public var tolerance = Tolerance.none

    /// The policy of a stage of which a pipeline says nothing.
    public init() {}
}

/// Attempts at one node.
///
/// The wait before attempt n + 1 is drawn evenly from 0 to `backoff × 2^(n − 1)`, at most `ceiling` ("full jitter":
/// M. Brooker, Exponential Backoff and Jitter, AWS Architecture Blog, 2015).
public struct RetryPolicy: Sendable, Hashable {
    /// Attempts in all; ≥ 1.
    public var attempts: Int
    /// The bound of the first wait.
    public var backoff: Duration
    /// No wait is longer.
    public var ceiling: Duration
    /// Whether waits are drawn at random; else each is its bound.
    public var jitter: Bool
    /// The kinds of error that are tried again: a code (`worker.died`) or its first part (`worker`). `nil`: those that
    /// say themselves that they may pass.
    public var on: [String]?

    /// The first parts of the codes that a node may fail with.
    package static let families = [
        "cast", "catalogue", "exec", "gate", "http", "input", "internal", "language", "media", "node", "output",
        "script",
        "speech", "store", "verdict", "worker",
    ]

    /// Three attempts, half a second apart and more.
    public init(
        attempts: Int = 3, backoff: Duration = .milliseconds(250), ceiling: Duration = .seconds(60),
        jitter: Bool = true, on: [String]? = nil
    ) {
        self.attempts = attempts
        self.backoff = backoff
        self.ceiling = ceiling
        self.jitter = jitter
        self.on = on
    }
}

/// What a node holds while it runs. `nil` is the signature's default: a core for work of this process, a place in the
/// worker's queue for work of a worker.
public struct Resources: Sendable, Hashable {
    /// Cores.
    public var cpu: Int?
    /// Cards.
    public var gpu: Int?
    /// Bytes of memory.
    public var memory: Int64?
    /// Places in the worker's queue.
    public var worker: Int?

    /// The defaults.
    public init(cpu: Int? = nil, gpu: Int? = nil, memory: Int64? = nil, worker: Int? = nil) {
        self.cpu = cpu
        self.gpu = gpu
        self.memory = memory
        self.worker = worker
    }
}

/// How many of a stage's nodes may fail before what gathers their outputs does: of the nodes that one reader gathers.
public enum Tolerance: Sendable, Hashable {
    /// None: a reader waits for all.
    case none
    /// So many; ≥ 1.
    case count(Int)
    /// So large a part of them, over 0 to 1.
    case share(Double)

    /// How many of `total` may fail; a share is rounded down.
    public func allowed(of total: Int) -> Int {
        switch self {
        case .none: 0
        case .count(let count): count
        case .share(let share): Int(share * Double(total))
        }
    }
}

/// Whether a node is needed: a flag, or a comparison of a parameter or of the node's own language with a text.
///
/// Written `${flag}`, `!${flag}`, `${name} == text` or `${name} != text`. A node that is not needed is left out; so is
/// one that requires its output, and one that gathers goes on without it.
public struct Condition: Sendable, Hashable {
    /// The name of a parameter, or of an axis that comes from one.
    public var name: String
    /// What it is compared with; `nil` asks for a flag that is true.
    public var text: String?
    /// Whether the opposite is asked for.
    public var isNegated: Bool

    /// Makes a condition.
    public init(name: String, text: String? = nil, isNegated: Bool = false) {
        self.name = name
        self.text = text
        self.isNegated = isNegated
    }

    /// Whether it holds where the name stands for a value.
    func holds(for value: JSONValue) -> Bool {
        let holds = text.map { (value.string ?? value.canonical) == $0 } ?? (value.bool == true)
        return holds != isNegated
    }
}
