internal import DubCore
internal import DubGraph
internal import DubLedger
internal import DubMedia
internal import DubReport
internal import DubRunner
internal import DubStages
internal import DubStorage
internal import Foundation

/// An item's plan, unfolded along what is cached: nothing is run.
struct PlanLook {
    /// What is told of a node.
    struct Row: Encodable {
        /// The item's absolute path.
        var item: String
        var node: String
        var runs: Bool
        var reason: String
    }

    let path: String
    private(set) var plan: Plan
    private(set) var rows: [Row] = []
    private let machine: Machine

    /// Looks at a file.
    ///
    /// - Throws: `input.missing` for no file; `ledger.failed`.
    init(_ path: String, _ graph: Graph, _ machine: Machine, given others: [String: Artifact]) async throws {
        self.path = path
        self.machine = machine
        plan = Plan(graph)
        guard let identity = FileIdentity(path: path) else {
            throw DubError(.inputMissing, "There is no such file.", at: path, fix: "Check the name.")
        }
        var digest = try await machine.ledger.digest(of: identity)
        if digest == nil {
            let taken = try Digest.of(fileAt: path)
            // The run that follows need not read the file again.
            try await machine.ledger.remember(taken, of: identity)
            digest = taken
        }
        let type = (path as NSString).pathExtension.lowercased()
        var given = ["item": Artifact(digest: digest ?? .of(""), size: identity.size, type: type)]
        given.merge(others) { own, _ in own }
        try await unfold(given)
    }

    private mutating func unfold(_ given: [String: Artifact]) async throws {
        let graph = plan.graph
        var reached: Set<Int> = []
        var writers: [String: String] = [:]
        while let node = plan.popReady() {
            let name = plan.name(of: node)
            let step = plan.nodes[node].step
            reached.insert(step)
            guard let stage = machine.stages[graph.steps[step].signature.name] else { continue }
            let inputs = plan.inputs(of: node, given: given)
            let fingerprint = Fingerprint(
                graph.steps[step].signature, inputs, models: try stage.models(for: inputs, in: machine.store))
            if let outputs = try await machine.ledger.outputs(for: fingerprint.key) {
                if let loss = machine.store.loss(of: outputs) {
                    rows.append(Row(item: path, node: name, runs: true, reason: loss.description))
                    continue
                }
                rows.append(Row(item: path, node: name, runs: false, reason: "cached"))
                plan.finish(node, outputs: outputs)
            } else {
                let last = try await machine.ledger.lastFingerprint(of: name, item: path)
                let reason = RunReason.between(last, fingerprint)
                var text = reason.description
                if case .inputChanged(let input) = reason, let producer = producer(of: input, of: node) {
                    if writers[producer] == nil {
                        let run = try await machine.ledger.writer(of: producer, item: path)
                        writers[producer] = run.map { "\(producer) in run \($0)" } ?? producer
                    }
                    text += ", written by \(writers[producer] ?? producer)"
                }
                rows.append(Row(item: path, node: name, runs: true, reason: text))
            }
        }
        let skipped = Dictionary(grouping: plan.nodes, by: \.step).filter { $1.allSatisfy { $0.state == .skipped } }
        let unneeded = graph.unneeded.union(skipped.keys)
        for (index, step) in graph.steps.enumerated() where !reached.contains(index) && !unneeded.contains(index) {
            rows.append(
                Row(item: path, node: step.name + (step.axes.isEmpty ? "" : "[…]"), runs: true, reason: "waits"))
        }
    }

    /// The node that wrote an input, or the stage where many did; `nil` for what is given from outside.
    private func producer(of input: String, of node: Int) -> String? {
        let graph = plan.graph
        let source = graph.steps[plan.nodes[node].step].inputs.first { $0.name == input }?.source
        let step: Int
        switch source {
        case .output(let from, _), .element(let from, _, _): step = from
        case .given, nil: return nil
        }
        let labels = plan.labels(of: node)
        let places = graph.steps[step].axes.map { labels[graph.axes[$0].name] }
        guard !places.isEmpty else { return graph.steps[step].name }
        guard places.allSatisfy({ $0 != nil }) else { return graph.steps[step].name + "[…]" }
        return "\(graph.steps[step].name)[\(places.compactMap(\.self).joined(separator: ","))]"
    }

    // MARK: - For estimates

    /// What of each stage has to run, as far as it is known.
    ///
    /// What waits is counted as running; where not all nodes of a stage are known yet, those below what waits are
    /// counted whole.
    ///
    /// - Parameter force: whether what is cached runs too.
    func future(force: Bool = false) async -> FutureItem {
        let graph = plan.graph
        var total = [Int](repeating: 0, count: graph.steps.count)
        var open = total
        for node in plan.nodes {
            total[node.step] += 1
            if ![.done, .skipped].contains(node.state) { open[node.step] += 1 }
        }
        let unneeded = graph.unneeded
        for step in unneeded { open[step] = 0 }
        var shares: [Double] = []
        for (index, step) in graph.steps.enumerated() {
            let known = total[index] > 0 ? Double(open[index]) / Double(total[index]) : 0
            // The part of its nodes that is not known, as their lists are not written yet.
            let unknown =
                step.axes.map { axis -> Double in
                    guard case .output(let producer, _) = graph.axes[axis].source, producer < shares.count else {
                        return 0
                    }
                    return unneeded.contains(index) ? 0 : shares[producer]
                }.max() ?? 0
            shares.append(min(1, unknown + (1 - unknown) * known))
        }
        let stages = graph.steps.enumerated().map { index, step in
            var elements = 1
            if let axis = step.axes.first, case .parameter(let values) = graph.axes[axis].source {
                elements = values.count
            }
            return FutureItem.Stage(
                name: step.name, share: force ? 1 : shares[index], nodes: force ? total[index] : open[index],
                elements: elements)
        }
        return FutureItem(mediaSeconds: await mediaSeconds(), stages: stages)
    }

    /// From the probe that is cached, or the file's header.
    private func mediaSeconds() async -> Double? {
        let known = machine.mediaSeconds(of: plan)
        if known > 0 { return known }
        return try? await Media.probe(path).duration?.seconds
    }
}
