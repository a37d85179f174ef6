/// Figures of one kind, as Prometheus takes them: text format 0.0.4, or OpenMetrics 1.0.
public struct MetricFamily: Sendable {
    /// What the figures do.
    public enum Kind: String, Sendable {
        /// Goes up alone; its name ends in `_total`.
        case counter
        /// Goes up and down.
        case gauge
        /// How many observations were at most how large.
        case histogram
    }

    /// A figure of a family.
    public struct Sample: Sendable {
        /// Behind the family's name: `_bucket`, `_sum`, `_count`; empty for counters and gauges.
        public var suffix: String
        /// By name, in this order.
        public var labels: [(String, String)]
        /// The figure.
        public var value: Double
    }

    /// The name, for counters with `_total`.
    public var name: String
    /// What it does.
    public var kind: Kind
    /// What it is, as a sentence without a full stop.
    public var help: String
    /// The figures.
    public var samples: [Sample] = []

    /// A family without figures.
    public init(_ name: String, _ kind: Kind, _ help: String) {
        self.name = name
        self.kind = kind
        self.help = help
    }

    /// A family of one figure.
    public init(_ name: String, _ kind: Kind, _ help: String, _ value: Double) {
        self.init(name, kind, help)
        add(value)
    }

    /// Adds a figure.
    public mutating func add(_ value: Double, _ labels: (String, String)..., suffix: String = "") {
        samples.append(Sample(suffix: suffix, labels: labels, value: value))
    }

    /// Adds the figures of a histogram.
    public mutating func add(_ histogram: Histogram, _ label: (String, String)) {
        var count = 0
        for (bound, times) in zip(histogram.bounds, histogram.times) {
            count += times
            add(Double(count), label, ("le", Self.text(bound)), suffix: "_bucket")
        }
        add(Double(histogram.count), label, ("le", "+Inf"), suffix: "_bucket")
        add(histogram.sum, label, suffix: "_sum")
        add(Double(histogram.count), label, suffix: "_count")
    }

    /// The families as text.
    ///
    /// - Parameter isOpen: in OpenMetrics, where a counter's family is called without `_total` and the end is marked.
    static func text(_ families: [MetricFamily], isOpen: Bool) -> String {
        var text = ""
        for family in families {
            let isCounter = family.kind == .counter && isOpen
            let title = isCounter && family.name.hasSuffix("_total") ? String(family.name.dropLast(6)) : family.name
            text += "# HELP \(title) \(escaped(family.help, quotes: false))\n# TYPE \(title) \(family.kind.rawValue)\n"
            for sample in family.samples {
                let labels = sample.labels.map { "\($0.0)=\"\(escaped($0.1, quotes: true))\"" }.joined(separator: ",")
                text +=
                    family.name + sample.suffix + (labels.isEmpty ? "" : "{\(labels)}")
                    + " \(Self.text(sample.value))\n"
            }
        }
        return text + (isOpen ? "# EOF\n" : "")
    }

    private static func text(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
        return Int64(exactly: value).map { String($0) } ?? "\(value)"
    }

    private static func escaped(_ text: String, quotes: Bool) -> String {
        let text = text.replacing("\\", with: "\\\\").replacing("\n", with: "\\n")
        return quotes ? text.replacing("\"", with: "\\\"") : text
    }
}

/// How many observations were how large.
public struct Histogram: Sendable {
    /// Upper bounds, rising.
    public let bounds: [Double]
    /// How many lay at or below each bound and above the one before.
    public private(set) var times: [Int]
    /// How many there were.
    public private(set) var count = 0
    /// All added up.
    public private(set) var sum = 0.0

    /// Nothing was observed yet.
    public init(bounds: [Double]) {
        self.bounds = bounds
        times = [Int](repeating: 0, count: bounds.count)
    }

    /// Takes an observation in.
    public mutating func observe(_ value: Double) {
        count += 1
        sum += value
        if let index = bounds.firstIndex(where: { value <= $0 }) { times[index] += 1 }
    }
}
