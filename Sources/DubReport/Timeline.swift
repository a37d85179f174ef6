internal import DubRunner
internal import Foundation

/// What ran when, stage by stage, so merged that it can be drawn however many nodes there were.
struct Timeline {
    /// A bar: a node, or several that would be drawn over each other.
    struct Mark {
        /// Seconds from the run's beginning.
        var begin: Double
        /// Seconds from the run's beginning.
        var end: Double
        /// How many nodes it stands for.
        var count = 1
        /// Their seconds, added up.
        var seconds: Double
        /// How they ended; those that failed are never merged with others.
        var state: NodeRecord.State
        /// The node, where it is one alone: an index into the run's nodes.
        var node: Int
    }

    /// A stage: side by side what ran at once, and how many waited.
    struct Band {
        var stage: String
        var lanes: [[Mark]] = []
        /// How many nodes waited for their place on average, in equal parts of the run's time; empty where none did.
        var waiting: [Double] = []
    }

    /// Bars of a stage that are drawn one below the other; what goes beyond is merged.
    static let laneLimit = 5
    /// Bars in all: so many that a browser draws in no time.
    static let markLimit = 2000
    static let bins = 240

    /// Seconds that it is long.
    let length: Double
    private(set) var bands: [Band] = []
    /// Whether bars stand for more than one node.
    private(set) var isMerged = false

    /// - Parameter width: units that the drawing is wide; what is thinner than one and a half is merged.
    init(_ story: RunStory, width: Double) {
        let start = story.run.started
        let reach = story.nodes.map { $0.ended.timeIntervalSince(start) }.max() ?? 0
        length = max(story.wallSeconds, reach, 0.001)
        var byStage: [String: [Int]] = [:]
        for (index, node) in story.nodes.enumerated() { byStage[node.stage, default: []].append(index) }
        var thinnest = 1.5 * length / width
        while true {
            bands = story.stages.compactMap { cost in
                byStage[cost.stage].map { Self.band(cost.stage, $0, story, thinnest, length) }
            }
            let marks = bands.lazy.flatMap(\.lanes).reduce(0) { $0 + $1.count }
            guard marks > Self.markLimit, thinnest < length / 8 else { break }
            thinnest *= 2
        }
        isMerged = bands.contains { $0.lanes.contains { $0.contains { $0.count > 1 } } }
    }

    private static func band(
        _ stage: String, _ indexes: [Int], _ story: RunStory, _ thinnest: Double, _ length: Double
    ) -> Band {
        var band = Band(stage: stage)
        // By themselves, so that a merged bar is not taken for one that failed as a whole.
        var failed: [[Mark]] = []
        for index in indexes {
            let node = story.nodes[index]
            let begin = max(0, node.started.timeIntervalSince(story.run.started))
            let mark = Mark(
                begin: begin, end: begin + node.seconds, seconds: node.seconds, state: node.state, node: index)
            if mark.state == .failed {
                add(mark, to: &failed, thinnest, limit: 1)
            } else {
                add(mark, to: &band.lanes, thinnest, limit: laneLimit)
            }
        }
        band.lanes += failed
        band.waiting = waiting(indexes.map { story.nodes[$0] }, since: story.run.started, length)
        return band
    }

    private static func add(_ mark: Mark, to lanes: inout [[Mark]], _ thinnest: Double, limit: Int) {
        // What is too thin to be seen for itself goes to the bar before it.
        let free = lanes.firstIndex { ($0.last?.end ?? 0) <= mark.begin || merges($0.last, mark, thinnest) }
        guard let lane = free ?? (lanes.count < limit ? nil : fullest(lanes)) else { return lanes.append([mark]) }
        let last = lanes[lane].count - 1
        guard free == nil || merges(lanes[lane].last, mark, thinnest) else { return lanes[lane].append(mark) }
        lanes[lane][last].end = max(lanes[lane][last].end, mark.end)
        lanes[lane][last].count += mark.count
        lanes[lane][last].seconds += mark.seconds
        if mark.state == .done { lanes[lane][last].state = .done }
    }

    /// The lane whose last bar ends first.
    private static func fullest(_ lanes: [[Mark]]) -> Int? {
        lanes.indices.min { (lanes[$0].last?.end ?? 0) < (lanes[$1].last?.end ?? 0) }
    }

    private static func merges(_ last: Mark?, _ mark: Mark, _ thinnest: Double) -> Bool {
        guard let last, mark.begin - last.end < thinnest else { return false }
        return last.end - last.begin < thinnest || mark.end - mark.begin < thinnest
    }

    private static func waiting(_ nodes: [NodeHistory], since start: Date, _ length: Double) -> [Double] {
        var change = [Double](repeating: 0, count: bins + 1)
        var partial = [Double](repeating: 0, count: bins)
        let part = length / Double(bins)
        for node in nodes where node.waited > 0 {
            let begin = max(0, node.queued.timeIntervalSince(start)) / part
            let end = max(begin, node.started.timeIntervalSince(start) / part)
            let (first, last) = (min(bins - 1, Int(begin)), min(bins - 1, Int(end)))
            if first == last {
                partial[first] += end - begin
            } else {
                partial[first] += Double(first + 1) - begin
                partial[last] += end - Double(last)
                change[first + 1] += 1
                change[last] -= 1
            }
        }
        var sum = 0.0
        let counts = partial.indices.map { bin in
            sum += change[bin]
            return sum + partial[bin]
        }
        return (counts.max() ?? 0) > 0.05 ? counts : []
    }
}
