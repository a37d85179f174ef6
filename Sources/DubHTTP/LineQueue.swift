internal import Foundation
internal import Glibc

/// Cuts a stream of bytes into lines, wherever its pieces happen to end.
struct LineQueue {
    /// The longest line that is taken, in bytes, its end not counted.
    let limit: Int
    private var lines: [Data] = []
    private var first = 0
    private var partial = Data()
    /// The bytes of the whole lines that wait to be taken.
    private(set) var waitingBytes = 0

    init(limit: Int) {
        self.limit = limit
    }

    /// Takes the next piece.
    ///
    /// - Returns: Whether every line in it is within the limit.
    mutating func append(_ piece: UnsafeRawBufferPointer) -> Bool {
        var rest = piece
        while let start = rest.baseAddress, let end = memchr(start, Int32(UInt8(ascii: "\n")), rest.count) {
            let length = UnsafeRawPointer(end) - start
            guard partial.count + length <= limit else { return false }
            partial.append(contentsOf: UnsafeRawBufferPointer(rebasing: rest[..<length]))
            push()
            rest = UnsafeRawBufferPointer(rebasing: rest[(length + 1)...])
        }
        guard partial.count + rest.count <= limit else { return false }
        partial.append(contentsOf: rest)
        return true
    }

    /// Closes a last line that has no end.
    mutating func finish() {
        if !partial.isEmpty { push() }
    }

    /// The next whole line, without its end.
    mutating func popFirst() -> Data? {
        guard first < lines.count else { return nil }
        let line = lines[first]
        first += 1
        waitingBytes -= line.count + 1
        if first == lines.count {
            lines.removeAll(keepingCapacity: true)
            first = 0
        } else if first > 1024 {
            lines.removeFirst(first)
            first = 0
        }
        return line
    }

    private mutating func push() {
        waitingBytes += partial.count + 1
        lines.append(partial)
        partial = Data()
    }
}
