public import Foundation

/// What became of a node, as a ledger tells it afterwards: what reports, logs and traces are made of.
public struct NodeHistory: Sendable, Codable {
    /// The item's place in the run.
    public var item: Int
    /// The node's name: `translate[es,3]`.
    public var node: String
    /// Its stage's name in the pipeline.
    public var stage: String
    /// How it ended.
    public var state: NodeRecord.State
    /// Why it ran.
    public var reason: String
    /// When its inputs were there.
    public var queued: Date
    /// When it began: after it had waited for its place.
    public var started: Date
    /// Wall seconds of the last attempt.
    public var seconds: Double
    /// How often it was tried.
    public var attempts: Int
    /// Why it failed.
    public var error: ErrorRecord?
    /// The last lines of its log, where it kept one.
    public var log: String?

    /// Describes a node that was.
    public init(
        item: Int, node: String, stage: String, state: NodeRecord.State, reason: String, queued: Date, started: Date,
        seconds: Double, attempts: Int, error: ErrorRecord? = nil, log: String? = nil
    ) {
        self.item = item
        self.node = node
        self.stage = stage
        self.state = state
        self.reason = reason
        self.queued = queued
        self.started = started
        self.seconds = seconds
        self.attempts = attempts
        self.error = error
        self.log = log
    }

    /// When it ended.
    public var ended: Date { started.addingTimeInterval(seconds) }

    /// Seconds from when its inputs were there until it began; 0 for one that was cached.
    public var waited: Double { state == .cached ? 0 : max(0, started.timeIntervalSince(queued)) }
}

/// A node that failed for good and was not made good since.
public struct DeadLetter: Sendable, Codable {
    /// The item's absolute path.
    public var source: String
    /// The node's name.
    public var node: String
    /// The run that it failed in last.
    public var run: String
    /// How often it was tried there.
    public var attempts: Int
    /// Why it failed.
    public var error: ErrorRecord?
    /// When.
    public var failed: Date

    /// Describes a dead letter.
    public init(
        source: String, node: String, run: String, attempts: Int, error: ErrorRecord?, failed: Date
    ) {
        self.source = source
        self.node = node
        self.run = run
        self.attempts = attempts
        self.error = error
        self.failed = failed
    }
}

/// What a stage of a past item cost: what estimates are made of.
public struct StageFigure: Sendable {
    /// The run's name.
    public var run: String
    /// The item's place in the run.
    public var item: Int
    /// The stage's name in the pipeline.
    public var stage: String
    /// Nodes that were executed.
    public var ran: Int
    /// All its nodes.
    public var total: Int
    /// Different elements of its outermost axis where they go by name, as languages do; else 1.
    public var elements: Int
    /// Seconds in which at least one of its nodes was running.
    public var busySeconds: Double
    /// Seconds of its nodes, added up.
    public var nodeSeconds: Double

    /// Describes what a stage cost.
    public init(
        run: String, item: Int, stage: String, ran: Int, total: Int, elements: Int, busySeconds: Double,
        nodeSeconds: Double
    ) {
        self.run = run
        self.item = item
        self.stage = stage
        self.ran = ran
        self.total = total
        self.elements = elements
        self.busySeconds = busySeconds
        self.nodeSeconds = nodeSeconds
    }
}
