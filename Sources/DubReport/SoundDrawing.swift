internal import Foundation

/// Source and dub one above the other, and between them where each line was and where it went.
struct SoundDrawing {
    private static let label = 62.0
    private static let width = 1080.0
    private static let half = 26.0
    private static let gap = 26.0
    private static let head = 16.0
    private static let foot = 20.0
    /// A strip is at least so long, in seconds, and there are at most so many.
    private static let (stripSeconds, stripLimit) = (30.0, 24)

    private let dub: DubStory
    private let lines: [DubVerdict.Line]
    private let seconds: Double
    private let strip: Double

    init(_ dub: DubStory) {
        self.dub = dub
        lines = dub.verdict.figures ?? []
        let sounds = [dub.original.sound, dub.dub.sound].compactMap { $0?.seconds }
        seconds = max(0.1, (sounds + lines.map { max($0.end, $0.dubEnd ?? 0) }).max() ?? 0)
        let count = min(Self.stripLimit, max(1, Int((seconds / Self.stripSeconds).rounded(.up))))
        strip = seconds / Double(count)
    }

    /// Whether there is anything to draw.
    var isEmpty: Bool { lines.isEmpty && dub.original.sound == nil && dub.dub.sound == nil }

    /// The drawings, one below the other.
    func svg(id: String) -> Markup {
        let count = Int((seconds / strip).rounded())
        let peak = { (sound: DubStory.Sound?) in max(0.05, Double(sound?.peaks.max() ?? 1)) }
        let (loud, louder) = (peak(dub.original.sound), peak(dub.dub.sound))
        return Markup.joined(
            (0..<max(1, count)).map { index in
                draw(from: Double(index) * strip, number: index, of: count, (loud, louder), id: id)
            })
    }

    private var topMiddle: Double { Self.head + Self.half }
    private var topEnd: Double { Self.head + 2 * Self.half }
    private var lowStart: Double { topEnd + Self.gap }
    private var lowMiddle: Double { lowStart + Self.half }
    private var lowEnd: Double { lowStart + 2 * Self.half }

    private func draw(
        from start: Double, number: Int, of count: Int, _ peaks: (Double, Double), id: String
    ) -> Markup {
        let end = start + strip
        func x(_ time: Double) -> Double { Self.label + (min(max(time, start), end) - start) / strip * Self.width }
        let inside = lines.enumerated().filter { _, line in
            min(line.start, line.dubStart ?? line.start) < end && max(line.end, line.dubEnd ?? line.end) > start
        }
        let marks = inside.map { index, line in mark(line, index, x) }
        let height = lowEnd + Self.foot
        let part = count > 1 ? ", part \(number + 1) of \(count)" : ""
        return """
            <svg class="sound" viewBox="0 0 \(Self.label + Self.width + 8) \(height)" role="img" \
            aria-labelledby="\(id)-\(number)">
            <title id="\(id)-\(number)">Sound of source and dub from \(Figure.clock(start)) to \(Figure.clock(end))\(part), \
            \(Figure.count(inside.count, "line"))</title>
            <rect class="field" x="\(Self.label)" y="\(Self.head)" width="\(Self.width)" height="\(2 * Self.half)"/>
            <rect class="field" x="\(Self.label)" y="\(lowStart)" width="\(Self.width)" height="\(2 * Self.half)"/>
            <g class="axis">\(axis(start, end, x))</g>
            \(wave(dub.original.sound, "source", topMiddle, start, peaks.0))
            \(wave(dub.dub.sound, "dub", lowMiddle, start, peaks.1))
            <g class="lines">\(marks)</g>
            <text class="name" x="0" y="\(topMiddle + 4)">Source</text><text class="name" x="0" \
            y="\(lowMiddle + 4)">Dub</text>
            </svg>

            """
    }

    /// A line: where the source says it, where the dub does, and how they hang together.
    private func mark(_ line: DubVerdict.Line, _ index: Int, _ x: (Double) -> Double) -> Markup {
        let (a, b) = (x(line.start), x(line.end))
        var shapes: Markup =
            "<rect x=\"\(a)\" y=\"\(Self.head)\" width=\"\(max(1, b - a))\" height=\"\(2 * Self.half)\"/>"
        if let start = line.dubStart, let end = line.dubEnd {
            let (c, d) = (x(start), x(end))
            shapes += """
                <path class="tie" d="M\(a) \(topEnd)H\(b)L\(d) \(lowStart)H\(c)z"/>\
                <rect x="\(c)" y="\(lowStart)" width="\(max(1, d - c))" height="\(2 * Self.half)"/>
                """
        }
        let wide = b - a > 16
        let number: Markup =
            wide ? "<text x=\"\((a + b) / 2)\" y=\"\(Self.head - 4)\" text-anchor=\"middle\">\(index + 1)</text>" : ""
        return """
            <g class="line \(line.grade)" data-line="\(index)"><title>\(line.told(index + 1))</title>\(shapes)\(number)</g>

            """
    }

    private func axis(_ start: Double, _ end: Double, _ x: (Double) -> Double) -> [Markup] {
        let step = TimelineDrawing.step(end - start)
        let first = (start / step).rounded(.up) * step
        return stride(from: first, through: end, by: step).map { time in
            """
            <path d="M\(x(time)) \(Self.head)V\(topEnd)M\(x(time)) \(lowStart)V\(lowEnd + 4)"/>\
            <text x="\(x(time))" y="\(lowEnd + 16)" text-anchor="middle">\(Self.seconds(time))</text>
            """
        }
    }

    private static func seconds(_ time: Double) -> String {
        let whole = Int(time.rounded())
        return String(format: "%d:%02d", whole / 60, whole % 60)
    }

    /// The outline of a sound, the same above and below its middle.
    private func wave(
        _ sound: DubStory.Sound?, _ kind: String, _ middle: Double, _ start: Double, _ peak: Double
    ) -> Markup {
        guard let sound, !sound.peaks.isEmpty else { return "" }
        let columns = Int(Self.width / 2)
        var heights: [Double] = []
        for column in 0..<columns {
            let low = Int((start + strip * Double(column) / Double(columns)) / sound.part)
            let high = Int((start + strip * Double(column + 1) / Double(columns)) / sound.part)
            guard low < sound.peaks.count else { break }
            let most = sound.peaks[low..<min(sound.peaks.count, max(low + 1, high))].max() ?? 0
            // Soft sounds are seen too.
            heights.append(max(0.4, pow(min(1, Double(most) / peak), 0.7) * (Self.half - 2)))
        }
        func points(_ sign: Double) -> [String] {
            heights.enumerated().map { column, height in
                "\(Int(Self.label) + 2 * column) \(Figure.decimal(middle + sign * height, 1))"
            }
        }
        let path = "M" + points(-1).joined(separator: "L") + "L" + points(1).reversed().joined(separator: "L") + "z"
        return "<path class=\"wave \(kind)\" d=\"\(path)\"/>"
    }
}
