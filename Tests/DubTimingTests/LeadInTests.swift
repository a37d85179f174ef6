import DubTiming
import Testing

@Suite struct LeadInTests {
    private let fit = Fit()

    @Test("begins a line later where its take still ends in time, and no later than that")
    func room() throws {
        func start(_ window: Span, take: Double, next: Double? = nil) throws -> Double {
            var lines = [FitLine(window: window, take: Take(duration: take))]
            if let next { lines.append(FitLine(window: Span(start: next, end: next + 1), take: Take(duration: 1))) }
            return try #require(fit.place(lines, duration: 20, leadIn: 0.6)[0].span).start
        }
        let window = Span(start: 2, end: 5)
        #expect(try abs(start(window, take: 1) - 2.6) < 0.011)
        #expect(try abs(start(window, take: 3) - 2.6) < 0.011, "silence follows")
        #expect(try abs(start(window, take: 3, next: 5.5) - 2.29) < 0.011, "0.21 s stay before the next line")
        #expect(try start(window, take: 3.5, next: 5.5) <= 2, "there is no room")
        #expect(try start(window, take: 4) <= 2)
        #expect(try abs(start(Span(start: 17, end: 20), take: 2.8) - 17.2) < 0.011, "nothing outside the item")
    }

    @Test("without a lead-in it is the plain fit")
    func none() {
        var random = SplitMix64(30)
        let (lines, duration) = random.dialogue(12, overlaps: 0.3)
        #expect(fit.place(lines, duration: duration, leadIn: 0) == fit.place(lines, duration: duration))
    }

    @Test("refuses no line, sets none aside and speeds none up that it would not without")
    func harmless() throws {
        var random = SplitMix64(31)
        var led = 0
        for round in 0..<2000 {
            let (lines, duration) = random.dialogue(
                Int.random(in: 1...10, using: &random), overlaps: round % 3 == 0 ? 0.3 : 0)
            let before = fit.place(lines, duration: duration)
            let after = fit.place(lines, duration: duration, leadIn: 0.6)
            if round % 3 != 0 { expectSound(after, lines, duration: duration, "round \(round)") }
            for index in lines.indices {
                guard let then = before[index].span else { continue }
                let now = try #require(after[index].span, "round \(round), line \(index)")
                #expect(after[index].rate <= max(1, before[index].rate) + 0.02, "round \(round), line \(index)")
                if case .review = after[index].outcome {
                    guard case .review = before[index].outcome else {
                        Issue.record("round \(round), line \(index) is for review")
                        continue
                    }
                }
                if now.start - then.start > 0.25 { led += 1 }
            }
        }
        #expect(led > 2000)
    }
}
