internal import ArgumentParser
internal import DubCore
internal import DubGraph
internal import DubLedger
internal import DubRunner
internal import DubStages
internal import DubStorage
internal import Foundation

/// `dubmill plan`.
struct PlanCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plan",
        abstract: "Show what a run would do: what is cached, what runs, and why.",
        discussion: """
            dubmill plan film.mp4 --to es
            dubmill plan film.mp4 --to es --graph mermaid

            Nothing is run. What depends on nodes that would run is not known yet: their number
            is told as soon as the list they fan out over is there.
            """)

    /// How the graph is drawn.
    enum Drawing: String, ExpressibleByArgument, CaseIterable {
        case mermaid
    }

    @OptionGroup var options: RunOptions
    @Option(help: "Print the pipeline's graph instead: mermaid.") var graph: Drawing?
    @Option(help: "How results are printed: table or json.") var format = OutputFormat.table

    /// What is printed of a node.
    private struct Row: Encodable {
        var item: String
        var node: String
        var runs: Bool
        var reason: String
    }

    func run() async throws {
        let settings = try Settings()
        let home = Home()
        let machine = try Machine(
            storeFolder: home.store(given: settings.value("store", flag: options.store)), threads: nil)
        let file = try home.pipeline(settings.value("pipeline", flag: options.pipeline) ?? "dub")
        let graph = try machine.graph(
            file,
            parameters: options.parameters(
                settings, declared: try Machine.parameters(of: file),
                profile: try Machine.profile(options.profile, of: file)))
        if self.graph == .mermaid { return Console.result(Self.mermaid(graph)) }
        var rows: [Row] = []
        for path in options.files.map(RunPaths.absolute) {
            guard let identity = FileIdentity(path: path) else {
                throw DubError(.inputMissing, "There is no such file.", at: path, fix: "Check the name.")
            }
            let digest = try await machine.ledger.digest(of: identity) ?? Digest.of(fileAt: path)
            let item = Artifact(
                digest: digest, size: identity.size, type: (path as NSString).pathExtension.lowercased())
            var given = ["item": item]
            given["edits"] = try await RunSession.edits(options.script, for: graph, in: machine.store)?.artifact
            rows += try await look(graph, machine, given, path)
        }
        switch format {
        case .json: Console.result(try Console.json(rows))
        case .table:
            Console.result(
                Console.table(
                    ["NODE", "", "WHY"], rows.map { [$0.node, $0.runs ? "run" : "cached", $0.reason] }))
            let cached = rows.filter { !$0.runs }.count
            Console.note("\(cached) cached, \(rows.count - cached) known to run")
        }
    }

    /// Unfolds a plan along what is cached.
    private func look(
        _ graph: Graph, _ machine: Machine, _ given: [String: Artifact], _ path: String
    ) async throws -> [Row] {
        var plan = Plan(graph)
        var rows: [Row] = []
        var reached: Set<Int> = []
        while let node = plan.popReady() {
            let name = plan.name(of: node)
            let step = plan.nodes[node].step
            reached.insert(step)
            guard let stage = machine.stages[graph.steps[step].signature.name] else { continue }
            let inputs = plan.inputs(of: node, given: given)
            let fingerprint = Fingerprint(
                graph.steps[step].signature, inputs, models: try stage.models(for: inputs, in: machine.store))
            if let outputs = try await machine.ledger.outputs(for: fingerprint.key) {
                if let missing = outputs.first(where: { !$0.value.artifacts.allSatisfy(machine.store.holds) })?.key {
                    rows.append(Row(item: path, node: name, runs: true, reason: "output \(missing) is missing"))
                    continue
                }
                rows.append(Row(item: path, node: name, runs: false, reason: "cached"))
                plan.finish(node, outputs: outputs)
            } else {
                let last = try await machine.ledger.lastFingerprint(of: name, item: path)
                rows.append(
                    Row(item: path, node: name, runs: true, reason: RunReason.between(last, fingerprint).description))
            }
        }
        for (index, step) in graph.steps.enumerated() where !reached.contains(index) {
            rows.append(
                Row(item: path, node: step.name + (step.axes.isEmpty ? "" : "[…]"), runs: true, reason: "waits"))
        }
        return rows
    }

    /// The pipeline as a Mermaid flow chart.
    static func mermaid(_ graph: Graph) -> String {
        var lines = ["flowchart LR", "  item([item])"]
        for step in graph.steps {
            let axes = step.axes.map { graph.axes[$0].name }.joined(separator: ", ")
            lines.append("  \(step.name)[\"\(step.name)\(axes.isEmpty ? "" : "<br/><small>each \(axes)</small>")\"]")
        }
        for step in graph.steps {
            var edges: Set<String> = []
            for (_, source) in step.inputs {
                switch source {
                case .given(let name): edges.insert("  \(name) --> \(step.name)")
                case .output(let from, _), .element(let from, _, _):
                    edges.insert("  \(graph.steps[from].name) --> \(step.name)")
                }
            }
            lines += edges.sorted()
        }
        return lines.joined(separator: "\n")
    }
}
