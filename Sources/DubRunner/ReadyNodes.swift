internal import DubGraph

/// Nodes of one item that are ready and not taken up yet: deeper stages first, then in the order of their making.
///
/// Work of this process and work of workers stand in two queues, so that neither keeps the other from starting.
struct ReadyNodes {
    private struct Bucket {
        var nodes: [Int] = []
        var taken = 0
    }

    private var buckets: [StageSignature.Resource: [Bucket]] = [:]
    private let depths: Int

    init(_ graph: Graph) {
        depths = (graph.steps.map(\.depth).max() ?? 0) + 1
        for resource in [StageSignature.Resource.cpu, .worker] {
            buckets[resource] = Array(repeating: Bucket(), count: depths)
        }
    }

    mutating func add(_ node: Int, of step: Graph.Step) {
        buckets[step.signature.resource]?[step.depth].nodes.append(node)
    }

    /// Takes up to `count` nodes of a resource.
    mutating func take(_ count: Int, of resource: StageSignature.Resource) -> [Int] {
        var taken: [Int] = []
        for depth in (0..<depths).reversed() where taken.count < count {
            guard var bucket = buckets[resource]?[depth], bucket.taken < bucket.nodes.count else { continue }
            buckets[resource]?[depth] = Bucket()
            let end = min(bucket.nodes.count, bucket.taken + count - taken.count)
            taken += bucket.nodes[bucket.taken..<end]
            bucket.taken = end
            // What was taken is let go of once it is the larger part.
            if bucket.taken > 1024, bucket.taken * 2 > bucket.nodes.count {
                bucket.nodes.removeFirst(bucket.taken)
                bucket.taken = 0
            }
            buckets[resource]?[depth] = bucket
        }
        return taken
    }
}
