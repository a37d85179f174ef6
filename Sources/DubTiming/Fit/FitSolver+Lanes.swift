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
    private struct Post {
        var line: Int
        var start: Int
        var end: Int
        /// Of this line and all before it: the latest end in the source, and the latest end in the dub.
        var sourceReach = -Double.infinity
        var reach = Int.min / 2
        /// Of this line and all after it: the earliest start in the dub.
        var onset = Int.max / 2
    }

    private let lines: [FitLine]
    /// In order of their starts in the source.
    private var posts: [Post]
    /// In cells.
    private let gap: Int

    init(lines: [FitLine], placed: [Int: [Place]], gap: Int) {
        self.lines = lines
        self.gap = gap
        posts = placed.compactMap { line, places in
            guard let first = places.first, let last = places.last else { return nil }
            return Post(line: line, start: first.start, end: last.end)
        }.sorted { (lines[$0.line].window.start, $0.line) < (lines[$1.line].window.start, $1.line) }
        var before = Post(line: 0, start: 0, end: 0)
        for index in posts.indices {
            before.sourceReach = max(before.sourceReach, lines[posts[index].line].window.end)
            before.reach = max(before.reach, posts[index].end)
            posts[index].sourceReach = before.sourceReach
            posts[index].reach = before.reach
        }
        var onset = Int.max / 2
        for index in posts.indices.reversed() {
            onset = min(onset, posts[index].start)
            posts[index].onset = onset
        }
    }

    /// Where a line may lie, in cells.
    ///
    /// A line that it did not overlap in the source stays before or after it, with the gap between; one that it
    /// overlapped in part is overlapped by no more than that.
    func room(for index: Int, itemEnd: Int) -> (start: Int, end: Int) {
        let own = lines[index].window
        var (low, high) = (0, posts.count)
        while low < high {
            let middle = (low + high) / 2
            let start = lines[posts[middle].line].window.start
            if (start, posts[middle].line) < (own.start, index) { low = middle + 1 } else { high = middle }
        }
        var room = (start: 0, end: itemEnd)
        // Only lines near enough to overlap it are looked at one by one.
        var before = low - 1
        while before >= 0, posts[before].sourceReach > own.start {
            if let allowed = allowed(index, posts[before].line, inside: { $0.end >= own.end }) {
                room.start = max(room.start, posts[before].end - allowed)
            }
            before -= 1
        }
        if before >= 0 { room.start = max(room.start, posts[before].reach + gap) }
        var after = low
        while after < posts.count, lines[posts[after].line].window.start < own.end {
            if let allowed = allowed(index, posts[after].line, inside: { own.end >= $0.end }) {
                room.end = min(room.end, posts[after].start + allowed)
            }
            after += 1
        }
        if after < posts.count { room.end = min(room.end, posts[after].onset - gap) }
        return room
    }

    /// How many cells two lines may overlap; `nil` where one is inside the other: they may sound together throughout.
    private func allowed(_ index: Int, _ other: Int, inside: (Span) -> Bool) -> Int? {
        guard FitSolver.overlapped(lines[index], lines[other]) else { return -gap }
        if inside(lines[other].window) { return nil }
        return Int((lines[index].window.overlap(lines[other].window) / Chain.cell).rounded(.down))
    }
}
