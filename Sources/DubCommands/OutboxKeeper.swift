internal import DubCore
internal import DubLedger
internal import DubRunner
internal import Foundation

/// Publishes what the ledger says is to be, again and again until it is there.
actor OutboxKeeper {
    private let work: PublishWork
    private let log: DaemonLog
    private let bell = Bell()
    private var held: [String: (until: Date, tries: Int)] = [:]

    /// Seconds between looks: other processes may have left something.
    private static let rescan = 60.0

    init(work: PublishWork, log: DaemonLog) {
        self.work = work
        self.log = log
    }

    /// Says that something was written down.
    func ring() async { await bell.ring() }

    /// Looks until the task is cancelled.
    func run() async {
        while !Task.isCancelled {
            await look()
            let soonest = held.values.map { $0.until.timeIntervalSinceNow }.filter { $0 > 0 }.min() ?? Self.rescan
            await bell.wait(atMost: .milliseconds(Int64(max(0.05, min(Self.rescan, soonest)) * 1000)))
        }
    }

    private func look() async {
        let open: [Publication]
        do {
            // What is half erased is whoever's asked for that: it takes a word why.
            open = try await work.ledger.openPublications().filter { $0.state == .pending }
        } catch {
            return log.fail("outbox.unreadable", error)
        }
        let now = Date()
        held = held.filter { id, _ in open.contains { $0.id == id } }
        for publication in open where held[publication.id].map({ $0.until <= now }) ?? true {
            guard !Task.isCancelled else { return }
            await publish(publication)
        }
    }

    private func publish(_ publication: Publication) async {
        let id = publication.id
        do {
            try await work.perform(publication) { log.note("publication.note", ["publication.id": id, "message": $0]) }
            held[id] = nil
            log.note(
                "publication.done",
                [
                    "publication.id": id, "run.id": publication.run, "item.path": publication.source,
                    "destination": publication.folder,
                ])
        } catch let error as DubError where error.code.name == "publication.busy" {
            // Another daemon is at it; should it die, it is looked at again.
            held[id] = (Date().addingTimeInterval(5), held[id]?.tries ?? 0)
        } catch is CancellationError {
            return
        } catch {
            // A minute, two, four, up to an hour.
            let tries = held[id]?.tries ?? 0
            held[id] = (Date().addingTimeInterval(min(3600, 60 * pow(2, Double(min(tries, 10))))), tries + 1)
            log.fail(
                "publication.failed", error,
                ["publication.id": id, "run.id": publication.run, "item.path": publication.source])
        }
    }
}
