public import DubCore
public import DubRunner
internal import Foundation

/// An item that was run, as far as it tells what the next one takes.
public struct PastItem: Sendable {
    /// The run's name.
    public var run: String
    /// What was set, but for languages: items with other models take other times.
    public var settings: [String: JSONValue]
    /// Seconds of media.
    public var mediaSeconds: Double
    /// Wall seconds.
    public var wallSeconds: Double
    /// What its stages cost.
    public var stages: [StageFigure]

    /// Describes a past item.
    public init(
        run: String, settings: [String: JSONValue], mediaSeconds: Double, wallSeconds: Double, stages: [StageFigure]
    ) {
        self.run = run
        self.settings = settings
        self.mediaSeconds = mediaSeconds
        self.wallSeconds = wallSeconds
        self.stages = stages
    }

    var busySeconds: Double { stages.reduce(0) { $0 + $1.busySeconds } }

    /// Whether most of it was executed: an item out of the cache tells little about one that is not.
    var isTelling: Bool {
        let (ran, total) = stages.reduce((0, 0)) { ($0.0 + $1.ran, $0.1 + $1.total) }
        return ran * 2 > total && mediaSeconds > 0 && wallSeconds > 0
    }
}

/// An item that is to be run, as far as its plan is known.
public struct FutureItem: Sendable {
    /// What of a stage is to be run.
    public struct Stage: Sendable {
        /// The stage's name in the pipeline.
        public var name: String
        /// How much of it, 0…1.
        public var share: Double
        /// Nodes that are known to run.
        public var nodes: Int
        /// Elements of the parameter that it fans out over first, such as languages; 1 where there is none.
        public var elements: Int

        /// Describes what is to be run.
        public init(name: String, share: Double, nodes: Int, elements: Int) {
            self.name = name
            self.share = share
            self.nodes = nodes
            self.elements = elements
        }
    }

    /// Seconds of media; `nil` where the file does not tell.
    public var mediaSeconds: Double?
    /// In the order of the pipeline.
    public var stages: [Stage]

    /// Describes an item.
    public init(mediaSeconds: Double?, stages: [Stage]) {
        self.mediaSeconds = mediaSeconds
        self.stages = stages
    }
}

/// How long a run will take, judged by past ones, and how far such judgements were off so far.
///
/// For each stage: the seconds in which it was busy in past items, as a line over the seconds of media (times
/// languages, where it runs for each), see `CostLine`; times the share of the stage that is not cached. Stages overlap,
/// and items run side by side: the sum is multiplied by what that came to in the past, as medians. The error is the
/// median over past items of how far off each was when judged by all others.
public struct Estimate: Sendable, Encodable {
    /// What a stage takes.
    public struct Stage: Sendable, Encodable {
        /// The stage's name.
        public var stage: String
        /// Its part of the wall seconds; `nil` where it never ran before.
        public var seconds: Double?
    }

    /// Wall seconds; `nil` where there are no figures yet. Stages without figures are not in it.
    public var seconds: Double?
    /// Median relative error, 0.25 for ± 25 %; `nil` before two items can be compared.
    public var relativeError: Double?
    /// How many past items it rests on.
    public var items: Int
    /// What has to run, in the order of the pipeline.
    public var stages: [Stage]
    /// Wall seconds for a busy second of a stage, from past items: below 1, stages overlapped.
    public var overlap: Double?
    /// What the run costs, where an hour has a price.
    public var cost: Double?

    /// Judges items by past ones.
    ///
    /// - Parameters:
    ///   - settings: what is set, but for languages; past items with the same go before all others.
    ///   - costPerHour: the price of an hour of this machine, in whatever currency.
    public init(
        _ items: [FutureItem], settings: [String: JSONValue], past: [PastItem], runWalls: [String: Double],
        costPerHour: Double? = nil
    ) {
        let alike = past.filter { $0.settings == settings }
        var figures = Figures(alike.contains(where: \.isTelling) ? alike : past)
        let order = items.first?.stages.map(\.name) ?? []
        var busy: [String: Double] = [:]
        var unknown: Set<String> = []
        for item in items {
            for stage in item.stages where stage.share > 0 {
                if let seconds = figures.seconds(of: stage, mediaSeconds: item.mediaSeconds) {
                    busy[stage.name, default: 0] += seconds
                } else {
                    unknown.insert(stage.name)
                }
            }
        }
        let overlap = figures.overlap
        let factor = (overlap ?? 1) * (items.count > 1 ? figures.sideBySide(runWalls) ?? 1 : 1)
        stages = order.compactMap { name in
            busy[name].map { Stage(stage: name, seconds: $0 * factor) }
                ?? (unknown.contains(name) ? Stage(stage: name, seconds: nil) : nil)
        }
        self.overlap = overlap
        self.items = figures.telling.count
        if stages.isEmpty {
            seconds = 0
        } else if stages.contains(where: { $0.seconds != nil }) {
            seconds = stages.reduce(0) { $0 + ($1.seconds ?? 0) }
        }
        relativeError = figures.relativeError
        cost = costPerHour.flatMap { price in seconds.map { $0 / 3600 * price } }
    }

    private enum CodingKeys: String, CodingKey { case seconds, relativeError, items, stages, overlap, cost }

    /// As declared, with explicit nulls for what is not known.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(seconds, forKey: .seconds)
        try container.encode(relativeError, forKey: .relativeError)
        try container.encode(items, forKey: .items)
        try container.encode(stages, forKey: .stages)
        try container.encode(overlap, forKey: .overlap)
        try container.encode(cost, forKey: .cost)
    }

    /// Names of stages that have to run and never did before.
    public var withoutFigures: [String] { stages.filter { $0.seconds == nil }.map(\.stage) }

    /// In one line: `3 min 20 s (± 25 % over 12 past items)`.
    public var description: String {
        if stages.isEmpty { return "nothing to run" }
        guard let seconds else { return "no figures yet" }
        let basis = "\(items) past item\(items == 1 ? "" : "s")"
        var text = Figure.time(seconds)
        text += relativeError.map { " (± \(Figure.share($0)) over \(basis))" } ?? " (from \(basis))"
        if let cost { text += ", cost \(Figure.decimal(cost, 2))" }
        if !withoutFigures.isEmpty { text += "; without \(withoutFigures.joined(separator: ", ")): no figures yet" }
        return text
    }
}

/// What past items tell.
private struct Figures {
    private let past: [PastItem]
    /// Those of which most was executed; all, where there are none.
    let telling: [PastItem]
    private var lines: [String: CostLine?] = [:]

    init(_ past: [PastItem]) {
        self.past = past
        let telling = past.filter(\.isTelling)
        self.telling = telling.isEmpty ? past.filter { $0.busySeconds > 0 } : telling
    }

    /// Busy seconds of a stage; `nil` where it never ran.
    mutating func seconds(of stage: FutureItem.Stage, mediaSeconds: Double?) -> Double? {
        guard let mediaSeconds, mediaSeconds > 0 else {
            // How long it is, nobody knows: by its nodes.
            let each = past.flatMap(\.stages).filter { $0.stage == stage.name && $0.ran > 0 }
                .map { $0.busySeconds / Double($0.ran) }
            return each.median.map { $0 * Double(max(1, stage.nodes)) }
        }
        let line = lines[stage.name] ?? line(of: stage.name)
        lines[stage.name] = line
        return line.map { $0.seconds(for: mediaSeconds * Double(stage.elements)) * stage.share }
    }

    private func line(of stage: String) -> CostLine? {
        func points(_ items: [PastItem]) -> [CostLine.Point] {
            items.filter { $0.mediaSeconds > 0 }.flatMap { item in
                item.stages.filter { $0.stage == stage && $0.ran > 0 }.map {
                    (item.mediaSeconds * Double(max(1, $0.elements)), $0.whole)
                }
            }
        }
        return CostLine(points(telling)) ?? CostLine(points(past))
    }

    var overlap: Double? {
        telling.filter { $0.busySeconds > 0 && $0.wallSeconds > 0 }.map { $0.wallSeconds / $0.busySeconds }.median
    }

    /// Wall seconds of a run for a wall second of one of its items, where it had several.
    func sideBySide(_ runWalls: [String: Double]) -> Double? {
        let runs = Dictionary(grouping: past, by: \.run).filter { $0.value.count > 1 }
        return runs.compactMap { run, items -> Double? in
            let sum = items.reduce(0) { $0 + $1.wallSeconds }
            guard let wall = runWalls[run], sum > 0 else { return nil }
            return min(1, wall / sum)
        }.median
    }

    /// Each judged by the others.
    var relativeError: Double? {
        guard telling.count > 1 else { return nil }
        return telling.indices.compactMap { index -> Double? in
            let item = telling[index]
            var others = telling
            others.remove(at: index)
            var figures = Figures(others)
            guard item.isTelling, let overlap = figures.overlap else { return nil }
            var judged = 0.0
            for stage in item.stages where stage.ran > 0 {
                let future = FutureItem.Stage(
                    name: stage.stage, share: Double(stage.ran) / Double(stage.total), nodes: stage.ran,
                    elements: stage.elements)
                guard let seconds = figures.seconds(of: future, mediaSeconds: item.mediaSeconds) else { return nil }
                judged += seconds
            }
            return abs(judged * overlap - item.wallSeconds) / item.wallSeconds
        }.median
    }
}

extension StageFigure {
    /// Busy seconds had all its nodes run.
    fileprivate var whole: Double { busySeconds * Double(total) / Double(ran) }
}
