internal import DubGraph
internal import DubRunner

extension Graph {
    /// Its stages as a run's record keeps them.
    var records: [StageRecord] {
        let own = Set(steps.map(\.name))
        return steps.map { step in
            var reads: Set<String> = []
            for (_, source) in step.inputs {
                switch source {
                // A stage may be called as what is given is: `edits`.
                case .given(let name):
                    // A file beside the pipeline goes by its own name.
                    let name = name.split(separator: "/").last.map(String.init) ?? name
                    reads.insert(own.contains(name) ? name + Self.given : name)
                case .output(let from, _), .element(let from, _, _): reads.insert(steps[from].name)
                }
            }
            return StageRecord(
                name: step.name, uses: step.signature.name, axes: step.axes.map { axes[$0].name }, reads: reads.sorted()
            )
        }
    }

    private static let given = " (given)"

    /// What is handed in from outside and read by a stage.
    private var outside: [String] {
        let own = Set(steps.map(\.name))
        return Set(records.flatMap(\.reads)).subtracting(own).sorted()
    }

    /// As a Mermaid flow chart.
    var mermaid: String {
        var lines = ["flowchart LR"]
        func id(_ name: String) -> String { name.replacing(Self.given, with: "_given").replacing(".", with: "_") }
        lines += outside.map { "  \(id($0))([\($0.replacing(Self.given, with: ""))])" }
        for stage in records {
            let axes = stage.axes.joined(separator: ", ")
            lines.append("  \(stage.name)[\"\(stage.name)\(axes.isEmpty ? "" : "<br/><small>each \(axes)</small>")\"]")
        }
        for stage in records { lines += stage.reads.map { "  \(id($0)) --> \(stage.name)" } }
        return lines.joined(separator: "\n")
    }

    /// In the language of Graphviz.
    var dot: String {
        func quoted(_ text: String) -> String {
            "\"" + text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\""
        }
        var lines = ["digraph \(quoted(name)) {", "  rankdir=LR;", "  node [shape=box, style=rounded];"]
        lines += outside.map { "  \(quoted($0)) [shape=oval];" }
        for stage in records {
            let axes = stage.axes.joined(separator: ", ")
            let label = stage.name + (axes.isEmpty ? "" : "\neach \(axes)")
            lines.append("  \(quoted(stage.name)) [label=\(quoted(label).replacing("\n", with: "\\n"))];")
        }
        for stage in records { lines += stage.reads.map { "  \(quoted($0)) -> \(quoted(stage.name));" } }
        return (lines + ["}"]).joined(separator: "\n")
    }
}
