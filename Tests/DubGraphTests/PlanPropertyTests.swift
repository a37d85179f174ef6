import DubCore
import DubTestKit
import Foundation
import Testing

@testable import DubGraph

/// A random graph that keeps GraphCheck's rules: shared axes come first in what is read, a list's axis after its
/// writer's own axes.
private func randomGraph(_ random: inout SeededRandom) -> Graph {
    let signature = StageSignature(
        name: "work", version: 1,
        inputs: [.optional("one"), .optional("element"), .list("all"), .list("more")],
        outputs: [.one("done"), .list("bits")])
    var axes = [
        Graph.Axis(name: "a", source: .parameter(["x", "y"])),
        Graph.Axis(name: "b", source: .parameter(["p", "q", "r"])),
    ]
    var steps: [Graph.Step] = []
    var listAxis: [Int: Int] = [:]
    for index in 0..<Int.random(in: 2...9, using: &random) {
        var own: [Int] = []
        if let base = steps.indices.randomElement(using: &random), Bool.random(using: &random) {
            own = Array(steps[base].axes.prefix(.random(in: 0...3, using: &random)))
            if own == steps[base].axes, own.count < 3, Bool.random(using: &random) {
                if listAxis[base] == nil {
                    axes.append(Graph.Axis(name: "l\(base)", source: .output(step: base, name: "bits")))
                    listAxis[base] = axes.count - 1
                }
                own.append(listAxis[base] ?? 0)
            }
        } else {
            own = [[], [0], [1], [0, 1], [1, 0]].randomElement(using: &random) ?? []
        }
        var inputs: [(name: String, source: Graph.Source)] = []
        var free = ["one", "element", "all", "more"]
        for producer in steps.indices.shuffled(using: &random).prefix(3) {
            let read = steps[producer].axes
            let shared = read.filter(own.contains)
            guard Array(read.prefix(shared.count)) == shared else { continue }
            let isWhole = shared.count == read.count
            let isElement = isWhole && (listAxis[producer].map(own.contains) ?? false)
            for name in isElement ? ["element"] : isWhole ? ["one"] : ["all", "more"] where free.contains(name) {
                free.removeAll { $0 == name }
                let source: Graph.Source =
                    isElement
                    ? .element(step: producer, name: "bits", axis: listAxis[producer] ?? 0)
                    : .output(step: producer, name: "done")
                inputs.append((name, source))
                break
            }
        }
        let before =
            inputs.compactMap(\.source.producer)
            + own.compactMap {
                if case .output(let step, _) = axes[$0].source { step } else { nil }
            }
        steps.append(
            Graph.Step(
                name: "s\(index)", signature: signature, axes: own, inputs: inputs, parameters: [:],
                depth: (before.map { steps[$0].depth + 1 }.max() ?? 0), when: nil, policy: RunPolicy()))
    }
    return Graph(file: "random", name: "random", steps: steps, axes: axes, deliveries: [], parameters: [:])
}

/// What every node reads and writes, worked out by the definition alone: step by step, over all combinations.
private struct Reference {
    var outputs: [[(coordinates: [Int], done: Artifact, bits: [Artifact])]] = []
    var inputs: [String: [String: [Artifact]]] = [:]

    init(_ graph: Graph, bits: (String) -> Int) {
        for step in graph.steps {
            var combinations: [[Int]] = [[]]
            for (depth, axis) in step.axes.enumerated() {
                combinations = combinations.flatMap { prefix -> [[Int]] in
                    let count: Int
                    switch graph.axes[axis].source {
                    case .parameter(let elements): count = elements.count
                    case .output(let producer, _):
                        let own = Array(step.axes.prefix(depth))
                        count = below(producer, of: graph, own, prefix).first?.bits.count ?? 0
                    }
                    return (0..<count).map { prefix + [$0] }
                }
            }
            outputs.append([])
            for coordinates in combinations {
                let name = "\(step.name)\(coordinates)"
                var read: [String: [Artifact]] = [:]
                for (input, source) in step.inputs {
                    guard let producer = source.producer else { continue }
                    let found = below(producer, of: graph, step.axes, coordinates)
                    if case .element(_, _, let axis) = source, let position = step.axes.firstIndex(of: axis) {
                        read[input] = found.first.map { [$0.bits[coordinates[position]]] } ?? []
                    } else {
                        read[input] = found.map(\.done)
                    }
                }
                inputs[name] = read
                outputs[outputs.count - 1].append(
                    (coordinates, artifact(name), (0..<bits(name)).map { artifact("\(name).\($0)") }))
            }
        }
    }

    /// The nodes of a step that agree with the coordinates on the axes that both have, in order.
    private func below(
        _ producer: Int, of graph: Graph, _ axes: [Int], _ coordinates: [Int]
    ) -> [(coordinates: [Int], done: Artifact, bits: [Artifact])] {
        outputs[producer].filter { node in
            zip(graph.steps[producer].axes, node.coordinates).allSatisfy { axis, value in
                axes.firstIndex(of: axis).map { coordinates[$0] == value } ?? true
            }
        }
    }
}

@Suite struct PlanPropertyTests {
    @Test("random graphs unfold to the nodes, inputs and orders that the definition says", arguments: 0..<300)
    func definition(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let graph = randomGraph(&random)
        let bits = { (name: String) in Int(artifact(name).digest.bytes[0] % 4) }
        let reference = Reference(graph, bits: bits)
        var plan = Plan(graph)
        var ready: [Int] = []
        var seen: [String: [String: [Artifact]]] = [:]
        while true {
            while let node = plan.popReady() { ready.append(node) }
            guard !ready.isEmpty else { break }
            let node = ready.remove(at: .random(in: ready.indices, using: &random))
            let name = "\(graph.steps[plan.nodes[node].step].name)\(plan.coordinates(of: node))"
            let inputs = plan.inputs(of: node, given: [:])
            #expect(seen[name] == nil, "\(name) is made once")
            // What it reads is all there when it is ready: nothing is missing from what the definition says.
            seen[name] = inputs.values.mapValues(\.artifacts)
            plan.finish(
                node,
                outputs: [
                    "done": .one(artifact(name)), "bits": .list((0..<bits(name)).map { artifact("\(name).\($0)") }),
                ])
        }
        #expect(plan.isFinished)
        #expect(seen == reference.inputs)
    }
}
