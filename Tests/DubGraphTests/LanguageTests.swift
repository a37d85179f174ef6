import DubCore
import Foundation
import Testing

@testable import DubGraph

/// A pipeline around the lines of one stage `work`.
private func around(_ lines: String, parameters: String = "") -> String {
    """
    version: 1
    name: p
    parameters:
      to: {type: languages, default: [es]}
      loud: {type: flag, default: false}
      mode: {type: text, default: fast, choices: [fast, good]}
      sizes: {type: list, default: [1, 2]}
      rate: {type: number, default: 1, min: 0, max: 5}
    \(parameters)
    axes: {language: to, size: sizes}
    stages:
      work:
        in: {part: item}
    """ + "\n" + lines.split(separator: "\n").map { "    \($0)" }.joined(separator: "\n")
}

private func step(_ lines: String) throws -> Graph.Step {
    let graph = try Graph.read(around(lines), file: "p.yaml", stages: signatures)
    return try #require(graph.steps.first)
}

@Suite struct PolicyTests {
    @Test("how a stage is run is read with its units")
    func policies() throws {
        let work = try step(
            """
            when: "${loud}"
            retry: {attempts: 7, backoff: 250ms, ceiling: 1.5m, jitter: false, on: [worker, output.unwritable]}
            timeout: 2h
            resources: {cpu: 2, gpu: 1, memory: 4GiB, worker: 3}
            limit: 2
            tolerate: 5%
            """)
        #expect(work.when == Condition(name: "loud"))
        var policy = RunPolicy()
        policy.retry = RetryPolicy(
            attempts: 7, backoff: .milliseconds(250), ceiling: .seconds(90), jitter: false,
            on: ["worker", "output.unwritable"])
        policy.timeout = .seconds(7200)
        policy.resources = Resources(cpu: 2, gpu: 1, memory: 4 << 30, worker: 3)
        policy.limit = 2
        policy.tolerance = .share(0.05)
        #expect(work.policy == policy)
        #expect(try step("retry: 5").policy.retry?.attempts == 5)
        #expect(try step("tolerate: 3").policy.tolerance == .count(3))
        #expect(try step("tolerate: 0").policy.tolerance == .none)
    }

    @Test(
        "sizes are decimal or binary as they are written",
        arguments: [("512MiB", 512 << 20), ("2GB", 2_000_000_000), ("1.5KiB", 1536), ("10 B", 10), ("3kB", 3000)])
    func sizes(text: String, bytes: Int64) {
        #expect(Quantity.size(text) == bytes)
    }

    @Test(
        "conditions are read in all four forms",
        arguments: [
            ("${loud}", Condition(name: "loud")), ("!${loud}", Condition(name: "loud", isNegated: true)),
            ("${mode} == good", Condition(name: "mode", text: "good")),
            (" ${mode}!='fast' ", Condition(name: "mode", text: "fast", isNegated: true)),
        ])
    func conditions(text: String, condition: Condition) throws {
        #expect(Quantity.condition(text) == condition)
        #expect(try step("when: \"\(text)\"").when == condition)
    }

    @Test("a condition on a language compares tags, and one on an axis its element")
    func elements() throws {
        #expect(try step("for_each: language\nwhen: \"${language} == PT-br\"").when?.text == "pt-BR")
        #expect(try step("for_each: size\nwhen: \"${size} == 2\"").when?.text == "2")
    }

    @Test("the kinds of error that may be tried again are those that the code of nodes has")
    func families() throws {
        let sources = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appending(path: "Sources")
        var declared: Set<String> = []
        for room in ["DubCore", "DubHTTP", "DubMedia", "DubRunner", "DubStages", "DubStorage", "DubWorkers"] {
            let folder = sources.appending(path: room)
            for path in try FileManager.default.subpathsOfDirectory(atPath: folder.path) where path.hasSuffix(".swift")
            {
                let text = try String(contentsOf: folder.appending(path: path), encoding: .utf8)
                declared.formUnion(text.matches(of: /Self\(name: "([a-z]+)[."]/).map { String($0.output.1) })
            }
        }
        // Of the run and the program, not of a node.
        let others: Set = ["ledger", "resources", "run", "settings"]
        #expect(declared.subtracting(others).sorted() == RetryPolicy.families)
        #expect(others.isSubset(of: declared))
    }

    @Test(
        "a wrong value is a fault at its own place, with what to write",
        arguments: [
            ("retry: 0", "14:12", "from 1 to 20"), ("retry: {attempts: 21}", "14:23", "from 1 to 20"),
            ("retry: {backof: 1s}", "14:13", "Did you mean `backoff`?"),
            ("retry: {backoff: 1}", "14:22", "Write a duration such as"),
            ("retry: {backoff: 2m, ceiling: 1s}", "14:35", "Raise it"),
            ("retry: {on: [Worker]}", "14:18", "Did you mean `worker`?"),
            ("retry: {on: worker.Died}", "14:17", "Write the kind of an error"),
            ("retry: {on: [exec, wroker]}", "14:24", "Did you mean `worker`?"),
            ("timeout: 0s", "14:14", "from 1ms to 168h"), ("timeout: soon", "14:14", "duration"),
            ("resources: {cpu: two}", "14:22", "whole number"), ("resources: {memory: 4G}", "14:25", "`4GiB`"),
            ("resources: {ram: 4GiB}", "14:17", "It takes cpu"), ("limit: 0", "14:12", "from 1"),
            ("tolerate: 101%", "14:15", "`5%`"), ("tolerate: -1", "14:15", "`5%`"),
            ("when: loud", "14:11", "`${flag}`"), ("when: \"${lod}\"", "14:11", "Did you mean `loud`?"),
            ("when: \"${mode}\"", "14:11", "Compare it"), ("when: \"${mode} == god\"", "14:11", "Did you mean `good`?"),
            ("when: \"${to} == es\"", "14:11", "run for each"),
            ("when: \"${loud} == maybe\"", "14:11", "true or false"),
            ("with: {rate: fast}", "14:18", "Write a number"), ("with: {to: [a]}", "14:16", "Write a text"),
            ("out: {a: wav}", "14:11", "Leave `out` away"), ("for_each: [size, size]", "13:5", "once"),
        ])
    func faulty(line: String, place: String, fix: String) {
        let found = faults(around(line))
        #expect(found.count == 1, "\(found)")
        #expect(found.first?.hasPrefix("p.yaml:\(place): ") == true, "\(found)")
        #expect(found.first?.contains(fix) == true, "\(found)")
    }
}

@Suite struct ParameterTests {
    private func bind(_ given: [String: JSONValue]) throws -> [String: JSONValue] {
        try Graph.read(around("limit: 1"), file: "p.yaml", stages: signatures, parameters: given).parameters
    }

    @Test("a run's texts become what the parameter is")
    func texts() throws {
        let bound = try bind([
            "sizes": "3, x,007,3", "to": "es,PT-br", "loud": "true", "rate": "2.5", "mode": "good",
        ])
        #expect(
            bound == [
                "sizes": [3, "x", "007"], "to": ["es", "pt-BR"], "loud": true, "rate": 2.5, "mode": "good",
            ])
        #expect(try bind(["sizes": 4])["sizes"] == [4])
        #expect(try bind(["sizes": ""])["sizes"] == [])
    }

    @Test(
        "what does not fit is refused",
        arguments: [
            ["rate": 6], ["rate": -1], ["rate": "much"], ["loud": "yes"], ["mode": "fine"], ["sizes": [true]],
            ["sizes": ["a": 1]], ["to": []], ["to": ["auto"]], ["tempo": 1],
        ] as [[String: JSONValue]])
    func refused(given: [String: JSONValue]) {
        #expect(throws: DubError.self) { try bind(given) }
    }

    @Test(
        "defaults, choices and bounds are checked in the file",
        arguments: [
            ("  a: {type: number, default: '1'}", "has to be a number"),
            ("  a: {type: text, default: 1}", "Put it in quotes"),
            ("  a: {type: number, min: 3, max: 2}", "larger than its `max`"),
            ("  a: {type: text, min: 3}", "Only a number"), ("  a: {type: flag, choices: [true]}", "no `choices`"),
            ("  a: {type: number, choices: [x]}", "A choice of `a`"),
            ("  a: {type: text, choices: [x], default: y}", "one of x"),
            ("  a: {type: languages, default: [klingonish]}", "The default of `a`"), ("  a: {default: 1}", "no `type`"),
            ("  a: {type: list, default: [{}]}", "a text or a number"),
        ])
    func checked(line: String, what: String) {
        let found = faults(around("limit: 1", parameters: line))
        #expect(found.count == 1 && found.first?.contains(what) == true, "\(found)")
    }

    @Test("profiles are checked, and an unknown one is answered with those there are")
    func profiles() throws {
        let text = around("limit: 1") + "\nprofiles:\n  rough: {mode: fast, to: [fr]}\n  fine: {mode: good}\n"
        let pipeline = try PipelineReader.read(text, file: "p.yaml")
        #expect(try pipeline.profile("rough") == ["mode": "fast", "to": ["fr"]])
        let error = #expect(throws: DubError.self) { try pipeline.profile("coarse") }
        #expect(error?.fix == "There is fine, rough.")
        let found = faults(around("limit: 1") + "\nprofiles:\n  rough: {mod: fast, rate: 9}\n")
        #expect(found.contains { $0.contains("16:16: There is no parameter `mod`. Did you mean `mode`?") }, "\(found)")
        #expect(found.contains { $0.contains("at most 5") })
    }

    @Test("what looks like a number in YAML 1.1 alone is a text")
    func scalars() {
        let texts = ["no", "on", "16:9", "00:01:30", "007", "1_000", "0x10", ".5", "+1", "inf", ".nan", "2026-11-25"]
        for text in texts { #expect(SourceText.meaning(of: text) == .string(text)) }
        #expect(SourceText.meaning(of: "-12") == -12)
        #expect(SourceText.meaning(of: "1.5e3") == .number(1500))
        #expect(SourceText.meaning(of: "true") == true)
    }

    @Test("a list fans out, and its elements stand in settings and names")
    func fanOut() throws {
        let text =
            around("for_each: size\nwith: {rate: \"${size}\"}") + """

                deliver:
                  - {kind: video, from: work.done, name: "{stem}.{size}"}
                """
        let graph = try Graph.read(text, file: "p.yaml", stages: signatures, parameters: ["sizes": "3,large"])
        var plan = Plan(graph)
        var seen: [String: JSONValue] = [:]
        while let node = plan.popReady() {
            seen[plan.name(of: node)] = plan.inputs(of: node, given: [:]).parameters["rate"]
            #expect(["3", "large"].contains(plan.labels(of: node)["size"]))
        }
        #expect(seen == ["work[3]": 3, "work[large]": "large"])
        let most = JSONValue.array((0..<1001).map { .integer($0) })
        let square = around("for_each: [size, more]", parameters: "  others: {type: list}")
            .replacing("size: sizes}", with: "size: sizes, more: others}")
        let error = #expect(throws: DubError.self) {
            try Graph.read(square, file: "p.yaml", stages: signatures, parameters: ["sizes": most, "others": most])
        }
        #expect(error?.what.contains("more than 1000000 times") == true)
    }

    @Test("deliveries that would overwrite each other or leave the folder are faults")
    func deliveries() {
        func found(_ delivery: String) -> [String] {
            faults(around("for_each: size") + "\ndeliver:\n  - {kind: video, \(delivery)}\n")
        }
        #expect(found("from: work.done, name: \"{size}\"").isEmpty)
        #expect(found("from: work.done").first?.contains("Put `{size}` into `name`") == true)
        #expect(found("from: work.done, name: \"../{size}\"").first?.contains("without `/`") == true)
        #expect(found("from: work.done, name: \"{size}{sise}\"").first?.contains("Did you mean `size`?") == true)
        #expect(found("from: work.bits, name: \"{size}\"").first?.contains("share one name") == true)
    }
}
