import DubCore
import Testing

@testable import DubGraph

/// Files in memory.
private func files(_ texts: [String: String]) -> PipelineInclude {
    { (name: String, _: String) throws(DubError) in
        guard let text = texts[name] else {
            throw DubError(.inputMissing, "There is no such file.", at: name, fix: "Check the name.")
        }
        return PipelineSource(file: name, text: text)
    }
}

private func read(_ text: String, _ texts: [String: String]) throws -> Graph {
    try Graph.read(text, file: "own.yaml", stages: signatures, include: files(texts))
}

private func faults(_ text: String, _ texts: [String: String]) -> [String] {
    Graph.faults(in: text, file: "own.yaml", stages: signatures, include: files(texts)).map(\.description)
}

private let base = """
    version: 1
    name: base
    parameters:
      to: {type: languages, default: [es]}
      speed: {type: number, default: 1}
    axes: {part: split.parts}
    stages:
      split: {in: {file: item}}
      work:
        for_each: part
        in: {part: "split.parts[part]", extra: edits}
        with: {rate: 2, to: en}
        retry: {attempts: 3, backoff: 1s}
      join: {in: {all: work.done}}
    deliver:
      - {kind: video, from: join.whole}
    """

@Suite struct InclusionTests {
    @Test("what includes is put over what is included, key by key; ~ takes away")
    func merged() throws {
        let graph = try read(
            """
            version: 1
            include: [base.yaml]
            parameters:
              speed: {default: 3}
            stages:
              work: {with: {rate: "${speed}"}, in: {extra: ~}, retry: {attempts: 5}, tolerate: 1}
              again: {uses: work, in: {part: join.whole}}
              join: {limit: 3}
            deliver:
              - {kind: video, from: again.done}
            """, ["base.yaml": base])
        #expect(graph.name == "base")
        #expect(graph.parameters["speed"] == 3)
        let work = graph.steps[try #require(graph.step(named: "work"))]
        #expect(work.parameters == ["rate": "${speed}", "to": "en"])
        #expect(work.inputs.map(\.name) == ["part"])
        #expect(work.policy.retry == RetryPolicy(attempts: 5, backoff: .seconds(1)))
        #expect(work.policy.tolerance == .count(1))
        #expect(graph.deliveries.map(\.stage) == ["again"])
        let removed = try read(
            "version: 1\ninclude: base.yaml\nstages: {join: ~}\ndeliver: []", ["base.yaml": base])
        #expect(removed.steps.map(\.name) == ["split", "work"])
    }

    @Test("a fault names the file that it stands in")
    func places() {
        let broken = base.replacing("rate: 2", with: "ratte: 2")
        let found = faults("version: 1\ninclude: base.yaml\nstages:\n  join: {limt: 1}\n", ["base.yaml": broken])
        #expect(found.count == 2)
        #expect(found.first?.hasPrefix("own.yaml:4:10: ") == true, "\(found)")
        #expect(found.last?.hasPrefix("base.yaml:12:19: ") == true, "\(found)")
    }

    @Test("missing files, circles, depth, breadth and emptied stages are faults at the include")
    func refused() {
        let own = "version: 1\ninclude: [a.yaml]\nstages: {}\n"
        func found(_ texts: [String: String], _ own: String = own) -> String {
            faults(own, texts).joined(separator: "\n")
        }
        #expect(found([:]).hasPrefix("own.yaml:2:11: `a.yaml` cannot be included: There is no such file."))
        let circle = ["a.yaml": "version: 1\ninclude: b.yaml", "b.yaml": "version: 1\ninclude: a.yaml"]
        #expect(found(circle).hasPrefix("b.yaml:2:10: Files include each other in a circle: a.yaml → b.yaml → a.yaml"))
        #expect(
            found(["a.yaml": "version: 1\ninclude: own.yaml", "own.yaml": own]).contains("own.yaml → a.yaml → own.yaml")
        )
        var chain: [String: String] = ["a.yaml": "version: 1\ninclude: '0'"]
        for index in 0..<20 { chain["\(index)"] = "version: 1\ninclude: '\(index + 1)'" }
        #expect(found(chain).contains("more than 8 deep"))
        var wide = ["a.yaml": "version: 1\ninclude: '0'", "4": base]
        for level in 0..<4 {
            let next = Array(repeating: "'\(level + 1)'", count: 9).joined(separator: ", ")
            wide["\(level)"] = "version: 1\ninclude: [\(next)]"
        }
        #expect(found(wide).hasSuffix("More than 64 files are included. Put them together."))
        #expect(found(["a.yaml": "version: 1\nstages: }{"]).hasPrefix("a.yaml:2:"))
        #expect(found(["a.yaml": "name: x"]).contains("a.yaml:1:1: There is no `version`"))
        #expect(
            found(["a.yaml": base], "version: 1\ninclude: a.yaml\nstages: {wrk: ~}").contains("stage `wrk` is empty"))
        #expect(found([:], "version: 1\ninclude: [{}]\nstages: {}").contains("names no file"))
    }

    @Test("nothing is read where no one was handed in to read it")
    func refusedByDefault() {
        let found = Graph.faults(in: "version: 1\ninclude: base.yaml", file: "own.yaml", stages: signatures)
        #expect(found.first?.what.contains("Nothing can be included here") == true)
    }
}

@Suite struct BoundsTests {
    @Test("alias bombs are refused at once, as values and as keys")
    func bombs() {
        var bomb = "version: 1\na0: &a0 [x, x, x, x, x, x, x, x, x]\n"
        for level in 1...9 {
            bomb +=
                "a\(level): &a\(level) [" + Array(repeating: "*a\(level - 1)", count: 9).joined(separator: ", ") + "]\n"
        }
        for text in [bomb, bomb + "? *a9\n: 1\n", bomb + "b: {*a9}\n"] {
            let found = DubGraphTests.faults(text)
            #expect(found.count == 1 && found.first?.contains("too many anchors and aliases") == true, "\(found)")
        }
        let small =
            "version: 1\na: &a [\(Array(repeating: "x", count: 900).joined(separator: ","))]\n"
            + "b: [\(Array(repeating: "*a", count: 30).joined(separator: ","))]"
        #expect(DubGraphTests.faults(small).first?.contains("too many values") == true)
    }

    @Test("an alias that is used in many stages is none")
    func aliases() {
        let text = """
            version: 1
            name: aliased
            stages:
              a: {uses: work, in: {part: item}, retry: &patient {attempts: 5, backoff: 1s}}
            """ + (0..<40).map { "\n  s\($0): {uses: work, in: {part: item}, retry: *patient}" }.joined()
        #expect(DubGraphTests.faults(text).isEmpty)
    }

    @Test("deep nesting is refused", arguments: ["[", "{a: ", "- ", "? "])
    func deep(open: String) {
        for count in [40, 900, 100_000] {
            let text =
                "version: 1\nname: " + (open == "- " || open == "? " ? "\n  " : "")
                + String(repeating: open, count: min(count, 250_000 / open.utf8.count))
            #expect(!DubGraphTests.faults(text).isEmpty)
            let closed =
                "version: 1\nname: " + String(repeating: "[", count: count) + String(repeating: "]", count: count)
            #expect(DubGraphTests.faults(closed).count == 1)
        }
    }

    @Test("a file that is no pipeline is refused by its size")
    func large() {
        #expect(DubGraphTests.faults(String(repeating: "#", count: 300 << 10)).first?.contains("256 KiB") == true)
    }
}
