internal import DubCore
internal import DubGraph
internal import DubRunner
internal import DubWorkers
internal import Foundation

/// A run from its request to its report: shown as it goes, and stopped by ^C.
struct RunWork {
    let request: RunSession.Request
    let machine: Machine
    let display: ProgressDisplay
    /// What the store is kept to afterwards.
    let storeBudget: StoreBudget?

    /// - Throws: what kept every item from being begun.
    func perform() async throws -> RunReport {
        let machine = machine
        let display = display
        let damage = DamageNote()
        let session = try RunSession(request, machine: machine) {
            damage.take($0)
            display.show($0)
        }
        display.begin(items: request.files.count, stages: session.graph.steps.map(\.name))
        let work = Task { try await session.run() }
        let interruption = Interruption {
            display.end()
            Console.note("Interrupted. Nothing is lost: the same command goes on where this run stopped.")
            work.cancel()
            Task { await machine.worker.shutdown() }
        }
        defer { withExtendedLifetime(interruption) {} }
        let records: [ItemRecord]
        do {
            records = try await work.value
        } catch {
            display.end()
            await machine.worker.shutdown()
            throw error
        }
        display.end()
        await machine.worker.shutdown()
        damage.tell()
        await storeBudget?.keep(machine)
        return RunReport(run: session.id, items: records.map { RunReport.Item($0) })
    }
}
