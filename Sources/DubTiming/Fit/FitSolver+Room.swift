extension FitSolver {
    /// When a line ends at the earliest, given when the one before it ends: `max(own, free + after)`, in cells.
    private struct Earliest {
        var own = Int.min / 2
        var after = 0

        func end(after free: Int) -> Int { max(own, free + after) }

        /// This line and then the other.
        func then(_ next: Earliest) -> Earliest {
            Earliest(own: next.end(after: own), after: after + next.after)
        }
    }

    /// Refuses lines of the first lane until the rest can end with the item: first those that are too long even alone,
    /// then each time the one whose absence frees the most. Before any is refused, the lines that push one another
    /// at the end may begin as early as `maxEarlyAtEnd`.
    mutating func makeRoom(in lane: [Int]) {
        var lane = lane.filter { refused[$0] == nil }
        var steps = lane.map(earliest)
        while true {
            var ends: [Int] = []
            for step in steps { ends.append(step.end(after: ends.last ?? Int.min / 2)) }
            guard let last = ends.last, last > itemEnd else { return }
            var from = lane.count - 1
            while from > 0, steps[from].own < ends[from] { from -= 1 }
            let tight = (from..<lane.count).filter { early[lane[$0]] < limits.maxEarlyAtEnd }
            guard tight.isEmpty else {
                for position in tight {
                    early[lane[position]] = limits.maxEarlyAtEnd
                    steps[position] = earliest(lane[position])
                }
                continue
            }
            let victim = steps.firstIndex { $0.own > itemEnd } ?? mostFreeing(from, steps, ends)
            let over = Double(last - itemEnd) * Chain.cell
            refused[lane[victim]] =
                "the lines would pass the end of the item by \(Self.text(over)), each as early and as fast as allowed"
            lane.remove(at: victim)
            steps.remove(at: victim)
        }
    }

    /// The line from `from` on without which the last would end the earliest; of equals the last.
    private func mostFreeing(_ from: Int, _ steps: [Earliest], _ ends: [Int]) -> Int {
        var rest = Earliest()
        var best = (end: Int.max, index: steps.count - 1)
        for index in (from..<steps.count).reversed() {
            let end = rest.end(after: index > 0 ? ends[index - 1] : Int.min / 2)
            if end < best.end { best = (end, index) }
            rest = steps[index].then(rest)
        }
        return best.index
    }

    private func earliest(_ index: Int) -> Earliest {
        links(of: index, earliest: 0, latestEnd: itemEnd).reduce(Earliest()) { step, link in
            let length = link.lengths.lowerBound
            return step.then(Earliest(own: link.earliest + length, after: link.gap + length))
        }
    }
}
