import DubTestKit
import DubTiming
import Testing

@testable import DubStages

/// Speech as it may lie in a file: stretches and pauses of all lengths.
private func speech(seed: UInt64, longest: Double, duration: inout Double) -> [Span] {
    var random = SeededRandom(seed: seed)
    var spans: [Span] = []
    var at = Double.random(in: 0...3, using: &random)
    for _ in 0..<Int.random(in: 1...120, using: &random) {
        let length = Double.random(in: 0.05...1, using: &random) * Double.random(in: 0.2...longest, using: &random)
        spans.append(Span(start: at, end: at + length))
        let pause = Double.random(in: 0...1, using: &random)
        at += length + 0.03 + pause * pause * pause * (Bool.random(using: &random) ? 1.5 : 9)
    }
    duration = at + Double.random(in: 0...5, using: &random)
    return spans
}

@Suite struct ChunkCutterTests {
    private let cutter = ChunkCutter()

    @Test("chunks are short enough, in order, apart, and hold all speech", arguments: 0..<200 as Range<UInt64>)
    func properties(seed: UInt64) throws {
        var duration = 0.0
        let spans = speech(seed: seed, longest: seed % 4 == 0 ? 90 : 9, duration: &duration)
        let chunks = cutter.chunks(of: spans, duration: duration)
        #expect(!chunks.isEmpty)
        for chunk in chunks {
            #expect(chunk.length <= 28.6 + 1e-9)
            #expect(chunk.start >= 0 && chunk.end <= duration)
            #expect(spans.contains { $0.overlap(chunk) > 0 }, "a chunk without speech")
        }
        for (left, right) in zip(chunks, chunks.dropFirst()) { #expect(left.end <= right.start) }
        let covered = spans.reduce(0) { sum, span in sum + chunks.reduce(0) { $0 + $1.overlap(span) } }
        #expect(abs(covered - spans.total) < 1e-6)
    }

    @Test("a file cut shorter at its end keeps the chunks before the cut", arguments: 0..<200 as Range<UInt64>)
    func cutAtEnd(seed: UInt64) throws {
        var duration = 0.0
        let spans = speech(seed: seed, longest: 9, duration: &duration)
        let whole = cutter.chunks(of: spans, duration: duration)
        var random = SeededRandom(seed: seed &+ 1000)
        let end = Double.random(in: 0...duration, using: &random)
        let item = Span(start: 0, end: end)
        let short = cutter.chunks(of: spans.compactMap { $0.clipped(to: item) }, duration: end)
        // A cut looks ahead for a chunk's length and a long pause.
        let kept = whole.prefix { $0.start + 28.6 + 4 + 9 < end }
        #expect(Array(short.prefix(kept.count)) == Array(kept))
    }

    @Test("a file cut at its start finds back to the same cuts behind a long pause")
    func cutAtStart() throws {
        var spans = (0..<20).map { Span(start: Double($0) * 3, end: Double($0) * 3 + 2.2) }
        spans += (0..<20).map { Span(start: 66 + Double($0) * 3, end: 68 + Double($0) * 3) }
        let whole = cutter.chunks(of: spans, duration: 130)
        let moved = spans.compactMap { $0.clipped(to: Span(start: 7, end: 130)) }.map { $0.shifted(by: -7) }
        let cut = cutter.chunks(of: moved, duration: 123).map { $0.shifted(by: 7) }
        let behind = whole.filter { $0.start > 60 }
        #expect(behind.count >= 2)
        for (left, right) in zip(cut.suffix(behind.count), behind) {
            #expect(abs(left.start - right.start) < 1e-9 && abs(left.end - right.end) < 1e-9)
        }
    }

    @Test("speech without a pause is cut evenly, none into a long silence")
    func noPauses() {
        let chunks = cutter.chunks(of: [Span(start: 10, end: 110)], duration: 300)
        #expect(chunks.count == 4)
        #expect(chunks.first?.start == 9.7)
        #expect(chunks.last?.end == 110.3)
        let apart = cutter.chunks(of: [Span(start: 1, end: 2), Span(start: 6, end: 7)], duration: 8)
        #expect(apart == [Span(start: 0.7, end: 2.3), Span(start: 5.7, end: 7.3)])
        #expect(cutter.chunks(of: [], duration: 10).isEmpty)
        #expect(cutter.chunks(of: [Span(start: 0, end: 3)], duration: 3) == [Span(start: 0, end: 3)])
    }
}
