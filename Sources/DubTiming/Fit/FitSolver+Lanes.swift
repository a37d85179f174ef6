extension FitSolver {
    /// From how many seconds two windows count as spoken at once; less is the looseness of detected edges.
    static let overlapFloor = 0.2

    /// Whether two lines may sound together because they do so in the source.
    static func overlapped(_ left: FitLine, _ right: FitLine) -> Bool {
        if let speaker = left.speaker, speaker == right.speaker { return false }
        return left.window.overlap(right.window) > overlapFloor
    }

    /// Parts lines into lanes within which no two overlap in the source; the first lane takes all it can.
    static func lanes(of lines: [FitLine], in order: [Int]) -> [[Int]] {
        var lanes: [[Int]] = [[]]
        // Windows in a lane hardly overlap, so the line that reaches furthest stands for all.
        var furthest: [Int?] = [nil]
        for index in order {
            let free = lanes.indices.first { lane in
                furthest[lane].map { !overlapped(lines[$0], lines[index]) } ?? true
            }
            let lane = free ?? lanes.count
            if lane == lanes.count {
                lanes.append([])
                furthest.append(nil)
            }
            lanes[lane].append(index)
            if let far = furthest[lane], lines[far].window.end > lines[index].window.end { continue }
            furthest[lane] = index
        }
        return lanes
    }
}

/// The lines already placed, as bounds for one more.
struct Fence {
    let lines: [FitLine]
    let placed: [Int: [Place]]
    /// In cells.
    let gap: Int

    /// Where a line may lie, in cells.
    ///
    /// A line that it did not overlap in the source stays before or after it, with the gap between; one that it
    /// overlapped in part is overlapped by no more than that.
    func room(for index: Int, itemEnd: Int) -> (start: Int, end: Int) {
        let own = lines[index]
        var room = (start: 0, end: itemEnd)
        for (other, places) in placed {
            guard let first = places.first, let last = places.last else { continue }
            let window = lines[other].window
            let before = (window.start, other) < (own.window.start, index)
            var allowed = -gap
            if FitSolver.overlapped(own, lines[other]) {
                // One inside the other: they may sound together throughout.
                if before ? window.end >= own.window.end : own.window.end >= window.end { continue }
                allowed = Int((own.window.overlap(window) / Chain.cell).rounded(.down))
            }
            if before {
                room.start = max(room.start, last.end - allowed)
            } else {
                room.end = min(room.end, first.start + allowed)
            }
        }
        return room
    }
}
