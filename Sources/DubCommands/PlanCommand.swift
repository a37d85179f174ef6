internal import ArgumentParser
internal import DubCore
internal import DubGraph
internal import DubReport
internal import DubRunner
internal import Foundation

/// `dubmill plan`.
struct PlanCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plan",
        abstract: "Show what a run would do: what is cached, what runs, why, and how long it will take.",
        discussion: """
            dubmill plan film.mp4 --to es
            dubmill plan film.mp4 --to es --graph mermaid

            Nothing is run. What depends on nodes that would run is not known yet: their number
            is told as soon as the list they fan out over is there.

            The estimate rests on what past runs in the store took, stage by stage; how far it was off
            for them stands beside it.
            """)

    /// How the graph is drawn.
    enum Drawing: String, ExpressibleByArgument, CaseIterable {
        case mermaid
        case dot
    }

    @OptionGroup var options: RunOptions
    @OptionGroup var cost: CostOptions
    @Option(help: "Print the pipeline's graph instead: mermaid, or dot for Graphviz.") var graph: Drawing?
    @Option(help: "How results are printed: table or json.") var format = OutputFormat.table

    func validate() throws {
        guard let remote = options.files.first(where: InputFetch.isRemote) else { return }
        throw ValidationError(
            "plan looks at files of this machine, and \(InputFetch.shown(remote)) is elsewhere; run fetches it.")
    }

    private struct Report: Encodable {
        var nodes: [PlanLook.Row]
        var estimate: Estimate
    }

    func run() async throws {
        let settings = try Settings()
        let home = Home()
        let machine = try Machine(
            storeFolder: home.store(given: settings.value("store", flag: options.store)),
            workforce: try await Workforce.find(settings, options.workers))
        let file = try home.pipeline(settings.value("pipeline", flag: options.pipeline) ?? "dub")
        let parameters = options.parameters(
            settings, declared: try Machine.parameters(of: file),
            profile: try Machine.profile(options.profile, of: file))
        let graph = try machine.graph(file, parameters: parameters)
        switch self.graph {
        case .mermaid: return Console.result(graph.mermaid)
        case .dot: return Console.result(graph.dot)
        case nil: break
        }
        let price = try cost.price(settings)
        let given = try await HandedIn.read(
            script: options.script, cast: options.cast, gate: options.gate(settings), for: graph, in: machine.store)
        var looks: [PlanLook] = []
        for path in options.files.map(RunPaths.absolute) {
            looks.append(try await PlanLook(path, graph, machine, given: given.mapValues(\.artifact)))
        }
        let estimate = try await Estimate.of(
            looks, parameters: parameters, in: machine.ledger, price: price)
        let rows = looks.flatMap(\.rows)
        switch format {
        case .json: Console.result(try Console.json(Report(nodes: rows, estimate: estimate)))
        case .table:
            Console.result(
                Console.table(
                    ["NODE", "", "WHY"], rows.map { [$0.node, $0.runs ? "run" : "cached", $0.reason] }))
            Console.result("\nESTIMATE  \(estimate.description)")
            let known = estimate.stages.filter { $0.seconds != nil }
            if !known.isEmpty {
                Console.result(
                    Console.table(
                        ["STAGE", "SECONDS"], known.map { [$0.stage, String(format: "%.1f", $0.seconds ?? 0)] }))
            }
            let cached = rows.filter { !$0.runs }.count
            Console.note("\(cached) cached, \(rows.count - cached) known to run")
        }
    }
}
