internal import DubCore
public import DubGraph
internal import Foundation

/// Runs plans: items side by side, each node once, what is in the store not at all.
///
/// A node's outputs are in the store and its result in the ledger before anything that reads them starts, so a run
/// that is killed anywhere and started again repeats only what was in flight. Nodes are looked up in the ledger many
/// at a time, and only so many are taken up at once, so that a fan-out of a hundred thousand is a long list and not a
/// hundred thousand tasks.
public struct Runner: Sendable {
    let stages: [String: any Stage]
    let store: any Store
    let ledger: any Ledger
    let retry: RetryPolicy
    let admission: Admission
    let gate = KeyGate()
    let observe: @Sendable (RunEvent) -> Void

    /// Nodes of one resource that an item has in flight: looked up, waiting for their place, running.
    private static let window = 256
    /// Nodes that are looked up together.
    private static let lookSize = 128

    /// Makes a runner.
    ///
    /// - Parameters:
    ///   - capacity: what nodes may hold at once, over all items.
    ///   - retry: what holds for stages of which the pipeline does not say.
    public init(
        stages: [String: any Stage], store: any Store, ledger: any Ledger, capacity: Capacity,
        retry: RetryPolicy = RetryPolicy(), observe: @escaping @Sendable (RunEvent) -> Void = { _ in }
    ) {
        self.stages = stages
        self.store = store
        self.ledger = ledger
        self.retry = retry
        admission = Admission(capacity)
        self.observe = observe
    }

    /// Unfolds and runs one item's plan to its end, or as far as failures let it.
    ///
    /// A failed node stops what reads from it and nothing else. Never throws: what went wrong is in the result.
    public func process(_ item: RunItem, graph: Graph, force: Bool = false) async -> PlanResult {
        var result = PlanResult(plan: Plan(graph))
        if let error = shortage(of: graph) {
            result.errors = [error]
            return result
        }
        let progress = ItemProgress(item: item, graph: graph, force: force)
        await withTaskGroup(of: [Outcome].self) { group in
            var ready = ReadyNodes(graph)
            var again: [Job] = []
            var announcement = Announcement(graph)
            var inFlight: [StageSignature.Resource: Int] = [:]
            while true {
                while let node = result.plan.popReady() {
                    ready.add(node, of: graph.steps[result.plan.nodes[node].step])
                }
                for (step, count) in announcement.news(of: result.plan) {
                    observe(.unfolded(item: item.index, stage: graph.steps[step].name, count: count))
                }
                for step in announcement.ends(in: result.plan) {
                    observe(.stageFinished(item: item.index, stage: graph.steps[step].name))
                }
                if !again.isEmpty {
                    let jobs = again
                    again = []
                    group.addTask { await look(jobs) }
                }
                for resource in [StageSignature.Resource.worker, .cpu] {
                    while true {
                        let room = Self.window - inFlight[resource, default: 0]
                        let nodes = ready.take(min(room, Self.lookSize), of: resource)
                        guard !nodes.isEmpty else { break }
                        inFlight[resource, default: 0] += nodes.count
                        let jobs = nodes.map { job($0, of: result.plan, progress) }
                        group.addTask { await look(jobs) }
                    }
                }
                guard let outcomes = await group.next() else { return }
                for outcome in outcomes {
                    switch outcome {
                    case .prepared(let job):
                        group.addTask { [await perform(job)] }
                        continue
                    case .elsewhere(let job, let key, let isOwn):
                        group.addTask { [await wait(job, for: key, isOwn: isOwn)] }
                        continue
                    case .again(let job):
                        again.append(job)
                        continue
                    case .done(let job, let outputs, let cached):
                        if cached { result.nodes.cached += 1 } else { result.nodes.run += 1 }
                        result.plan.finish(job.index, outputs: outputs)
                        inFlight[job.step.signature.resource, default: 1] -= 1
                    case .failed(let job, let error):
                        if result.plan.fail(job.index) {
                            result.tolerated.append(error)
                        } else {
                            result.errors.append(error)
                        }
                        inFlight[job.step.signature.resource, default: 1] -= 1
                    case .cancelled(let job):
                        result.isCancelled = true
                        inFlight[job.step.signature.resource, default: 1] -= 1
                    }
                }
            }
        }
        if result.errors.isEmpty, !result.isCancelled, !result.plan.isFinished {
            // More was lost than the pipeline tolerates: it is no longer tolerated.
            swap(&result.errors, &result.tolerated)
        }
        return result
    }

    private func job(_ node: Int, of plan: Plan, _ progress: ItemProgress) -> Job {
        Job(
            progress: progress, index: node, name: plan.name(of: node),
            step: progress.graph.steps[plan.nodes[node].step], inputs: plan.inputs(of: node, given: progress.given),
            queued: Date())
    }

    /// What a pipeline asks for that there is not on this machine.
    private func shortage(of graph: Graph) -> DubError? {
        for step in graph.steps {
            guard let shortage = admission.shortage(.init(step)) else { continue }
            return DubError(
                .resourcesExceeded, "The stage `\(step.name)` asks for \(shortage).", at: graph.file,
                fix: "Lower `resources` of the stage, or run it where there is more.")
        }
        return nil
    }
}

/// What the nodes of one item share.
final class ItemProgress: Sendable {
    let item: RunItem
    let graph: Graph
    let given: [String: Artifact]
    /// Bytes that lie outside the store, by digest.
    let outside: [Digest: String]
    let force: Bool

    init(item: RunItem, graph: Graph, force: Bool) {
        self.item = item
        self.graph = graph
        self.force = force
        given = item.given.mapValues(\.artifact)
        outside = Dictionary(item.given.values.map { ($0.artifact.digest, $0.path) }, uniquingKeysWith: { $1 })
    }
}

/// A node that is taken up.
struct Job: Sendable {
    let progress: ItemProgress
    let index: Int
    let name: String
    let step: Graph.Step
    let inputs: StageInputs
    let queued: Date
    /// Set when it was looked up.
    var key: Digest?
    var fingerprint = ""
    var reason = RunReason.neverRan
    /// Runs though its outputs are known, as they are gone or it was forced.
    var isForced = false

    var item: RunItem { progress.item }
}

/// What became of a node, or what has to be done next with it.
enum Outcome: Sendable {
    /// It has to be run.
    case prepared(Job)
    /// Another node of this process (`isOwn`), or another process, runs the key.
    case elsewhere(Job, Digest, isOwn: Bool)
    /// It has to be looked up again.
    case again(Job)
    case done(Job, outputs: [String: StageValue], cached: Bool)
    case failed(Job, DubError)
    case cancelled(Job)
}

/// Tells how many nodes of each stage there are, when that has changed.
private struct Announcement {
    private var counts: [Int]
    private var open: [Int]
    private var seen = 0

    init(_ graph: Graph) {
        counts = [Int](repeating: 0, count: graph.steps.count)
        open = Array(graph.steps.indices)
    }

    /// Steps that came to their end since this was last asked.
    mutating func ends(in plan: Plan) -> [Int] {
        let ended = open.filter { plan.isComplete(step: $0) }
        if !ended.isEmpty { open.removeAll { plan.isComplete(step: $0) } }
        return ended
    }

    mutating func news(of plan: Plan) -> [(step: Int, count: Int)] {
        guard seen < plan.nodes.count else { return [] }
        var changed: Set<Int> = []
        for node in plan.nodes[seen...] {
            counts[node.step] += 1
            changed.insert(node.step)
        }
        seen = plan.nodes.count
        return changed.sorted().map { ($0, counts[$0]) }
    }
}
