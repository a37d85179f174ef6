import DubCore
import DubGraph

// Fed by libFuzzer with texts that might be pipeline files; scripts/fuzz builds and runs it.

private let stages: [String: StageSignature] = [
    "split": StageSignature(
        name: "split", version: 1, inputs: [.one("file")], outputs: [.list("parts"), .one("index")]),
    "work": StageSignature(
        name: "work", version: 1, inputs: [.one("part"), .optional("extra")], outputs: [.one("done"), .list("bits")],
        parameters: ["rate": 1, "to": ""]),
    "join": StageSignature(name: "join", version: 1, inputs: [.list("all")], outputs: [.one("whole")]),
    "exec": StageSignature(
        name: "exec", version: 1, inputs: [], outputs: [],
        parameters: ["command": [], "env": [:], "version": 1, "transient_exits": []], required: ["command"],
        isOpen: true),
]

/// A file, and behind lines of `%%%` the files `1.yaml`, `2.yaml` … that it may include.
private func split(_ bytes: UnsafeBufferPointer<UInt8>) -> [String] {
    String(decoding: bytes, as: UTF8.self).split(separator: "\n%%%\n", omittingEmptySubsequences: false).prefix(9)
        .map(String.init)
}

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOne(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    guard let start else { return 0 }
    let texts = split(UnsafeBufferPointer(start: start, count: count))
    let include: PipelineInclude = { (name: String, _: String) throws(DubError) in
        for index in texts.indices.dropFirst() where name == "\(index).yaml" || name == "\(index)" {
            return PipelineSource(file: "\(index).yaml", text: texts[index])
        }
        throw DubError(.inputMissing, "There is no such file.", at: name, fix: "Check the name.")
    }
    let text = texts.first ?? ""
    let faults = Graph.faults(in: text, file: "0.yaml", stages: stages, include: include)
    precondition(faults.allSatisfy { !$0.what.isEmpty && !$0.fix.isEmpty })
    do {
        let graph = try Graph.read(
            text, file: "0.yaml", stages: stages, parameters: [:], include: include)
        precondition(faults.isEmpty, "what is bound has no fault")
        unfold(graph)
    } catch {
        // A sound file may still need parameters.
        precondition(error.code == .parameterInvalid || error.code == .languageUnknown || !faults.isEmpty)
    }
    return 0
}

/// Unfolds a sound pipeline, within bounds, to its end.
private func unfold(_ graph: Graph) {
    let counts = graph.steps.map { step in
        step.axes.reduce(1.0) { count, axis in
            if case .parameter(let elements) = graph.axes[axis].source { count * Double(elements.count) } else { count * 2 }
        }
    }
    guard counts.reduce(0, +) < 2000 else { return }
    var plan = Plan(graph)
    while let node = plan.popReady() {
        _ = plan.name(of: node)
        _ = plan.labels(of: node)
        let signature = graph.steps[plan.nodes[node].step].signature
        let inputs = plan.inputs(of: node, given: ["item": artifact("item")])
        _ = Fingerprint(signature, inputs, models: []).key
        plan.finish(
            node,
            outputs: Dictionary(
                signature.outputs.map {
                    ($0.name, $0.isList ? .list([artifact("a"), artifact("b")]) : .one(artifact($0.name)))
                }, uniquingKeysWith: { $1 }))
    }
    precondition(plan.isFinished, "a sound pipeline comes to its end")
}

private func artifact(_ text: String) -> Artifact { Artifact(digest: .of(text), size: 1, type: "txt") }
