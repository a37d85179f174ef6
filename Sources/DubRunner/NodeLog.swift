internal import DubCore

/// The last lines that an attempt wrote to its log.
final class NodeLog: Sendable {
    private static let kept = 100
    private let lines = Locked<[String]>([])

    func add(_ line: String) {
        lines.withLock { lines in
            if lines.count == Self.kept { lines.removeFirst() }
            lines.append(String(line.prefix(2000)))
        }
    }

    /// `nil` where nothing was written.
    var text: String? { lines.withLock { $0.isEmpty ? nil : $0.joined(separator: "\n") } }
}
