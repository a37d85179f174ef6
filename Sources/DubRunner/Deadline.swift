public import DubCore

/// Runs `work`, and has it stop when its time is up.
///
/// - Throws: `node.timeout` after the work, cancelled, has come to its end; what the work throws.
func within<Value: Sendable>(
    _ limit: Duration?, at place: String, _ work: @escaping @Sendable () async throws -> Value
) async throws -> Value {
    guard let limit else { return try await work() }
    return try await withThrowingTaskGroup(of: Value?.self) { group in
        group.addTask { try await work() }
        group.addTask {
            try await Task.sleep(for: limit)
            return nil
        }
        defer { group.cancelAll() }
        guard let first = try await group.next(), let value = first else {
            throw DubError(
                .nodeTimeout, "It took longer than \(limit).", at: place,
                fix: "Give it more time with `timeout` in the pipeline, or smaller pieces.", persistence: .transient)
        }
        return value
    }
}

extension DubError.Code {
    /// An attempt at a node took longer than its pipeline allows.
    public static let nodeTimeout = Self(name: "node.timeout")
    /// A pipeline asks for more than the machine has.
    public static let resourcesExceeded = Self(name: "resources.exceeded")
}
