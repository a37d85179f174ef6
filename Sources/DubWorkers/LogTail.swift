internal import Foundation
internal import DubCore

/// What a process said last: its output cut into lines, the last 200 kept, each also handed on.
final class LogTail: Sendable {
    /// Longer lines are cut, in bytes.
    private static let longest = 4096
    private static let kept = 200

    private struct State {
        var lines: [String] = []
        var partial: [UInt8] = []
    }

    private let state = Locked(State())
    private let forward: (@Sendable (String) -> Void)?

    init(forward: (@Sendable (String) -> Void)?) {
        self.forward = forward
    }

    /// Takes the next bytes.
    func append(_ bytes: some Sequence<UInt8>) {
        let complete: [String] = state.withLock { state in
            var complete: [String] = []
            for byte in bytes {
                if byte == UInt8(ascii: "\n") {
                    complete.append(Self.close(&state))
                } else if state.partial.count < Self.longest {
                    state.partial.append(byte)
                }
            }
            return complete
        }
        for line in complete { forward?(line) }
    }

    /// Closes a last line that has no end.
    func finish() {
        let last = state.withLock { $0.partial.isEmpty ? nil : Self.close(&$0) }
        if let last { forward?(last) }
    }

    /// The last `count` lines, oldest first.
    func last(_ count: Int) -> [String] {
        state.withLock { Array($0.lines.suffix(count)) }
    }

    private static func close(_ state: inout State) -> String {
        let line = String(decoding: state.partial, as: UTF8.self)
        state.partial.removeAll(keepingCapacity: true)
        state.lines.append(line)
        if state.lines.count > kept { state.lines.removeFirst(state.lines.count - kept) }
        return line
    }
}
