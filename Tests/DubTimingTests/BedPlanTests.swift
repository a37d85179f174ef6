import DubTiming
import Testing

@Suite struct BedPlanTests {
    @Test("covers the item once, keep and replace in turn, with all speech replaced")
    func properties() {
        var wrong = Complaints()
        var random = SplitMix64(11)
        for round in 0..<2000 {
            let duration = random.seconds(0.1...30)
            let count = Int.random(in: 0...10, using: &random)
            let speech = (0..<count).map { _ in
                let start = random.seconds(0...duration)
                return Span(start: start, end: start + random.seconds(0...3))
            }
            let dub = speech.filter { _ in random.chance(0.8) }.map {
                $0.shifted(by: random.seconds(0...0.5))
            }
            let plan = BedPlan.make(sourceSpeech: speech, dub: dub, duration: duration)
            wrong.unless(
                plan.regions.first?.span.start == 0 && plan.regions.last?.span.end == duration,
                "round \(round): rule 1")
            for (left, right) in zip(plan.regions, plan.regions.dropFirst()) {
                wrong.unless(
                    left.span.end == right.span.start && left.kind != right.kind, "round \(round): rule 2")
            }
            for region in plan.regions where region.kind == .keep {
                wrong.unless(region.span.length > 0.249 || plan.regions.count == 1, "round \(round): rule 3")
                for span in speech where span.length > 0 {
                    wrong.unless(
                        span.distance(to: region.span) > 0.039 || span.start >= duration,
                        "round \(round): rule 4")
                }
            }
        }
        #expect(wrong.all == [])
    }

    @Test("has gain 0 under speech, 1 where kept, and goes from one to the other in the guard")
    func gains() {
        let plan = BedPlan.make(
            sourceSpeech: [Span(start: 1, end: 2), Span(start: 2.2, end: 3)], duration: 4)
        #expect(plan.replaced == [Span(start: 0.96, end: 3.04)])
        var gain = plan.gain(sampleRate: 1000)
        var block = [Float](repeating: -1, count: 4000)
        gain.fill(&block, from: 0)
        #expect(block[..<960].allSatisfy { $0 == 1 })
        #expect(block[990..<3010].allSatisfy { $0 == 0 })
        #expect(block[3040...].allSatisfy { $0 == 1 })
        for index in 960..<990 { #expect(block[index] < block[index - 1] && block[index] > 0) }
        for index in 3010..<3040 { #expect(block[index] > block[index - 1]) }
        for value in block {
            let other = gain.replacement(for: value)
            #expect(abs(value * value + other * other - 1) < 1e-5)
        }
    }

    @Test("gives the same gains in any blocks, in any order")
    func blocks() {
        var random = SplitMix64(12)
        for curve in [BedGain.Curve.linear, .equalPower] {
            for _ in 0..<100 {
                let speech = random.spans(8, in: Span(start: 0, end: 20), gap: 0.1)
                let plan = BedPlan.make(sourceSpeech: speech, duration: 20)
                var whole = [Float](repeating: 0, count: 20_000)
                var gain = plan.gain(sampleRate: 1000, curve: curve)
                gain.fill(&whole, from: 0)
                for _ in 0..<20 {
                    let first = Int.random(in: 0..<19_000, using: &random)
                    var block = [Float](repeating: 0, count: Int.random(in: 1...1000, using: &random))
                    gain.fill(&block, from: Int64(first))
                    #expect(block[...] == whole[first..<first + block.count])
                }
            }
        }
    }

    @Test("does not let a scrap of the source through while the dub speaks")
    func bridge() {
        let speech = [Span(start: 1, end: 2), Span(start: 2.6, end: 3)]
        #expect(BedPlan.make(sourceSpeech: speech, duration: 5).replaced.count == 2)
        let dub = [Span(start: 1, end: 3)]
        #expect(BedPlan.make(sourceSpeech: speech, dub: dub, duration: 5).replaced.count == 1)
    }

    @Test("keeps all of an item in which nobody speaks, and nothing of an empty one")
    func silent() {
        #expect(
            BedPlan.make(sourceSpeech: [], duration: 3).regions == [
                BedPlan.Region(span: Span(start: 0, end: 3), kind: .keep)
            ])
        #expect(BedPlan.make(sourceSpeech: [Span(start: 0, end: 1)], duration: 0).regions.isEmpty)
    }
}
