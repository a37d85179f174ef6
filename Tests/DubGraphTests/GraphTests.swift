import DubCore
import DubGraph
import Testing

/// Stages that split, work on and join lists, without code behind them.
let signatures: [String: StageSignature] = [
    "split": StageSignature(
        name: "split", version: 1, inputs: [.one("file")], outputs: [.list("parts"), .one("index")]),
    "work": StageSignature(
        name: "work", version: 1, inputs: [.one("part"), .optional("extra")], outputs: [.one("done"), .list("bits")],
        parameters: ["rate": 1, "to": ""]),
    "join": StageSignature(name: "join", version: 1, inputs: [.list("all")], outputs: [.one("whole")]),
]

let fanOut = """
    version: 1
    name: fan
    parameters:
      to: {type: languages}
    axes:
      language: to
      part: split.parts
      bit: first.bits
    stages:
      split: {in: {file: item}}
      first: {uses: work, for_each: part, in: {part: "split.parts[part]"}}
      second:
        uses: work
        for_each: [language, part]
        in: {part: first.done}
        with: {to: "${language}", rate: 2}
      third: {uses: work, for_each: [part, bit], in: {part: "first.bits[bit]"}}
      join: {for_each: language, in: {all: second.done}}
      bits: {uses: join, in: {all: third.done}}
    deliver:
      - {kind: video, from: join.whole, name: "{stem}.{language}"}
    """

func artifact(_ text: String) -> Artifact { Artifact(digest: .of(text), size: Int64(text.utf8.count), type: "txt") }

func faults(_ text: String) -> [String] {
    Graph.faults(in: text, file: "p.yaml", stages: signatures).map(\.description)
}

@Suite struct GraphTests {
    @Test("a sound pipeline has no fault")
    func sound() {
        #expect(faults(fanOut).isEmpty)
    }

    @Test("every fault is told at once, with its line and a suggestion")
    func allFaults() {
        let broken = """
            version: 2
            name: broken
            parameters:
              to: {type: langauges}
            axes:
              part: split.index
            stages:
              split: {in: {fil: item}}
              work: {for_each: prt, in: {part: spilt.parts}, with: {ratte: 2, to: "${nobody}"}}
              joni: {in: {all: work.done}}
            """
        let found = faults(broken)
        for expected in [
            "p.yaml:1:10: `version` has to be 1.", "`langauges` is no type.", "`split.index` is no list.",
            "Stage `split` gets no `file`.", "Did you mean `file`?", "There is no axis `prt`. Did you mean `part`?",
            "Did you mean `split`?", "Did you mean `rate`?", "`${nobody}`",
            "There is no stage `joni`. Did you mean `join`?",
        ] {
            #expect(found.contains { $0.contains(expected) }, "\(expected)\n\(found.joined(separator: "\n"))")
        }
    }

    @Test("what is no YAML is told with its line")
    func noYAML() {
        #expect(faults("version: 1\nstages: }{\nname: x").first?.hasPrefix("p.yaml:2:") == true)
        #expect(faults("").first?.contains("no mapping") == true)
        #expect(!faults("version: 1\nname: x").isEmpty)
    }

    @Test("a circle is refused")
    func circle() {
        let text = """
            version: 1
            name: circle
            stages:
              a: {uses: work, in: {part: b.done}}
              b: {uses: work, in: {part: a.done}}
              after: {uses: work, in: {part: b.done}}
              early: {uses: work, in: {part: after.done}}
            """
        let found = faults(text)
        #expect(found.count == 1)
        // At the input that closes it, and without those that only wait behind it.
        #expect(found.first?.hasPrefix("p.yaml:4:30: Stages wait for each other: a reads b reads a.") == true)
        let own = text.replacing("part: a.done", with: "part: b.done")
        #expect(faults(own).first?.hasPrefix("p.yaml:5:30: `b` reads what it writes.") == true)
    }

    @Test("a parameter of another type than the setting that it fills is refused")
    func types() {
        func told(_ parameter: String, _ setting: String) -> [String] {
            faults(
                """
                version: 1
                name: types
                parameters: {x: {\(parameter)}, to: {type: languages, default: [es]}}
                axes: {language: to, part: split.parts}
                stages:
                  split: {in: {file: item}}
                  each: {uses: work, for_each: [language, part], in: {part: "split.parts[part]"}, with: {\(setting)}}
                """)
        }
        #expect(
            told("type: number, default: 3", "to: \"${x}\"") == [
                "p.yaml:7:94: `to` of `each` has to be a text, and `${x}` is a number. Change the type of `x`, or write the value here."
            ])
        #expect(told("type: text, default: a", "rate: \"${x}\"").first?.contains("has to be a number") == true)
        #expect(told("type: flag, default: true", "to: \"${x}\"").count == 1)
        #expect(told("type: text, default: a", "to: \"${to}\"").count == 1)
        #expect(told("type: number, default: 3", "to: \"a ${x}\", rate: \"${x}\"") == [])
        #expect(told("type: language, default: es", "to: \"${x}\"") == [])
        #expect(told("type: text, default: a", "to: \"${language}\", rate: \"${part}\"") == [])
    }

    @Test("a list is not wired to an input that takes one")
    func listToOne() {
        let text = """
            version: 1
            name: list
            axes: {part: split.parts}
            stages:
              split: {in: {file: item}}
              whole: {uses: work, in: {part: split.parts}}
              each: {uses: work, for_each: part, in: {part: "split.parts[part]"}}
              one: {uses: work, in: {part: each.done}}
            """
        let found = faults(text)
        #expect(found.contains { $0.contains("`split.parts` is a list here") && $0.contains("split.parts[axis]") })
        #expect(found.contains { $0.contains("`each.done` is a list here") })
    }

    @Test("parameters are checked by type, and a missing one is named")
    func parameters() throws {
        func bind(_ given: [String: JSONValue]) throws -> Graph {
            try Graph.read(fanOut, file: "p.yaml", stages: signatures, parameters: given)
        }
        #expect(try bind(["to": ["es", "pt-br", "es"]]).parameters["to"] == ["es", "pt-BR"])
        for (given, code) in [
            ([:], "parameter.invalid"), (["to": 3], "parameter.invalid"), (["to": ["xx"]], "language.unknown"),
            (["to": ["es"], "tu": 1], "parameter.invalid"),
        ] as [([String: JSONValue], String)] {
            let error = #expect(throws: DubError.self) { try bind(given) }
            #expect(error?.code.name == code)
        }
    }
}
