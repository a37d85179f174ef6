internal import ArgumentParser
internal import DubCore
internal import DubGraph
internal import DubLedger
internal import DubRunner
internal import DubStorage
internal import Foundation

/// `dubmill bench engine`: nodes that do next to nothing, so that what is left is the engine.
struct BenchEngine: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "engine")

    /// How the nodes hang together.
    enum Shape: String, ExpressibleByArgument, CaseIterable {
        /// Each by itself.
        case fan
        /// Each reads the one before.
        case chain
    }

    @Option var nodes = 1000
    @Option var shape = Shape.fan
    @Option var store: String
    /// Unfold and finish the plan alone, without store and ledger.
    @Flag var plan = false

    /// Writes its number as an artifact of its own.
    private struct Number: Stage {
        let signature = StageSignature(
            name: "number", version: 1, inputs: [.optional("before")], outputs: [.one("number")],
            parameters: ["value": 0])

        func run(_ inputs: StageInputs, in context: StageContext) async throws -> [String: StageValue] {
            let text = inputs.parameters["value"]?.canonical ?? ""
            return ["number": .one(try context.store.put(Data(text.utf8), type: "txt"))]
        }
    }

    private struct Result: Encodable {
        var nodes: Int
        var run: Int
        var cached: Int
        var seconds: Double
        var millisecondsPerNode: Double
    }

    func run() async throws {
        let stage = Number()
        let graph = try Graph.read(
            shape == .fan ? Self.fan : Self.chain(nodes), file: "bench.yaml", stages: ["number": stage.signature],
            parameters: shape == .fan ? ["values": .array((0..<nodes).map { .integer(Int64($0)) })] : [:])
        let clock = ContinuousClock()
        let began = clock.now
        var counts = NodeCount()
        if plan {
            counts.run = unfold(graph)
        } else {
            let store = try FileStore(root: RunPaths.absolute(self.store))
            let ledger = try SQLiteLedger(path: store.root + "/ledger.sqlite")
            let runner = Runner(
                stages: ["number": stage], store: store, ledger: ledger,
                capacity: Capacity(cpu: ProcessInfo.processInfo.activeProcessorCount))
            let id = UUID().uuidString
            try await ledger.begin(
                RunRecord(
                    id: id, pipeline: graph.name, parameters: [:], started: Date(), state: .running,
                    process: ProcessInfo.processInfo.processIdentifier))
            let item = RunItem(run: id, index: 0, source: "/bench", given: [:])
            let result = await runner.process(item, graph: graph)
            if let error = result.errors.first { throw error }
            try await ledger.end(run: id, state: .finished, at: Date())
            counts = result.nodes
        }
        let seconds = (clock.now - began).seconds
        Console.result(
            try Console.json(
                Result(
                    nodes: nodes, run: counts.run, cached: counts.cached, seconds: seconds,
                    millisecondsPerNode: seconds * 1000 / Double(nodes))))
    }

    private func unfold(_ graph: Graph) -> Int {
        var plan = Plan(graph)
        var count = 0
        let output = Artifact(digest: .of("x"), size: 1, type: "txt")
        while let node = plan.popReady() {
            _ = plan.name(of: node)
            _ = plan.inputs(of: node, given: [:])
            plan.finish(node, outputs: ["number": .one(output)])
            count += 1
        }
        return plan.isFinished ? count : 0
    }

    private static let fan = """
        version: 1
        name: fan
        parameters:
          values: {type: list}
        axes:
          value: values
        stages:
          number: {for_each: value, with: {value: "${value}"}}
        """

    private static func chain(_ count: Int) -> String {
        var text = "version: 1\nname: chain\nstages:\n"
        for index in 0..<count {
            let before = index == 0 ? "" : ", in: {before: n\(index - 1).number}"
            text += "  n\(index): {uses: number, with: {value: \(index)}\(before)}\n"
        }
        return text
    }
}
