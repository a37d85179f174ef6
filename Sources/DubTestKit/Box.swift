public import DubCore

/// A value that a test and its helpers share across threads.
public final class Box<Value: Sendable>: Sendable {
    private let content: Locked<Value>

    /// Puts a value in.
    public init(_ value: Value) {
        content = Locked(value)
    }

    /// The value now.
    public var value: Value {
        get { content.withLock { $0 } }
        set { content.withLock { $0 = newValue } }
    }

    /// Changes the value in one step.
    public func update(_ change: (inout Value) -> Void) {
        content.withLock { change(&$0) }
    }
}

/// The `DubError` that `body` throws; `nil` when it throws none or another.
public func failure(_ body: () async throws -> Void) async -> DubError? {
    do {
        try await body()
        return nil
    } catch {
        return error as? DubError
    }
}
