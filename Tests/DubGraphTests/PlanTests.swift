import DubCore
import DubGraph
import Testing

/// Runs a plan without code: each node writes texts that tell its name, `bits` and `parts` as long as asked.
func unfold(_ graph: Graph, parts: Int, bits: (String) -> Int, shuffledBy seed: Int = 0) -> (Plan, [String]) {
    var plan = Plan(graph)
    var order: [String] = []
    var ready: [Int] = []
    var state = UInt64(seed)
    while true {
        while let node = plan.popReady() { ready.append(node) }
        guard !ready.isEmpty else { return (plan, order) }
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        let node = ready.remove(at: Int(state >> 33) % ready.count)
        let name = plan.name(of: node)
        let inputs = plan.inputs(of: node, given: ["item": artifact("item")])
        order.append(name)
        var outputs: [String: StageValue] = [:]
        for output in graph.steps[plan.nodes[node].step].signature.outputs {
            if output.isList {
                let count = output.name == "parts" ? parts : bits(name)
                outputs[output.name] = .list((0..<count).map { artifact("\(name).\(output.name)\($0)") })
            } else {
                let read = inputs.values.sorted { $0.key < $1.key }.flatMap(\.value.artifacts).map(\.digest.hex)
                outputs[output.name] = .one(artifact("\(name)(\(read.joined(separator: ",")))"))
            }
        }
        plan.finish(node, outputs: outputs)
    }
}

@Suite struct PlanTests {
    static func graph(_ languages: [JSONValue] = ["es", "fr"]) throws -> Graph {
        try Graph.read(fanOut, file: "p.yaml", stages: signatures, parameters: ["to": .array(languages)])
    }

    @Test("a stage runs once for each combination of its axes")
    func combinations() throws {
        let (plan, order) = unfold(try Self.graph(), parts: 3, bits: { $0 == "first[2]" ? 2 : 0 })
        #expect(plan.isFinished)
        #expect(Set(order).count == order.count)
        #expect(
            Set(order)
                == Set(
                    ["split", "first[1]", "first[2]", "first[3]", "third[2,1]", "third[2,2]", "bits"]
                        + ["es", "fr"].flatMap { l in (1...3).map { "second[\(l),\($0)]" } + ["join[\(l)]"] }))
    }

    @Test("a reader that lacks an axis gets a list in order, whatever the order of completion", arguments: 0..<50)
    func gathered(seed: Int) throws {
        let (plan, order) = unfold(try Self.graph(), parts: 4, bits: { _ in 1 }, shuffledBy: seed)
        let (reference, _) = unfold(try Self.graph(), parts: 4, bits: { _ in 1 })
        for step in plan.graph.steps.indices {
            for output in plan.graph.steps[step].signature.outputs {
                #expect(
                    plan.outputs(ofStep: step, named: output.name).map(\.value)
                        == reference.outputs(ofStep: step, named: output.name).map(\.value))
            }
        }
        for language in ["es", "fr"] {
            let join = try #require(order.firstIndex(of: "join[\(language)]"))
            #expect((1...4).allSatisfy { part in order[..<join].contains("second[\(language),\(part)]") })
        }
    }

    @Test("an empty list makes no node and does not block who gathers it")
    func emptyList() throws {
        let (plan, order) = unfold(try Self.graph(), parts: 0, bits: { _ in 0 })
        #expect(plan.isFinished)
        #expect(Set(order) == ["split", "join[es]", "join[fr]", "bits"])
    }

    @Test("a chunk's consumers are ready before other chunks are done")
    func streaming() throws {
        var plan = Plan(try Self.graph(["es"]))
        let split = try take(&plan)
        plan.finish(split, outputs: ["parts": .list([artifact("a"), artifact("b")]), "index": .one(artifact("i"))])
        let first = try take(&plan)
        _ = plan.popReady()
        plan.finish(first, outputs: ["done": .one(artifact("d")), "bits": .list([])])
        let next = try take(&plan)
        #expect(plan.name(of: next).hasPrefix("second[es,"))
    }

    @Test("settings take the values of parameters and axes, with their types")
    func settings() throws {
        var plan = Plan(try Self.graph(["pt-BR"]))
        let split = try take(&plan)
        plan.finish(split, outputs: ["parts": .list([artifact("a")]), "index": .one(artifact("i"))])
        let first = try take(&plan)
        #expect(plan.inputs(of: first, given: [:]).parameters == ["rate": 1, "to": ""])
        plan.finish(first, outputs: ["done": .one(artifact("d")), "bits": .list([])])
        var ready: [Int] = []
        while let node = plan.popReady() { ready.append(node) }
        let second = try #require(ready.first { plan.name(of: $0) == "second[pt-BR,1]" })
        #expect(plan.inputs(of: second, given: [:]).parameters == ["rate": 2, "to": "pt-BR"])
    }
}

@Suite struct FingerprintTests {
    private let signature = StageSignature(
        name: "work", version: 1, inputs: [.one("a"), .list("b")], outputs: [.one("c")])

    private func fingerprint(
        a: String = "a", b: [String] = ["x", "y"], rate: JSONValue = 1, model: String = "m1"
    ) -> Fingerprint {
        Fingerprint(
            signature,
            StageInputs(
                values: ["a": .one(artifact(a)), "b": .list(b.map(artifact))], parameters: ["rate": rate]),
            models: [ModelIdentity(name: "model", digest: model)])
    }

    @Test("equal inputs have equal keys, and each difference has its reason")
    func reasons() {
        let base = fingerprint()
        #expect(base.key == fingerprint().key)
        for (other, reason) in [
            (fingerprint(a: "z"), "input a changed"), (fingerprint(b: ["y", "x"]), "input b changed"),
            (fingerprint(rate: 2), "parameter rate 1→2"), (fingerprint(model: "m2"), "model model changed"),
        ] {
            #expect(other.key != base.key)
            #expect(RunReason.between(base, other).description == reason)
        }
        #expect(RunReason.between(nil, base) == .neverRan)
    }

    @Test("a whole number is the same setting however it was written")
    func numbers() {
        #expect(fingerprint(rate: 1).key == fingerprint(rate: 1.0).key)
    }
}

private func take(_ plan: inout Plan) throws -> Int {
    let node = plan.popReady()
    return try #require(node)
}
