import DubCore
import DubLedger
import DubStorage
import DubTestKit
import Foundation
import Testing

@testable import DubGraph
@testable import DubRunner

extension Bench {
    /// Runs the words through the pipeline with a policy on `shout`.
    func run(
        _ text: String, policy: RunPolicy, capacity: Capacity = Capacity(cpu: 8), ledger: (any Ledger)? = nil,
        observe: @escaping @Sendable (RunEvent) -> Void = { _ in }
    ) async throws -> PlanResult {
        let (parsed, _) = PipelineReader.parse(Self.pipeline, file: "shout.yaml")
        var pipeline = try #require(parsed)
        for index in pipeline.steps.indices where pipeline.steps[index].name == "shout" {
            pipeline.steps[index].policy = policy
        }
        var check = GraphCheck(pipeline: pipeline, stages: stages.mapValues(\.signature))
        #expect(check.run().isEmpty)
        let path = folder + "/item.txt"
        try Data(text.utf8).write(to: URL(filePath: path), options: .atomic)
        let artifact = Artifact(digest: .of(text), size: Int64(text.utf8.count), type: "txt")
        return await Runner(
            stages: stages, store: store, ledger: ledger ?? self.ledger, capacity: capacity,
            retry: RetryPolicy(attempts: 3, backoff: .milliseconds(1)), observe: observe
        ).process(
            RunItem(run: "test", index: 0, source: path, given: ["item": .init(artifact: artifact, path: path)]),
            graph: try check.bind([:]))
    }
}

@Suite struct RunnerPolicyTests {
    @Test("an attempt that takes too long is stopped, told by its name, and tried again as often as said")
    func timeout() async throws {
        let bench = try Bench()
        var policy = RunPolicy()
        // Long enough for the others on a busy machine.
        policy.timeout = .seconds(1)
        policy.retry = RetryPolicy(attempts: 2, backoff: .zero)
        let result = try await bench.run("a forever b", policy: policy)
        #expect(result.errors.map(\.code) == [.nodeTimeout])
        #expect(result.errors.first?.place == "shout[2]")
        #expect(result.nodes.run == 3)
        #expect(bench.calls.withLock { $0.filter { $0 == "shout forever" }.count } == 2)
        #expect(try FileManager.default.contentsOfDirectory(atPath: bench.folder + "/scratch").isEmpty)
        let dead = try await bench.ledger.failures(of: "test")
        #expect(dead.map(\.node) == ["shout[2]"])
        #expect(dead.first?.attempts == 2)
    }

    @Test("what is tried again is decided by the kind of error where the pipeline says so")
    func kinds() async throws {
        for (kinds, calls) in [(["test"], 4), (["test.trouble"], 4), (["worker"], 1), ([], 1)] {
            let bench = try Bench()
            bench.trouble.withLock { $0["c"] = 3 }
            var policy = RunPolicy()
            policy.retry = RetryPolicy(attempts: 4, backoff: .zero, on: kinds)
            let result = try await bench.run("a c b", policy: policy)
            #expect(result.errors.isEmpty == (calls == 4))
            #expect(bench.calls.withLock { $0.filter { $0 == "shout c" }.count } == calls)
        }
    }

    @Test("waits double up to a ceiling, and are drawn from nought to that")
    func waits() {
        let even = RetryPolicy(backoff: .seconds(1), ceiling: .seconds(5), jitter: false)
        #expect((1...5).map { even.wait(after: $0) } == [1, 2, 4, 5, 5].map { .seconds($0) })
        let drawn = RetryPolicy(backoff: .seconds(1), ceiling: .seconds(5))
        let waits = (0..<200).map { _ in drawn.wait(after: 4).seconds }
        #expect(waits.allSatisfy { (0...5).contains($0) })
        #expect((waits.min() ?? 5) < 1 && (waits.max() ?? 0) > 4)
    }

    @Test("a stage's own limit bounds it, whatever the machine has")
    func limit() async throws {
        let bench = try Bench()
        var policy = RunPolicy()
        policy.limit = 1
        #expect(try await bench.run("a b c d e f", policy: policy).nodes.run == 8)
        #expect(bench.shouting.withLock { $0.most } == 1)
    }

    @Test("more than the machine has is refused before anything runs")
    func shortage() async throws {
        let bench = try Bench()
        var policy = RunPolicy()
        policy.resources.gpu = 1
        let result = try await bench.run("a b", policy: policy)
        #expect(result.errors.map(\.code) == [.resourcesExceeded])
        #expect(result.nodes == NodeCount())
        #expect(bench.calls.withLock { $0.isEmpty })
    }

    @Test("a tolerated failure is told, and who gathers goes on without it; the next run tries it again")
    func tolerance() async throws {
        let bench = try Bench()
        bench.trouble.withLock { $0["b"] = 1000 }
        var policy = RunPolicy()
        policy.tolerance = .share(0.4)
        let result = try await bench.run("a b c", policy: policy)
        #expect(result.errors.isEmpty)
        #expect(result.tolerated.map(\.code.name) == ["test.trouble"])
        #expect(result.plan.isFinished)
        let joined = try #require(result.plan.outputs(ofStep: 2, named: "text").first?.value.artifacts.first)
        #expect(try String(contentsOfFile: bench.store.path(of: joined), encoding: .utf8) == "A! C!")
        bench.trouble.withLock { $0 = [:] }
        let mended = try await bench.run("a b c", policy: policy)
        #expect(mended.tolerated.isEmpty)
        #expect(mended.nodes.run == 2)
    }

    @Test("more failures than are tolerated fail the item, each with its reason")
    func overdrawn() async throws {
        let bench = try Bench()
        bench.trouble.withLock { $0 = ["b": 1000, "c": 1000] }
        var policy = RunPolicy()
        policy.tolerance = .count(1)
        let result = try await bench.run("a b c", policy: policy)
        #expect(result.errors.count == 2)
        #expect(!result.plan.isFinished)
    }

    @Test("two runs on one store do every node once between them", arguments: 0..<5)
    func together(round: Int) async throws {
        let bench = try Bench()
        // A ledger of its own is a process of its own: claims belong to it.
        let other = try SQLiteLedger(path: bench.folder + "/ledger.sqlite")
        let words = (0..<60).map { "w\($0)" }.joined(separator: " ")
        async let first = bench.run(words, policy: RunPolicy())
        async let second = bench.run(words, policy: RunPolicy(), ledger: other)
        let results = try await [first, second]
        #expect(results.allSatisfy { $0.errors.isEmpty && $0.plan.isFinished })
        #expect(bench.calls.withLock { $0.count } == 62)
        #expect(results.map(\.nodes.run).reduce(0, +) == 62)
        #expect(results.map(\.nodes.cached).reduce(0, +) == 62)
    }

    @Test("a node runs again exactly where it, or what it reads, was changed", arguments: 0..<20)
    func delta(seed: UInt64) async throws {
        var random = SeededRandom(seed: seed)
        let bench = try Bench()
        var words = (0..<12).map { "w\($0)" }
        _ = try await bench.run(words.joined(separator: " "), policy: RunPolicy())
        let changed = Set((0..<3).map { _ in Int.random(in: 0..<12, using: &random) })
        for index in changed { words[index] = "changed\(index)" }
        bench.calls.withLock { $0 = [] }
        _ = try await bench.run(words.joined(separator: " "), policy: RunPolicy())
        #expect(bench.calls.withLock { Set($0) } == Set(["split", "join"] + changed.map { "shout changed\($0)" }))
    }
}
