import Testing

@testable import DubTiming

@Suite struct ChainTests {
    private func bend(_ center: Double, _ random: inout SplitMix64, steep: Double = 0) -> Bend {
        Bend(
            center: center,
            below: (random.seconds(0...1), random.seconds(0...3)),
            above: (steep + random.seconds(0...1), random.seconds(0...3)))
    }

    /// Some links on a timeline short enough to try every place.
    private func links(_ random: inout SplitMix64) -> [Link] {
        var at = 0
        return (0..<Int.random(in: 1...4, using: &random)).map { _ in
            at += Int.random(in: 0...6, using: &random)
            let least = Int.random(in: 1...4, using: &random)
            let wanted = Double(at) * Chain.cell
            return Link(
                gap: Int.random(in: -1...2, using: &random),
                earliest: max(0, at - Int.random(in: 0...3, using: &random)),
                latestEnd: random.chance(0.2) ? at + 8 : 26,
                lengths: least...(least + Int.random(in: 0...3, using: &random)),
                // Lateness dearer than the slopes of length and end, as the solver asks for.
                start: bend(wanted, &random, steep: 2.2),
                length: bend(Double(least) * Chain.cell + random.seconds(0...0.03), &random),
                end: bend(wanted + random.seconds(0...0.08), &random))
        }
    }

    /// The least cost over every start and every length on the grid.
    private func bruteForce(_ links: ArraySlice<Link>, after free: Int) -> Double {
        guard let link = links.first else { return 0 }
        var best = Double.infinity
        var start = max(link.earliest, free + link.gap)
        while start + link.lengths.lowerBound <= link.latestEnd {
            for length in link.lengths where start + length <= link.latestEnd {
                let own = link.cost(Place(start: start, end: start + length))
                guard own < best else { continue }
                best = min(best, own + bruteForce(links.dropFirst(), after: start + length))
            }
            start += 1
        }
        return best
    }

    @Test("costs exactly what the best of all placements costs, or says that there is none")
    func optimal() throws {
        var random = SplitMix64(1)
        var solved = 0
        for round in 0..<1500 {
            let links = links(&random)
            let best = bruteForce(links[...], after: -1000)
            guard let places = Chain.solve(links) else {
                #expect(best == .infinity, "round \(round)")
                #expect(Chain.firstBroken(links) != nil)
                continue
            }
            solved += 1
            let cost = zip(links, places).reduce(0) { $0 + $1.0.cost($1.1) }
            #expect(abs(cost - best) < 1e-9, "round \(round): \(cost) instead of \(best)")
            var free = -1000
            for (link, place) in zip(links, places) {
                #expect(place.start >= max(link.earliest, free + link.gap))
                #expect(place.end <= link.latestEnd)
                #expect(link.lengths.contains(place.end - place.start))
                free = place.end
            }
        }
        #expect(solved > 800 && solved < 1500)
    }

    /// The least cost over every place in the item, found with no bound on where to look.
    private func exhaustive(_ links: [Link], until end: Int) -> Double {
        var best = [Double](repeating: 0, count: end + 1)  // By when the last ended, or earlier.
        for (index, link) in links.enumerated() {
            var next = [Double](repeating: .infinity, count: end + 1)
            for start in link.earliest..<max(link.earliest, end) {
                let free = index == 0 ? 0 : start - link.gap
                guard free >= 0, best[min(free, end)] < .infinity else { continue }
                for length in link.lengths where start + length <= min(end, link.latestEnd) {
                    let cost = best[min(free, end)] + link.cost(Place(start: start, end: start + length))
                    next[start + length] = min(next[start + length], cost)
                }
            }
            for index in 1...end { next[index] = min(next[index], next[index - 1]) }
            best = next
        }
        return best[end]
    }

    @Test("costs what the best of all placements of dubbed lines costs, at the weights that are used")
    func optimalFit() throws {
        var random = SplitMix64(7)
        var pushed = 0
        for round in 0..<150 {
            var (lines, duration) = random.dialogue(Int.random(in: 1...4, using: &random), tight: 0.7)
            // At a fifth of the length there are few enough places to try them all.
            for index in lines.indices {
                func small(_ span: Span) -> Span { Span(start: span.start / 5, end: span.end / 5) }
                lines[index].window = small(lines[index].window)
                lines[index].speech = lines[index].speech.map(small)
                lines[index].take.duration /= 5
                lines[index].take.speech = []
            }
            duration /= 5
            let solver = FitSolver(fit: Fit(), lines: lines, duration: duration)
            let links = lines.indices.flatMap { solver.links(of: $0, earliest: 0, latestEnd: solver.itemEnd) }
            let best = exhaustive(links, until: solver.itemEnd)
            let places = Chain.solve(links)
            let cost = places.map { zip(links, $0).reduce(0) { $0 + $1.0.cost($1.1) } } ?? .infinity
            #expect(cost == best || abs(cost - best) < 1e-9, "round \(round): \(cost) instead of \(best)")
            if let places, zip(links, places).contains(where: { $1.start > $0.earliest + 20 }) { pushed += 1 }
        }
        #expect(pushed > 10)
    }
}
