import DubTestKit
import Foundation
import Testing

@testable import DubHTTP

@Suite struct LineQueueTests {
    @Test("gives the same lines wherever the pieces end", arguments: 0..<40)
    func cuts(seed: Int) {
        var random = SeededRandom(seed: UInt64(seed))
        let lines = (0..<50).map { _ in
            String(
                repeating: ["é", "x", "漢", "{\"a\":1}"].randomElement(using: &random) ?? "",
                count: .random(in: 0...9, using: &random))
        }
        var rest = Array(lines.joined(separator: "\n").utf8)[...]
        var queue = LineQueue(limit: 1000)
        var found: [String] = []
        while !rest.isEmpty {
            let piece = Array(rest.prefix(.random(in: 1...7, using: &random)))
            rest = rest.dropFirst(piece.count)
            let isTaken = piece.withUnsafeBytes { queue.append($0) }
            #expect(isTaken)
            if Bool.random(using: &random) {
                while let line = queue.popFirst() { found.append(String(decoding: line, as: UTF8.self)) }
            }
        }
        queue.finish()
        while let line = queue.popFirst() { found.append(String(decoding: line, as: UTF8.self)) }
        // A last line that is empty has no end and no bytes: it is none.
        #expect(found == (lines.last == "" ? Array(lines.dropLast()) : lines))
        #expect(queue.waitingBytes == 0)
    }

    @Test("refuses a line above the limit, whole or in pieces")
    func limits() {
        var queue = LineQueue(limit: 4)
        func takes(_ text: String) -> Bool { Array(text.utf8).withUnsafeBytes { queue.append($0) } }
        #expect([takes("abcd\nabc"), takes("d\n"), takes("abc")] == [true, true, true])
        #expect(takes("de") == false)
        #expect(takes("12345\n") == false)
    }
}
