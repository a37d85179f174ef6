internal import DubCore
internal import DubGraph
internal import DubLedger
internal import DubRunner
internal import DubStages
internal import DubStorage
internal import DubWorkers
internal import Foundation

/// What a command works with on this machine: store, ledger, worker and the stages that stand on them.
struct Machine: Sendable {
    let store: FileStore
    let ledger: SQLiteLedger
    let worker: any Worker
    let batcher: Batcher
    let stages: [String: any Stage]

    /// Opens the store and its ledger; `workforce` does the work of models.
    ///
    /// - Throws: `output.unwritable`, `ledger.failed`.
    init(storeFolder: String, workforce: Workforce) throws {
        store = try FileStore(root: storeFolder)
        store.sweep()
        ledger = try SQLiteLedger(path: storeFolder + "/ledger.sqlite")
        worker = workforce.worker
        batcher = workforce.engines.batcher
        stages = StageCatalogue.all(engines: workforce.engines)
    }

    /// What nodes may hold at once here: so many cores, the memory that is built in, the cards that the system shows.
    static func capacity(slots: Int) -> Capacity {
        let devices = (try? FileManager.default.contentsOfDirectory(atPath: "/dev")) ?? []
        let cards = devices.filter { $0.hasPrefix("nvidia") && Int($0.dropFirst("nvidia".count)) != nil }
        return Capacity(
            cpu: slots, gpu: cards.count, memory: Int64(clamping: ProcessInfo.processInfo.physicalMemory))
    }

    /// Reads a pipeline file and binds its parameters.
    func graph(_ file: String, parameters: [String: JSONValue]) throws -> Graph {
        try Graph.read(
            PipelineFiles.text(of: file), file: file, stages: StageCatalogue.signatures(of: stages),
            parameters: parameters, include: PipelineFiles.include)
    }

    /// The names of a pipeline file's parameters.
    static func parameters(of file: String) throws -> Set<String> {
        Set(try PipelineFiles.read(file).parameters.map(\.name))
    }

    /// What a profile of a pipeline file sets; nothing where none is asked for.
    ///
    /// - Throws: `parameter.invalid` naming the profiles that there are.
    static func profile(_ name: String?, of file: String) throws -> [String: JSONValue] {
        try name.map { try PipelineFiles.read(file).profile($0) } ?? [:]
    }

    /// The verdicts of a plan that has a stage for them, by language; an empty one where there is none.
    func verdicts(of plan: Plan) -> [String: Verdict] {
        var verdicts: [String: Verdict] = [:]
        for (step, value) in plan.graph.steps.enumerated() where value.signature.isGate {
            for (node, value) in plan.outputs(ofStep: step, named: "verdict") {
                guard let artifact = value.artifacts.first,
                    let verdict = try? store.read(Verdict.self, from: artifact)
                else { continue }
                verdicts[plan.labels(of: node)["language"] ?? ""] = verdict
            }
        }
        return verdicts
    }

    /// How long the item is, where a probe has told.
    func mediaSeconds(of plan: Plan) -> Double {
        for (step, value) in plan.graph.steps.enumerated() where value.signature.name == "probe" {
            if let artifact = plan.outputs(ofStep: step, named: "info").first?.value.artifacts.first,
                let length = try? store.read(MediaLength.self, from: artifact)
            {
                return length.duration ?? 0
            }
        }
        return 0
    }

    private struct MediaLength: Decodable {
        var duration: Double?
    }
}
