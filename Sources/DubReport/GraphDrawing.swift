internal import DubRunner

/// A run's pipeline as an SVG: each stage with what became of its nodes.
struct GraphDrawing {
    private static let box = (width: 144.0, height: 74.0)
    private static let gap = (across: 22.0, down: 18.0, rows: 40.0)
    /// Layers side by side before the drawing goes on in the next row.
    private static let perRow = 7
    private static let margin = 18.0
    private static let passing = 16.0

    private let stages: [StageRecord]
    private let costs: [String: StageCost]
    private let total: Double
    private let layout: GraphLayout

    init(_ story: RunStory) {
        stages = story.run.graph
        costs = Dictionary(story.stages.map { ($0.stage, $0) }, uniquingKeysWith: { $1 })
        total = story.stages.reduce(0) { $0 + $1.seconds }
        layout = GraphLayout(stages)
    }

    /// The drawing; empty where the run kept no pipeline.
    var svg: Markup {
        guard !stages.isEmpty else { return "" }
        let rows = stride(from: 0, to: layout.layers.count, by: Self.perRow).map {
            $0..<min(layout.layers.count, $0 + Self.perRow)
        }
        var tops: [Double] = []
        var bottoms: [Double] = []
        var y = Self.margin
        for row in rows {
            tops.append(y)
            y += row.map { height(ofLayer: $0) }.max() ?? 0
            bottoms.append(y)
            y += Self.gap.rows
        }
        let columns = min(Self.perRow, layout.layers.count)
        let width = 2 * Self.margin + Double(columns) * Self.box.width + Double(columns - 1) * Self.gap.across
        let bottom = y - Self.gap.rows + Self.margin
        var spots: [Int: [GraphLayout.Place: (x: Double, y: Double)]] = [:]
        for (number, row) in rows.enumerated() {
            for layer in row {
                let x = Self.margin + Double(layer - row.lowerBound) * (Self.box.width + Self.gap.across)
                var top = tops[number] + (bottoms[number] - tops[number] - self.height(ofLayer: layer)) / 2
                for place in layout.layers[layer] {
                    let tall = Self.height(of: place)
                    spots[layer, default: [:]][place] = (x, top + tall / 2)
                    top += tall + Self.gap.down
                }
            }
        }
        let arrows = layout.arrows.enumerated().map { index, places in
            arrow(places, spots, gutters: bottoms.map { $0 + Self.gap.rows / 2 - 8 + Double(index % 4) * 5 }, width)
        }
        let boxes = layout.layers.indices.flatMap { layer in
            layout.layers[layer].compactMap { place -> Markup? in
                guard case .stage(let name) = place, let spot = spots[layer]?[place] else { return nil }
                return box(name, spot.x, spot.y - Self.box.height / 2)
            }
        }
        return """
            <svg class="graph" viewBox="0 0 \(width) \(bottom)" style="min-width:\(Int(width * 0.82))px;\
            max-width:\(Int(width * 1.15))px" role="img" aria-labelledby="graph-title graph-told">
            <title id="graph-title">The pipeline</title>
            <desc id="graph-told">\(described)</desc>
            <defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">\
            <path d="M0 0.5 7.5 4 0 7.5z"/></marker></defs>
            <g class="arrows">\(arrows)</g>
            \(boxes)
            </svg>
            """
    }

    private var described: String {
        stages.map { stage in
            "\(stage.name) reads \(stage.reads.isEmpty ? "nothing" : stage.reads.joined(separator: ", "))"
        }.joined(separator: "; ")
    }

    private func height(ofLayer layer: Int) -> Double {
        let places = layout.layers[layer]
        return places.reduce(0) { $0 + Self.height(of: $1) } + Double(max(0, places.count - 1)) * Self.gap.down
    }

    private static func height(of place: GraphLayout.Place) -> Double {
        if case .stage = place { box.height } else { passing }
    }

    // MARK: - Arrows

    private func arrow(
        _ places: [GraphLayout.Place], _ spots: [Int: [GraphLayout.Place: (x: Double, y: Double)]],
        gutters: [Double], _ width: Double
    ) -> Markup {
        guard case .stage(let from) = places[0], let first = layout.layer[from],
            let start = spots[first]?[places[0]]
        else { return "" }
        var x = start.x + Self.box.width
        var y = start.y
        var path: Markup = "M\(x) \(y)"
        for (offset, place) in places.enumerated().dropFirst() {
            let layer = first + offset
            guard let spot = spots[layer]?[place] else { continue }
            if layer.isMultiple(of: Self.perRow) {
                // To the end of the row, and in again at the beginning of the next.
                let gutter = gutters[layer / Self.perRow - 1]
                let (right, left) = (width - 5, 5.0)
                path += "H\(right - 6)q6 0 6 6V\(gutter - 6)q0 6-6 6H\(left + 6)q-6 0-6 6V\(spot.y - 6)q0 6 6 6"
            } else {
                let bend = (spot.x - x) / 2
                path += "C\(x + bend) \(y) \(spot.x - bend) \(spot.y) \(spot.x) \(spot.y)"
            }
            (x, y) = (spot.x, spot.y)
            if offset < places.count - 1 {
                x += Self.box.width
                path += "H\(x)"
            } else if layer.isMultiple(of: Self.perRow) {
                path += "H\(spot.x)"
            }
        }
        return "<path d=\"\(path)\" marker-end=\"url(#tip)\"/>"
    }

    // MARK: - Boxes

    private func box(_ name: String, _ x: Double, _ y: Double) -> Markup {
        let (w, h) = Self.box
        guard let stage = stages.first(where: { $0.name == name }) else {
            return """
                <g class="given" transform="translate(\(x) \(y))"><rect y="\(h / 2 - 16)" width="\(w)" height="32" rx="16"/>\
                <text x="\(w / 2)" y="\(h / 2 + 4.5)" text-anchor="middle">\(Self.cut(name.replacing(" (given)", with: "")))</text></g>

                """
        }
        let cost = costs[name] ?? StageCost(stage: name)
        let kind =
            cost.failed > 0 ? "failed" : cost.run > 0 ? "ran" : cost.cached > 0 ? "cached" : "none"
        let share = total > 0 ? cost.seconds / total : 0
        let axes = stage.axes.isEmpty ? "" : "each " + stage.axes.joined(separator: ", ")
        var counts: [String] = []
        if cost.run > 0 { counts.append("\(cost.run) run") }
        if cost.cached > 0 { counts.append("\(cost.cached) cached") }
        if cost.failed > 0 { counts.append("\(cost.failed) failed") }
        let told =
            "\(name)\(axes.isEmpty ? "" : ", " + axes): \(counts.isEmpty ? "not reached" : counts.joined(separator: ", "))"
            + ", \(Figure.time(cost.seconds)), \(Figure.share(share)) of all seconds;"
            + " reads \(stage.reads.joined(separator: ", "))"
        let shown = counts.count > 2 ? counts.map { $0.replacing(" cached", with: " kept") } : counts
        return """
            <g class="stage \(kind)" transform="translate(\(x) \(y))"><title>\(told)</title>\
            <rect class="box" width="\(w)" height="\(h)" rx="7"/>\
            <text class="name" x="10" y="19">\(Self.cut(name))</text>\
            <text class="axes" x="10" y="33">\(Self.cut(stage.axes.joined(separator: " × "), 24))</text>\
            <text class="counts" x="10" y="49">\(shown.isEmpty ? "not reached" : shown.joined(separator: " · "))</text>\
            <text class="cost" x="10" y="63">\(cost.seconds > 0 ? Figure.time(cost.seconds) : "")</text>\
            <text class="cost" x="\(w - 10)" y="63" text-anchor="end">\(share > 0 ? Figure.share(share) : "")</text>\
            <rect class="meter" x="0.8" y="\(h - 4.5)" width="\(max(share > 0 ? 2 : 0, (w - 1.6) * share))" height="4" rx="2"/></g>

            """
    }

    private static func cut(_ name: String, _ length: Int = 16) -> String {
        name.count > length ? name.prefix(length - 1) + "…" : name
    }
}
