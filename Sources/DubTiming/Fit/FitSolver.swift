/// One run of the fit: lines become links of chains, chains become placements.
///
/// Lines whose windows overlap in the source (two speakers at once) go to lanes of their own, placed after the first
/// lane and kept clear of every line that they did not overlap in the source. Where a lane has no room for one, it joins
/// the first lane and waits its turn there.
struct FitSolver {
    let fit: Fit
    let lines: [FitLine]
    let matches: [[Group]]
    /// In cells.
    let itemEnd: Int
    /// Why a line has no place; by line.
    var refused: [String?]
    /// How much earlier than its source each line may begin, in seconds.
    var early: [Double]

    var limits: FitLimits { fit.limits }

    init(fit: Fit, lines: [FitLine], duration: Double) {
        self.fit = fit
        self.lines = lines
        let match = PieceMatch(limits: fit.limits, weights: fit.weights)
        itemEnd = duration.isFinite ? Int((max(0, min(duration, 1e9)) / Chain.cell + 1e-6).rounded(.down)) : 0
        refused = lines.map { line in
            guard line.window.isSound, line.window.end >= 0 else { return "its source window is not a time" }
            guard line.take.duration.isFinite, line.take.duration > 0 else { return "its take is empty" }
            return nil
        }
        early = lines.map { _ in fit.limits.maxEarly }
        matches = zip(lines, refused).map { line, refusal in refusal == nil ? match.groups(for: line) : [] }
    }

    mutating func solve() -> [PlacedLine] {
        let order = lines.indices.filter { refused[$0] == nil }.sorted {
            (lines[$0].window.start, $0) < (lines[$1].window.start, $1)
        }
        var lanes = Self.lanes(of: lines, in: order)
        var placed: [Int: [Place]] = [:]
        for attempt in 0... {
            placed = [:]
            let turned = placeLanes(lanes, into: &placed)
            if turned.isEmpty { break }
            let crowd = attempt < 3 ? turned : Set(lanes.dropFirst().flatMap(\.self))
            let first = crowd.union(lanes[0])
            lanes = lanes.map { lane in lane.filter { !crowd.contains($0) } }
            lanes[0] = order.filter { first.contains($0) }
        }
        return lines.indices.map { index in
            guard let places = placed[index] else {
                return PlacedLine(pieces: [], outcome: .unvoiced(refused[index] ?? "there is no room for it"))
            }
            let pieces = zip(matches[index], places).map(Self.piece)
            return PlacedLine(pieces: pieces, outcome: outcome(of: pieces, for: index))
        }
    }

    private static func piece(_ group: Group, _ place: Place) -> PlacedPiece {
        PlacedPiece(
            takeStart: group.take.start, takeEnd: group.take.end, start: Chain.seconds(place.start),
            rate: rate(group.take.length, cells: place.end - place.start))
    }

    /// Too short for the grid: natural, in cells rounded up.
    private static func rate(_ seconds: Double, cells: Int) -> Double {
        let rate = seconds / Chain.seconds(cells)
        return seconds < 0.06 ? 1 : rate
    }

    /// - Returns: the lines that found no room in lanes after the first.
    private mutating func placeLanes(_ lanes: [[Int]], into placed: inout [Int: [Place]]) -> Set<Int> {
        makeRoom(in: lanes[0])
        let first = lanes[0].filter { refused[$0] == nil }
        place(first.map { ($0, links(of: $0, earliest: 0, latestEnd: itemEnd)) }, into: &placed)
        var turned: Set<Int> = []
        for lane in lanes.dropFirst() where !lane.isEmpty {
            let fence = Fence(lines: lines, placed: placed, gap: gapCells)
            var chain: [(Int, [Link])] = []
            var free = Int.min / 2
            for index in lane {
                let room = fence.room(for: index, itemEnd: itemEnd)
                let links = links(of: index, earliest: room.start, latestEnd: room.end)
                var end = free
                var fits = true
                for link in links {
                    end = max(link.earliest, end + link.gap) + link.lengths.lowerBound
                    fits = fits && end <= link.latestEnd
                }
                if fits {
                    chain.append((index, links))
                    free = end
                } else {
                    turned.insert(index)
                }
            }
            place(chain, into: &placed)
        }
        return turned
    }

    private func place(_ chain: [(Int, [Link])], into placed: inout [Int: [Place]]) {
        guard let places = Chain.solve(chain.flatMap(\.1)) else { return }
        var at = 0
        for (index, links) in chain {
            placed[index] = Array(places[at..<at + links.count])
            at += links.count
        }
    }

    var gapCells: Int { Self.cells(limits.minGap) }

    static func cells(_ seconds: Double) -> Int { Int((seconds / Chain.cell - 1e-6).rounded(.up)) }

    func links(of index: Int, earliest: Int, latestEnd: Int) -> [Link] {
        let weights = fit.weights
        let window = lines[index].window
        return matches[index].enumerated().map { position, group in
            let natural = group.take.length
            // The silence kept before the speech begins early, so that the speech itself begins with the source's.
            let wanted = group.target.start - group.lead
            let first = position == 0
            let before = first ? weights.early : weights.inner
            let after = first ? weights.late : weights.inner
            let bound = first ? max(earliest, Self.cells(window.start - early[index])) : earliest
            let stretch = weights.rate / natural
            return Link(
                gap: first ? gapCells : Self.cells(group.gap),
                earliest: max(0, bound), latestEnd: latestEnd,
                lengths: Self.lengths(of: natural, within: limits.rate),
                start: Bend(
                    center: max(wanted, first ? window.start - early[index] : wanted),
                    below: (before.linear, before.square), above: (after.linear, after.square)),
                length: Bend(center: natural, below: (0, stretch), above: (0, stretch)),
                end: Bend(
                    center: group.target.end + group.trail, below: (weights.short, 0),
                    above: (weights.spill.linear, weights.spill.square)),
                strain: Strain(
                    free: (natural / (1 + weights.ease))...(natural / (1 - weights.ease)), slope: weights.strain))
        }
    }

    private static func lengths(of natural: Double, within rate: ClosedRange<Double>) -> ClosedRange<Int> {
        let shortest = cells(natural / rate.upperBound)
        let longest = Int((natural / rate.lowerBound / Chain.cell + 1e-6).rounded(.down))
        let plain = max(1, cells(natural))
        return natural < 0.06 || longest < shortest ? plain...plain : shortest...longest
    }

    static func text(_ seconds: Double) -> String {
        let hundredths = Int((seconds * 100).rounded())
        let rest = hundredths % 100
        return "\(hundredths / 100).\(rest < 10 ? "0" : "")\(rest) s"
    }

    private func outcome(of pieces: [PlacedPiece], for index: Int) -> FitOutcome {
        guard let first = pieces.first, let last = pieces.last, let head = matches[index].first,
            let tail = matches[index].last
        else { return .unvoiced("its take is empty") }
        let window = lines[index].window
        let late = first.start + head.lead / first.rate - window.start
        let spill = last.end - tail.trail / last.rate - window.end
        if late > limits.maxLate { return .review("begins \(Self.text(late)) after the source") }
        if spill > limits.maxSpill { return .review("goes on \(Self.text(spill)) after the source") }
        return spill > 0.1 ? .spills(by: spill) : .fits
    }
}
