import DubCore
import DubGraph
import DubLedger
import DubRunner
import DubStorage
import Foundation
import Testing

/// A stage whose work is a closure on texts.
struct TextStage: Stage {
    let signature: StageSignature
    let work: @Sendable (StageInputs, [String: [String]]) async throws -> [String: [String]]

    func run(_ inputs: StageInputs, in context: StageContext) async throws -> [String: StageValue] {
        var texts: [String: [String]] = [:]
        for (name, value) in inputs.values {
            texts[name] = try value.artifacts.map { try String(contentsOfFile: context.path(of: $0), encoding: .utf8) }
        }
        let written = try await work(inputs, texts)
        var outputs: [String: StageValue] = [:]
        for output in signature.outputs {
            let artifacts = try written[output.name, default: []].map {
                try context.store.put(Data($0.utf8), type: "txt")
            }
            outputs[output.name] = output.isList ? .list(artifacts) : artifacts.first.map { .one($0) }
        }
        return outputs
    }
}

/// A store, a ledger and an item in a scratch folder, with stages that split a text into words and shout them.
final class Bench: Sendable {
    let folder: String
    let store: FileStore
    let ledger: SQLiteLedger
    let calls = Locked<[String]>([])
    let trouble = Locked<[String: Int]>([:])
    /// How many words are being shouted, and the most that ever were.
    let shouting = Locked((now: 0, most: 0))

    init() throws {
        folder = FileManager.default.temporaryDirectory.path + "/dubmill-runner-\(UUID().uuidString)"
        store = try FileStore(root: folder)
        ledger = try SQLiteLedger(path: folder + "/ledger.sqlite")
    }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    static let pipeline = """
        version: 1
        name: shout
        parameters:
          mark: {type: text, default: "!"}
        axes:
          word: split.words
        stages:
          split: {in: {text: item}}
          shout: {for_each: word, in: {word: "split.words[word]"}, with: {mark: "${mark}"}}
          join: {in: {words: shout.word}}
        deliver:
          - {kind: script, from: join.text}
        """

    var stages: [String: any Stage] {
        [
            "split": TextStage(
                signature: StageSignature(name: "split", version: 1, inputs: [.one("text")], outputs: [.list("words")])
            ) { _, texts in
                self.calls.withLock { $0.append("split") }
                return ["words": texts["text", default: []].flatMap { $0.split(separator: " ").map(String.init) }]
            },
            "shout": TextStage(
                signature: StageSignature(
                    name: "shout", version: 1, inputs: [.one("word")], outputs: [.one("word")],
                    parameters: ["mark": "!"])
            ) { inputs, texts in
                let word = texts["word"]?.first ?? ""
                self.calls.withLock { $0.append("shout \(word)") }
                self.shouting.withLock { $0 = ($0.now + 1, max($0.most, $0.now + 1)) }
                defer { self.shouting.withLock { $0.now -= 1 } }
                await Task.yield()
                let left = self.trouble.withLock { trouble in
                    trouble[word, default: 0] -= 1
                    return trouble[word, default: 0] + 1
                }
                if left > 0 {
                    throw DubError(
                        .init(name: "test.trouble"), "trouble", at: word, fix: "none",
                        persistence: left > 100 ? .permanent : .transient)
                }
                if word == "forever" { try await Task.sleep(for: .seconds(3600)) }
                return ["word": [word.uppercased() + (inputs.parameters["mark"]?.string ?? "")]]
            },
            "join": TextStage(
                signature: StageSignature(name: "join", version: 1, inputs: [.list("words")], outputs: [.one("text")])
            ) { _, texts in
                self.calls.withLock { $0.append("join") }
                return ["text": [texts["words", default: []].joined(separator: " ")]]
            },
        ]
    }

    func run(
        _ text: String, mark: String = "!", slots: Int = 4, force: Bool = false,
        observe: @escaping @Sendable (RunEvent) -> Void = { _ in }
    ) async throws -> (PlanResult, calls: [String], text: String?) {
        calls.withLock { $0 = [] }
        let path = folder + "/item.txt"
        try Data(text.utf8).write(to: URL(filePath: path), options: .atomic)
        let graph = try Graph.read(
            Self.pipeline, file: "shout.yaml", stages: stages.mapValues(\.signature),
            parameters: ["mark": .string(mark)])
        let runner = Runner(
            stages: stages, store: store, ledger: ledger, capacity: Capacity(cpu: slots),
            retry: RetryPolicy(attempts: 3, backoff: .milliseconds(1)), observe: observe)
        let item = RunItem(
            run: "test", index: 0, source: path,
            given: [
                "item": .init(
                    artifact: Artifact(digest: .of(text), size: Int64(text.utf8.count), type: "txt"), path: path)
            ])
        let result = await runner.process(item, graph: graph, force: force)
        let joined = result.plan.outputs(ofStep: 2, named: "text").first?.value.artifacts.first
        return (
            result, calls.withLock { $0.sorted() },
            try joined.map { try String(contentsOfFile: store.path(of: $0), encoding: .utf8) }
        )
    }
}

@Suite struct RunnerTests {
    @Test("runs every node once, in any number of slots", arguments: [1, 2, 8])
    func order(slots: Int) async throws {
        let (result, calls, text) = try await Bench().run("a b c", slots: slots)
        #expect(text == "A! B! C!")
        #expect(calls == ["join", "shout a", "shout b", "shout c", "split"])
        #expect(result.nodes.run == 5)
    }

    @Test("a second run executes nothing")
    func nullRun() async throws {
        let bench = try Bench()
        _ = try await bench.run("a b c")
        let (result, calls, text) = try await bench.run("a b c")
        #expect(calls.isEmpty)
        #expect(result.nodes.cached == 5)
        #expect(text == "A! B! C!")
    }

    @Test("a changed word runs that word and what reads it, and the reason is told")
    func delta() async throws {
        let bench = try Bench()
        _ = try await bench.run("a b c")
        let reasons = Locked<[String: String]>([:])
        let (result, calls, text) = try await bench.run("a x c") { event in
            if case .nodeStarted(_, _, let node, let reason) = event {
                reasons.withLock { $0[node] = reason.description }
            }
        }
        #expect(calls == ["join", "shout x", "split"])
        #expect(result.nodes.cached == 2)
        #expect(text == "A! X! C!")
        #expect(reasons.withLock { $0["shout[2]"] } == "input word changed")
    }

    @Test("a changed setting runs the nodes that it is set on")
    func setting() async throws {
        let bench = try Bench()
        _ = try await bench.run("a b")
        #expect(try await bench.run("a b", mark: "?").calls == ["join", "shout a", "shout b"])
        #expect(try await bench.run("a b", mark: "!").calls.isEmpty)
    }

    @Test("a word said twice is worked on once")
    func twice() async throws {
        let (result, calls, text) = try await Bench().run("a a a a", slots: 8)
        #expect(calls == ["join", "shout a", "split"])
        #expect(text == "A! A! A! A!")
        #expect(result.nodes.run == 3)
        #expect(result.nodes.cached == 3)
    }

    @Test("an output that is gone or damaged is made again, and nothing else")
    func damage() async throws {
        let bench = try Bench()
        let (first, _, _) = try await bench.run("a b")
        let shouted = first.plan.outputs(ofStep: 1, named: "word").flatMap(\.value.artifacts)
        try FileManager.default.removeItem(atPath: bench.store.path(of: shouted[0]))
        #expect(try await bench.run("a b").calls == ["shout a"])
        try Data("Z!".utf8).write(to: URL(filePath: bench.store.path(of: shouted[1])))
        #expect(try await bench.run("a b").calls == ["shout b"])
    }

    @Test("a transient failure is tried again, a permanent one is not")
    func retries() async throws {
        let bench = try Bench()
        bench.trouble.withLock { $0["a"] = 2 }
        let (good, calls, _) = try await bench.run("a b")
        #expect(good.errors.isEmpty)
        #expect(calls.filter { $0 == "shout a" }.count == 3)
        bench.trouble.withLock { $0["c"] = 1000 }
        let (bad, second, _) = try await bench.run("a c b")
        #expect(bad.errors.map(\.code.name) == ["test.trouble"])
        #expect(second == ["shout c", "split"])
        #expect(!bad.plan.isFinished)
    }

    @Test("a cancelled run stops its nodes, and the next one goes on")
    func cancellation() async throws {
        let bench = try Bench()
        let started = AsyncStream<Void>.makeStream()
        let task = Task {
            try await bench.run("a forever b") { event in
                if case .nodeStarted(_, "shout", _, _) = event { started.continuation.yield() }
            }
        }
        var seen = 0
        for await _ in started.stream {
            seen += 1
            if seen == 3 { break }
        }
        task.cancel()
        let (result, _, _) = try await task.value
        #expect(result.isCancelled)
        #expect(!result.plan.isFinished)
        #expect(try FileManager.default.contentsOfDirectory(atPath: bench.folder + "/scratch").isEmpty)
    }
}
