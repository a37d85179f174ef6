import DubCore
import Testing

@testable import DubGraph

/// A pipeline of ten parts, each worked on twice and then joined.
private let chain = """
    version: 1
    name: chain
    parameters:
      to: {type: languages, default: [es]}
      loud: {type: flag, default: true}
    axes:
      language: to
      part: split.parts
    stages:
      split: {in: {file: item}}
      first: {uses: work, for_each: part, in: {part: "split.parts[part]"}}
      second: {uses: work, for_each: part, in: {part: first.done}}
      join: {in: {all: second.done}}
      after: {uses: work, in: {part: join.whole}}
    """

/// The graph above with a policy put on a step.
private func graph(_ change: (inout Pipeline) -> Void) throws -> Graph {
    let (pipeline, _) = PipelineReader.parse(chain, file: "p.yaml")
    var changed = try #require(pipeline)
    change(&changed)
    var check = GraphCheck(pipeline: changed, stages: signatures)
    #expect(check.run().isEmpty)
    return try check.bind([:])
}

/// Runs a plan; nodes for which `fails` is true fail. The names of the nodes that were done.
private func run(_ graph: Graph, parts: Int = 10, fails: (String) -> Bool) -> (plan: Plan, done: [String]) {
    var plan = Plan(graph)
    var done: [String] = []
    while let node = plan.popReady() {
        let name = plan.name(of: node)
        guard !fails(name) else {
            plan.fail(node)
            continue
        }
        done.append(name)
        var outputs: [String: StageValue] = [:]
        for output in graph.steps[plan.nodes[node].step].signature.outputs {
            outputs[output.name] =
                output.isList
                ? .list((0..<(output.name == "parts" ? parts : 0)).map { artifact("\(name) \($0)") })
                : .one(artifact(name))
        }
        plan.finish(node, outputs: outputs)
    }
    return (plan, done)
}

private func step(_ name: String, in pipeline: inout Pipeline, _ change: (inout Pipeline.Step) -> Void) {
    for index in pipeline.steps.indices where pipeline.steps[index].name == name { change(&pipeline.steps[index]) }
}

@Suite struct PlanFailureTests {
    @Test("a failure stops what reads from it and nothing else")
    func plain() throws {
        let (plan, done) = run(try graph { _ in }) { $0 == "first[3]" }
        #expect(!plan.isFinished)
        #expect(done.filter { $0.hasPrefix("second") }.count == 9)
        #expect(!done.contains("join"))
    }

    @Test("what is tolerated is left out of what gathers it, through those who read it one by one")
    func tolerated() throws {
        let tolerant = try graph { step("first", in: &$0) { $0.policy.tolerance = .share(0.2) } }
        let (plan, done) = run(tolerant) { ["first[3]", "first[7]"].contains($0) }
        #expect(plan.isFinished)
        #expect(done.contains("after"))
        let join = try #require(plan.nodes.indices.first { plan.name(of: $0) == "join" })
        #expect(plan.inputs(of: join, given: [:]).list("all").count == 8)
        #expect(plan.outputs(ofStep: 2, named: "done").count == 8)
    }

    @Test("more than is tolerated stops who gathers it")
    func overdrawn() throws {
        for tolerance in [Tolerance.share(0.2), .share(0.29), .count(2)] {
            let tolerant = try graph { step("first", in: &$0) { $0.policy.tolerance = tolerance } }
            let (plan, done) = run(tolerant) { ["first[3]", "first[7]", "first[8]"].contains($0) }
            #expect(!plan.isFinished)
            #expect(!done.contains("join"))
            #expect(plan.nodes.contains { $0.state == .blocked })
        }
    }

    @Test("what is tolerated of one stage is not tolerated of the next")
    func own() throws {
        let tolerant = try graph { step("first", in: &$0) { $0.policy.tolerance = .count(5) } }
        let (plan, done) = run(tolerant) { $0 == "second[3]" }
        #expect(!plan.isFinished)
        #expect(!done.contains("join"))
    }

    @Test("a tolerant stage that nobody gathers still may not lose more than that")
    func ungathered() throws {
        let tolerant = try graph { pipeline in
            pipeline.steps.removeAll { ["second", "join", "after"].contains($0.name) }
            step("first", in: &pipeline) { $0.policy.tolerance = .count(1) }
        }
        #expect(run(tolerant) { $0 == "first[1]" }.plan.isFinished)
        #expect(!run(tolerant) { ["first[1]", "first[2]"].contains($0) }.plan.isFinished)
    }

    @Test("a stage whose condition does not hold is left out, and what requires it too")
    func conditions() throws {
        let loud = Condition(name: "loud", isNegated: true)
        let (plan, done) = run(try graph { step("first", in: &$0) { $0.when = loud } }) { _ in false }
        #expect(plan.isFinished)
        #expect(Set(done) == ["split", "join", "after"])
        let join = try #require(plan.nodes.indices.first { plan.name(of: $0) == "join" })
        #expect(plan.inputs(of: join, given: [:]).list("all").isEmpty)
        let all = run(try graph { step("first", in: &$0) { $0.when = Condition(name: "loud") } }) { _ in false }
        #expect(all.done.count == 23)
    }

    @Test("a condition on the node's own language leaves out the nodes of the others")
    func languages() throws {
        let spanish = try graph { pipeline in
            pipeline.parameters[0].fallback = ["es", "fr"]
            step("first", in: &pipeline) {
                $0.forEach = ["language", "part"]
                $0.when = Condition(name: "language", text: "es")
            }
            step("second", in: &pipeline) { $0.forEach = ["language", "part"] }
        }
        let (plan, done) = run(spanish, parts: 2) { _ in false }
        #expect(plan.isFinished)
        #expect(
            Set(done) == [
                "split", "first[es,1]", "first[es,2]", "second[es,1]", "second[es,2]", "join", "after",
            ])
    }
}
