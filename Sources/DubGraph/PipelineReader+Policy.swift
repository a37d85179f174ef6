internal import DubCore

extension PipelineReader {
    /// How a stage is run, from its fields; what is malformed is a fault already and left at its default.
    static func policy(_ node: SourceNode, _ faults: inout [Fault]) -> RunPolicy {
        var policy = RunPolicy()
        policy.retry = node["retry"].map { retry($0, &faults) }
        policy.timeout = node["timeout"]?.text.flatMap(Quantity.duration)
        policy.limit = whole(node["limit"])
        policy.tolerance = node["tolerate"]?.text.flatMap(Quantity.tolerance) ?? .none
        let resources = node["resources"]
        policy.resources = Resources(
            cpu: whole(resources?["cpu"]), gpu: whole(resources?["gpu"]),
            memory: resources?["memory"]?.text.flatMap(Quantity.size), worker: whole(resources?["worker"]))
        return policy
    }

    private static func retry(_ node: SourceNode, _ faults: inout [Fault]) -> RetryPolicy {
        var retry = RetryPolicy()
        if let attempts = whole(node) ?? whole(node["attempts"]) { retry.attempts = attempts }
        if let backoff = node["backoff"]?.text.flatMap(Quantity.duration) { retry.backoff = backoff }
        if let ceiling = node["ceiling"]?.text.flatMap(Quantity.duration) {
            retry.ceiling = ceiling
        } else {
            retry.ceiling = max(retry.ceiling, retry.backoff)
        }
        if retry.ceiling < retry.backoff, let place = node["ceiling"]?.place {
            faults.append(Fault(place, "The ceiling is shorter than the first wait.", "Raise it, or lower `backoff`."))
        }
        if let jitter = node["jitter"]?.json.bool { retry.jitter = jitter }
        if let on = node["on"] { retry.on = texts(on) }
        return retry
    }

    private static func whole(_ node: SourceNode?) -> Int? {
        guard case .scalar(_, .integer(let value)) = node?.value else { return nil }
        return Int(exactly: value)
    }
}
