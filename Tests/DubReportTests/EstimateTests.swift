import DubCore
import DubRunner
import Foundation
import Testing

@testable import DubReport

@Suite struct EstimateTests {
    /// An item whose stages took `scale` of a tenth and of a half of its length, the second for each language.
    private func past(
        media: Double, scale: Double = 1, languages: Int = 1, run: String = "r", model: String = "a",
        ran: (of: Int, total: Int) = (4, 4), overlap: Double = 1
    ) -> PastItem {
        let share = Double(ran.of) / Double(ran.total)
        let hear = media * 0.1 * scale
        let say = media * 0.5 * scale * Double(languages) * share
        return PastItem(
            run: run, settings: ["translator": .string(model)], mediaSeconds: media,
            wallSeconds: (hear + say) * overlap,
            stages: [
                StageFigure(
                    run: run, item: 0, stage: "hear", ran: 1, total: 1, elements: 1, busySeconds: hear,
                    nodeSeconds: hear),
                StageFigure(
                    run: run, item: 0, stage: "say", ran: ran.of, total: ran.total, elements: languages,
                    busySeconds: say, nodeSeconds: say * 2),
            ])
    }

    private func future(
        media: Double? = 100, hear: Double = 1, say: Double = 1, languages: Int = 1
    ) -> FutureItem {
        FutureItem(
            mediaSeconds: media,
            stages: [
                .init(name: "hear", share: hear, nodes: 1, elements: 1),
                .init(name: "say", share: say, nodes: 4, elements: languages),
            ])
    }

    private func estimate(
        _ items: [FutureItem], _ past: [PastItem], model: String = "a", walls: [String: Double] = [:],
        price: Double? = nil
    ) -> Estimate {
        Estimate(
            items, settings: ["translator": .string(model)], past: past, runWalls: walls, costPerHour: price)
    }

    @Test("by the length of the media, the languages, and what is cached")
    func scales() throws {
        let known = [past(media: 50), past(media: 200), past(media: 80, languages: 2)]
        #expect(try #require(estimate([future()], known).seconds).isNear(60))
        #expect(try #require(estimate([future(languages: 3)], known).seconds).isNear(160))
        #expect(try #require(estimate([future(hear: 0)], known).seconds).isNear(50))
        #expect(try #require(estimate([future(hear: 0, say: 0.1)], known).seconds).isNear(5))
        #expect(try #require(estimate([future(), future()], known).seconds).isNear(120))
        let cached = estimate([future(hear: 0, say: 0)], known)
        #expect(cached.seconds == 0 && cached.stages.isEmpty && cached.description == "nothing to run")
        let half = [past(media: 100, ran: (3, 4))]
        #expect(try #require(estimate([future()], half).seconds).isNear(60), "what ran stands for the whole stage")
    }

    @Test("stages that overlapped and items side by side count as they did")
    func overlaps() throws {
        let known = [past(media: 50, overlap: 0.5), past(media: 200, overlap: 0.5)]
        let one = estimate([future()], known)
        #expect(try #require(one.seconds).isNear(30) && one.stages.compactMap(\.seconds).reduce(0, +).isNear(30))
        // Both items are of run `r`: 15 and 60 seconds, one beside the other in 60.
        #expect(try #require(estimate([future(), future()], known, walls: ["r": 60]).seconds).isNear(48))
    }

    @Test("the error is how far off each past item was when judged by the others")
    func error() throws {
        let exact = estimate([future()], [past(media: 50), past(media: 90), past(media: 10)])
        #expect(try #require(exact.relativeError).isNear(0))
        #expect(exact.description == "1 min 00 s (± 0 % over 3 past items)")
        let two = estimate([future()], [past(media: 50), past(media: 90, scale: 2)])
        // Judged by the other, one is told half of what it took, the other twice: the median of 0.5 and 1.
        #expect(try #require(two.relativeError).isNear(0.75))
        let one = estimate([future()], [past(media: 50)])
        #expect(one.relativeError == nil && one.description == "1 min 00 s (from 1 past item)")
    }

    @Test("items with the same settings go before others")
    func alike() throws {
        let known = [past(media: 50, scale: 10, model: "b"), past(media: 60)]
        #expect(try #require(estimate([future()], known).seconds).isNear(60))
        #expect(try #require(estimate([future()], known, model: "b").seconds).isNear(600))
        let other = estimate([future()], known, model: "c")
        #expect(try #require(other.seconds) > 0 && other.items == 2)
    }

    @Test("says what it has no figures for")
    func unknown() {
        let none = estimate([future()], [])
        #expect(none.seconds == nil && none.description == "no figures yet" && none.cost == nil)
        var partial = past(media: 50)
        partial.stages.removeLast()
        let some = estimate([future()], [partial])
        #expect(some.withoutFigures == ["say"])
        #expect(some.description.hasSuffix("without say: no figures yet"))
        let lengthless = estimate([future(media: nil)], [past(media: 40)])
        #expect(lengthless.seconds?.isNear(4 + 20) == true, "by nodes, as the item that is known had as many")
    }

    @Test("what an item costs whatever its length is not multiplied by it")
    func fixed() throws {
        func line(_ points: [CostLine.Point]) throws -> CostLine { try #require(CostLine(points)) }
        #expect(try line([(10, 5), (20, 6), (60, 10)]).seconds(for: 100).isNear(14))
        #expect(
            try line([(10, 5), (20, 6), (60, 10), (30, 400)]).seconds(for: 100) < 40, "one that is off moves little")
        #expect(try line([(10, 3), (100, 3)]).seconds(for: 1000).isNear(3))
        #expect(try line([(10, 9), (100, 3)]).seconds(for: 1000) < 10, "longer is never cheaper")
        #expect(try line([(10, 5)]).seconds(for: 20).isNear(10))
        #expect(try line([(100, 50), (101, 49)]).seconds(for: 200) > 90, "of one length: by the second")
        #expect(CostLine([]) == nil)
    }

    @Test("an hour has a price")
    func cost() throws {
        let priced = estimate([future()], [past(media: 50)], price: 1.2)
        #expect(try #require(priced.cost).isNear(0.02))
        #expect(priced.description.contains(", cost 0.02"))
    }
}

extension Double {
    fileprivate func isNear(_ other: Double) -> Bool { abs(self - other) < 1e-6 * max(1, abs(other)) }
}
