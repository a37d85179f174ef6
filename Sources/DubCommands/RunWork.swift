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
        let (finished, feed) = AsyncStream<Int>.makeStream()
        let session = try RunSession(request, machine: machine) {
            damage.take($0)
            display.show($0)
            if case .itemFinished(let record) = $0 { feed.yield(record.index) }
        }
        display.begin(items: request.files.count, stages: session.graph.steps.map(\.name))
        let publishing = PublishWork(machine)
        let notes = Locked<[String]>([])
        let work = Task {
            // While other items are still at work.
            async let published = Self.publish(finished, of: session, publishing, notes)
            let records: [ItemRecord]
            do {
                records = try await session.run()
            } catch {
                feed.finish()
                throw error
            }
            feed.finish()
            return (records, try await published)
        }
        let interruption = Interruption {
            display.end()
            Console.note("Interrupted. Nothing is lost: the same command goes on where this run stopped.")
            work.cancel()
            Task { await machine.worker.shutdown() }
        }
        defer { withExtendedLifetime(interruption) {} }
        let records: [ItemRecord]
        let published: [Int: PublishWork.Ending]
        do {
            (records, published) = try await work.value
        } catch {
            display.end()
            await machine.worker.shutdown()
            throw error
        }
        display.end()
        await machine.worker.shutdown()
        damage.tell()
        for note in notes.withLock({ $0 }) { display.tell(note) }
        await storeBudget?.keep(machine, isDone: true)
        return RunReport(
            run: session.id,
            items: records.map { record in
                RunReport.Item(Staging.told(record, published[record.index]?.publication, in: machine.store))
            }, published: published)
    }

    /// Publishes what is intended of items, one after the other as they are finished.
    ///
    /// - Returns: by the item's place; what was not come to is told too.
    /// - Throws: `ledger.failed`.
    private static func publish(
        _ finished: AsyncStream<Int>, of session: RunSession, _ work: PublishWork, _ notes: Locked<[String]>
    ) async throws -> [Int: PublishWork.Ending] {
        var endings: [Int: PublishWork.Ending] = [:]
        do {
            for await item in finished {
                guard let publication = session.intended.withLock({ $0[item] }) else { continue }
                try Task.checkCancellation()
                endings[item] = try await work.finish([publication]) { line in notes.withLock { $0.append(line) } }
                    .first
            }
        } catch is CancellationError {
            // What is left is written down.
        }
        for (item, publication) in session.intended.withLock({ $0 }) where endings[item] == nil {
            let error = DubError(
                .cancelled, "Publishing was interrupted.", at: publication.folder, fix: "dubmill publish --pending",
                persistence: .transient)
            endings[item] = PublishWork.Ending(publication: publication, error: error)
        }
        return endings
    }
}
