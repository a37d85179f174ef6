public import DubCore
public import DubGraph

/// What a run tells whoever watches, as it happens. Events of one node come in order; nodes interleave.
public enum RunEvent: Sendable {
    /// An item is taken up.
    case itemStarted(item: Int, source: String)
    /// Nodes were unfolded: how many there are of a stage now.
    case unfolded(item: Int, stage: String, count: Int)
    /// A node begins.
    case nodeStarted(item: Int, stage: String, node: String, reason: RunReason)
    /// How much of a node is done, 0…1.
    case nodeProgress(item: Int, stage: String, node: String, fraction: Double)
    /// An attempt failed in a way that may pass, and is tried again.
    case nodeRetried(item: Int, stage: String, node: String, attempt: Int, error: DubError)
    /// A node is done.
    case nodeFinished(item: Int, stage: String, node: String, cached: Bool, seconds: Double)
    /// A node failed for good.
    case nodeFailed(item: Int, stage: String, node: String, error: DubError)
    /// All nodes of a stage are done, and no more will come.
    case stageFinished(item: Int, stage: String)
    /// An item is finished, or as far as it gets.
    case itemFinished(ItemRecord)
}
