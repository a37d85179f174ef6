internal import DubRunner
internal import Foundation

/// A run's timeline as an SVG.
struct TimelineDrawing {
    private static let label = 118.0
    private static let width = 1000.0
    private static let lane = 11.0
    private static let top = 26.0

    private let story: RunStory
    private let timeline: Timeline

    init(_ story: RunStory) {
        self.story = story
        timeline = Timeline(story, width: Self.width)
    }

    /// Whether bars stand for more than one node.
    var isMerged: Bool { timeline.isMerged }

    /// The drawing; empty where nothing was recorded.
    var svg: Markup {
        guard !timeline.bands.isEmpty else { return "" }
        var backs: [Markup] = []
        var bands: [Markup] = []
        var y = Self.top
        for (index, band) in timeline.bands.enumerated() {
            let height = Double(max(2, band.lanes.count)) * Self.lane + 8
            backs.append(
                """
                <rect class="band\(index.isMultiple(of: 2) ? "" : " odd")" x="0" y="\(y)" \
                width="\(Self.label + Self.width + 14)" height="\(height)"/>

                """)
            bands.append(draw(band, at: y, height))
            y += height
        }
        let width = Self.label + Self.width + 14
        return """
            <svg class="timeline" viewBox="0 0 \(width) \(y + 4)" role="img" aria-labelledby="timeline-title">
            <title id="timeline-title">What ran when: \(Figure.count(story.nodes.count, "node")) of \
            \(Figure.count(timeline.bands.count, "stage")) in \(Figure.time(timeline.length))</title>
            \(backs)<g class="axis">\(axis(to: y))</g>
            \(bands)
            </svg>
            """
    }

    private func x(_ seconds: Double) -> Double { Self.label + seconds / timeline.length * Self.width }

    private func axis(to bottom: Double) -> [Markup] {
        let step = Self.step(timeline.length)
        return stride(from: 0, through: timeline.length, by: step).map { seconds in
            let text = step < 1 ? Figure.decimal(seconds, step < 0.1 ? 2 : 1) + " s" : Self.clock(seconds)
            return """
                <path d="M\(x(seconds)) \(Self.top - 5)V\(bottom)"/>\
                <text x="\(x(seconds))" y="13" text-anchor="\(seconds == 0 ? "start" : "middle")">\(text)</text>
                """
        }
    }

    /// A round step that gives at most ten parts.
    static func step(_ length: Double) -> Double {
        let steps: [Double] = [
            0.0001, 0.001, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600,
            7200, 14400, 21600, 43200, 86400,
        ]
        return steps.first { length / $0 <= 10 } ?? (length / 10).rounded(.up)
    }

    private static func clock(_ seconds: Double) -> String {
        let whole = Int(seconds.rounded())
        if whole < 60 { return "\(whole) s" }
        let minutes = String(format: "%d:%02d", whole / 60 % 60, whole % 60)
        return whole < 3600 ? minutes : String(format: "%d:%02d:%02d", whole / 3600, whole / 60 % 60, whole % 60)
    }

    private func draw(_ band: Timeline.Band, at y: Double, _ height: Double) -> Markup {
        let marks = band.lanes.enumerated().flatMap { lane, marks in
            marks.map { mark in
                let begin = x(mark.begin)
                let wide = max(mark.state == .cached ? 1.5 : 1, x(mark.end) - begin)
                let kind = mark.state.rawValue
                return """
                    <rect class="\(kind)" x="\(begin)" y="\(y + 4 + Double(lane) * Self.lane)" width="\(wide)" \
                    height="\(Self.lane - 2)"><title>\(told(mark, band.stage))</title></rect>
                    """ as Markup
            }
        }
        return """
            <g>\(waiting(band, y, height))<text class="stage" x="8" y="\(y + height / 2 + 4)">\
            \(band.stage.count > 15 ? band.stage.prefix(14) + "…" : band.stage)</text>
            <g class="marks">\(marks)</g></g>

            """
    }

    private func waiting(_ band: Timeline.Band, _ y: Double, _ height: Double) -> Markup {
        guard let peak = band.waiting.max() else { return "" }
        let part = Self.width / Double(band.waiting.count)
        var path: Markup = "M\(Self.label) \(y + height)"
        var last = -1.0
        for (bin, count) in band.waiting.enumerated() where count != last {
            path += "H\(Self.label + Double(bin) * part)V\(y + height - count / max(1, peak) * (height - 2))"
            last = count
        }
        path += "H\(Self.label + Self.width)V\(y + height)z"
        let most = max(1, Int(peak.rounded()))
        return "<path class=\"waiting\" d=\"\(path)\"><title>\(band.stage): up to \(most) waiting</title></path>"
    }

    private func told(_ mark: Timeline.Mark, _ stage: String) -> String {
        let node = story.nodes[mark.node]
        guard mark.count == 1 else {
            let ending = mark.state == .failed ? ", failed" : mark.state == .cached ? ", cached" : ""
            return "\(mark.count) nodes of \(stage)\(ending), \(Figure.time(mark.begin)) to \(Figure.time(mark.end)): "
                + "\(Figure.time(mark.seconds)) added up"
        }
        let waited = node.waited >= 0.01 ? " after waiting \(Figure.time(node.waited))" : ""
        let tried = node.attempts > 1 ? ", \(node.attempts) attempts" : ""
        let name = "\(node.node) of \(story.name(ofItem: node.item))"
        switch node.state {
        case .cached: return "\(name): cached, at \(Figure.time(mark.begin))"
        case .done, .failed:
            return "\(name): \(node.state == .failed ? "failed" : "ran") \(Figure.time(mark.seconds)) from "
                + "\(Figure.time(mark.begin))\(waited)\(tried). Why: \(node.reason)"
        }
    }
}
