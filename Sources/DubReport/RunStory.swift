public import DubRunner
public import Foundation

/// All that is known of a run: what a page or a trace is made of.
public struct RunStory: Sendable {
    /// The run.
    public var run: RunRecord
    /// How far it is, as people are told: a run whose process died is `interrupted`.
    public var state: String
    /// Its items, in order.
    public var items: [ItemRecord]
    /// Its nodes, in the order in which they began.
    public var nodes: [NodeHistory]
    /// When this was looked up: the end, so far, of a run that goes on.
    public var now: Date
    /// The version of the program that tells it.
    public var version: String

    /// Puts together what is known.
    public init(
        run: RunRecord, state: String, items: [ItemRecord], nodes: [NodeHistory], now: Date, version: String
    ) {
        self.run = run
        self.state = state
        self.items = items
        self.nodes = nodes
        self.now = now
        self.version = version
    }

    /// When it ended, or was last heard of.
    public var ended: Date {
        if let ended = run.ended { return ended }
        return state == "running" ? now : max(run.started, nodes.map(\.ended).max() ?? run.started)
    }

    /// Seconds from its beginning to its end.
    public var wallSeconds: Double { max(0, ended.timeIntervalSince(run.started)) }

    /// Seconds of media of its items.
    public var mediaSeconds: Double { items.reduce(0) { $0 + $1.mediaSeconds } }

    /// What its stages cost, in the order of the pipeline.
    public var stages: [StageCost] { StageCost.all(of: self) }

    /// The file's name of an item.
    func name(ofItem index: Int) -> String {
        let source = items.first { $0.index == index }?.source ?? "item \(index + 1)"
        return (source as NSString).lastPathComponent
    }
}

/// What the nodes of a stage came to.
public struct StageCost: Sendable {
    /// The stage's name.
    public var stage: String
    /// Executed.
    public var run = 0
    /// Found in the store.
    public var cached = 0
    /// Failed for good.
    public var failed = 0
    /// Tries beyond the first.
    public var retries = 0
    /// Wall seconds of its nodes, added up.
    public var seconds = 0.0
    /// Seconds that its nodes waited for their place, added up.
    public var waited = 0.0

    static func all(of story: RunStory) -> [StageCost] {
        var order = story.run.graph.map(\.name)
        var costs = Dictionary(order.map { ($0, StageCost(stage: $0)) }, uniquingKeysWith: { $1 })
        for node in story.nodes {
            if costs[node.stage] == nil { order.append(node.stage) }
            var cost = costs[node.stage] ?? StageCost(stage: node.stage)
            switch node.state {
            case .done: cost.run += 1
            case .cached: cost.cached += 1
            case .failed: cost.failed += 1
            }
            cost.retries += max(0, node.attempts - 1)
            cost.seconds += node.seconds
            cost.waited += node.waited
            costs[node.stage] = cost
        }
        return order.compactMap { costs[$0] }
    }
}
