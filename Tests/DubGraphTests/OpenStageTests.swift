import DubCore
import Testing

@testable import DubGraph

private let stages = signatures.merging([
    "exec": StageSignature(
        name: "exec", version: 1, inputs: [], outputs: [], parameters: ["command": [], "env": [:], "version": 1],
        required: ["command"], isOpen: true)
]) { $1 }

private func pipeline(_ stage: String) -> String {
    """
    version: 1
    name: open
    parameters: {tags: {type: list, default: [a, b]}}
    axes: {part: cut.parts, tag: tags}
    stages:
      cut: {uses: exec, in: {film: item}, out: {parts: [wav], log: txt}, with: {command: [cut, "{in.film}", "{out.parts}"]}}
      each: {uses: work, for_each: part, in: {part: "cut.parts[part]"}}
      own: \(stage)
    """
}

private func told(_ stage: String) -> [String] {
    Graph.faults(in: pipeline(stage), file: "p.yaml", stages: stages).map(\.description)
}

@Suite struct OpenStageTests {
    @Test("an element of a list that a stage wrote stands for its place, from 1; files lie beside the pipeline")
    func places() throws {
        let text = pipeline(
            """
            {uses: exec, for_each: part, in: {one: "cut.parts[part]", program: ./bin/rms.py}, out: {sum: json},
                with: {command: [python3, "{in.program}", "${part}", "at ${part}"]}}
            """)
        let graph = try Graph.read(text, file: "some/p.yaml", stages: stages)
        #expect(graph.files == ["some/bin/rms.py"])
        #expect(try Graph.read(text, file: "p.yaml", stages: stages).files == ["./bin/rms.py"])
        var plan = Plan(graph)
        let first = plan.popReady()
        let cut = try #require(first)
        let artifact = Artifact(digest: .of("x"), size: 1, type: "wav")
        plan.finish(cut, outputs: ["parts": .list([artifact, artifact]), "log": .one(artifact)])
        var words: Set<String> = []
        while let node = plan.popReady() {
            guard plan.name(of: node).hasPrefix("own") else { continue }
            let inputs = plan.inputs(of: node, given: ["some/bin/rms.py": artifact])
            #expect(inputs.artifact("program") == artifact)
            words.insert(inputs.parameters["command"]?.canonical ?? "")
        }
        #expect(
            words == [
                #"["python3","{in.program}",1,"at 1"]"#, #"["python3","{in.program}",2,"at 2"]"#,
            ])
        #expect(told("{uses: exec, in: {a: ./b/}, out: {sum: json}, with: {command: [a, \"{out.sum}\"]}}").count == 1)
        #expect(
            told(
                "{uses: exec, for_each: part, when: \"${part} == 1\", in: {a: item}, out: {s: json}, with: {command: [a]}}"
            )
            .first?.contains("A condition looks at parameters") == true)
    }

    @Test("what parameters alone say is not needed is known before anything ran")
    func unneeded() throws {
        let text =
            pipeline("{uses: work, when: \"${how} == never\", in: {part: cut.log}}")
            .replacing("{tags:", with: "{how: {type: text, default: always}, tags:")
            + "\n  behind: {uses: work, in: {part: own.done}}"
            + "\n  whole: {uses: join, in: {all: each.done}}"
        let graph = try Graph.read(text, file: "p.yaml", stages: stages)
        #expect(Set(graph.unneeded.map { graph.steps[$0].name }) == ["own", "behind"])
    }

    @Test("a step's own declarations stand for the stage's inputs and outputs")
    func declared() throws {
        let graph = try Graph.read(
            pipeline(
                """
                {uses: exec, in: {all: each.done, log: cut.log, edits: edits}, out: {sum: json, parts: [png]},
                    with: {command: [sum, "{in.all}", "--to={out.sum}", "${tags}", 5], env: {LOG: "{in.log}"}}}
                """), file: "p.yaml", stages: stages)
        let own = try #require(graph.steps.last)
        #expect(own.signature.inputs.map(\.name) == ["all", "edits", "log"])
        #expect(own.signature.inputs.map(\.isList) == [true, false, false])
        #expect(own.signature.inputs.map(\.isOptional) == [false, true, false])
        #expect(own.signature.outputs.map(\.name) == ["parts", "sum"])
        #expect(own.parameters["out"] == ["sum": "json", "parts": ["png"]])
        var plan = Plan(graph)
        let first = plan.popReady()
        let cut = try #require(first)
        plan.finish(cut, outputs: ["parts": .list([artifact("a"), artifact("b")]), "log": .one(artifact("l"))])
        while let node = plan.popReady() {
            guard plan.name(of: node) == "own" else {
                plan.finish(node, outputs: ["done": .one(artifact("d")), "bits": .list([])])
                continue
            }
            let inputs = plan.inputs(of: node, given: ["item": artifact("i")])
            #expect(inputs.list("all").count == 2)
            #expect(inputs.parameters["command"] == ["sum", "{in.all}", "--to={out.sum}", ["a", "b"], 5])
            return
        }
        Issue.record("`own` never was ready")
    }

    @Test("what an open stage writes and reads is part of its key")
    func key() throws {
        func key(_ stage: String) throws -> Digest {
            let graph = try Graph.read(pipeline(stage), file: "p.yaml", stages: stages)
            let own = try #require(graph.steps.last)
            return Fingerprint(
                own.signature,
                StageInputs(values: ["film": .one(artifact("i"))], parameters: own.parameters), models: []
            ).key
        }
        func stage(_ out: String = "sum: json", _ command: String = "sum", _ more: String = "") -> String {
            "{uses: exec, in: {film: item}, out: {\(out)}, with: {command: [\(command)]\(more)}}"
        }
        let keys = try [
            stage(), stage("sum: txt"), stage("sum: [json]"), stage("sum: json", "add"),
            stage("sum: json", "sum", ", version: 2"), stage("sum: json", "sum", ", env: {A: b}"),
        ].map(key)
        #expect(Set(keys).count == keys.count)
        #expect(try key(stage()) == keys[0])
    }

    @Test(
        "what is wrong in an open stage is told with what to write",
        arguments: [
            ("{uses: exec, in: {film: item}, with: {command: [a]}}", "writes nothing. Add `out:"),
            ("{uses: exec, out: {a: wav}}", "has no `command`. Add `command:`"),
            ("{uses: exec, out: {a: wav}, with: {command: []}}", "is empty. Write at least one"),
            ("{uses: exec, out: {a: wav}, with: {command: sum}}", "has to be a list"),
            ("{uses: exec, out: {a: wav}, with: {command: [x, {in.a}]}}", "put quotes around"),
            (
                "{uses: exec, in: {film: item}, out: {a: wav}, with: {command: [x, \"{in.flim}\"]}}",
                "Did you mean `film`?"
            ),
            ("{uses: exec, out: {sum: wav}, with: {command: [x, \"{out.sun}\"]}}", "Did you mean `sum`?"),
            ("{uses: exec, out: {a: wav}, with: {command: [x, \"${tag}\"]}}", "Did you mean `tags`?"),
            ("{uses: exec, out: {a: wav}, with: {command: [x], evn: {}}}", "Did you mean `env`?"),
            ("{uses: exec, out: {a: .WAV}, with: {command: [x]}}", "extension of small letters"),
            ("{uses: exec, out: {a: [wav, png]}, with: {command: [x]}}", "has 2 types"),
            ("{uses: exec, out: {a: wav}, with: {command: [x], version: new}}", "has to be a number"),
            ("{uses: exec, out: {a: wav}, with: {command: [x], env: {A=B: c}}}", "no name of a variable"),
            ("{uses: exec, in: {a: cut.prts}, out: {b: wav}, with: {command: [x]}}", "Did you mean `parts`?"),
            ("{uses: work, in: {part: cut.parts}}", "is a list here"),
        ])
    func faulty(stage: String, expected: String) {
        let found = told(stage)
        #expect(found.count == 1 && found.first?.contains(expected) == true, "\(found)")
    }
}
