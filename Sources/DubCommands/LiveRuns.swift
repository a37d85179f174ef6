internal import DubCore
internal import DubRunner
internal import DubService
internal import Foundation

/// The runs that go on in this daemon, and what they tell.
final class LiveRuns: Sendable {
    /// Who had it run.
    enum Origin: Sendable {
        case queue
        case folder
        case timetable
    }

    private struct Live {
        var feed: RunFeed
        var origin: Origin
    }

    private let runs = Locked<[String: Live]>([:])

    /// Notes a run; one that is known already stays as it is.
    ///
    /// - Returns: where it tells what it does.
    @discardableResult
    func begin(_ id: String, _ origin: Origin) -> RunFeed {
        runs.withLock { runs in
            if let known = runs[id] { return known.feed }
            let feed = RunFeed()
            runs[id] = Live(feed: feed, origin: origin)
            return feed
        }
    }

    func feed(of id: String) -> RunFeed? { runs.withLock { $0[id]?.feed } }

    func origin(of id: String) -> Origin? { runs.withLock { $0[id]?.origin } }

    /// Nothing more comes of a run.
    func end(_ id: String) {
        let live = runs.withLock { $0.removeValue(forKey: id) }
        live?.feed.end()
    }
}

extension RunFeed {
    /// Tells an event of the runner, but for how far nodes are: there are too many of those.
    func publish(_ event: RunEvent) {
        func node(_ item: Int, _ stage: String, _ node: String, _ state: String, _ more: [String: JSONValue] = [:]) {
            let common: [String: JSONValue] = [
                "item": .integer(Int64(item)), "stage": .string(stage), "node": .string(node), "state": .string(state),
            ]
            publish("node", .object(common.merging(more) { $1 }))
        }
        func error(_ error: DubError) -> JSONValue { (try? JSONValue(encoding: ErrorRecord(error))) ?? .null }
        switch event {
        case .itemStarted(let item, let source):
            publish("item", ["index": .integer(Int64(item)), "source": .string(source), "status": "running"])
        case .unfolded(let item, let stage, let count):
            publish(
                "stage",
                [
                    "item": .integer(Int64(item)), "stage": .string(stage), "state": "running",
                    "nodes": .integer(Int64(count)),
                ])
        case .stageFinished(let item, let stage):
            publish("stage", ["item": .integer(Int64(item)), "stage": .string(stage), "state": "finished"])
        case .nodeStarted(let item, let stage, let name, let reason):
            node(item, stage, name, "running", ["reason": .string("\(reason)")])
        case .nodeProgress: break
        case .nodeRetried(let item, let stage, let name, let attempt, let failure):
            node(item, stage, name, "retried", ["attempt": .integer(Int64(attempt)), "error": error(failure)])
        case .nodeFinished(let item, let stage, let name, let cached, let seconds):
            node(item, stage, name, cached ? "cached" : "done", ["seconds": .number(seconds)])
        case .nodeFailed(let item, let stage, let name, let failure):
            node(item, stage, name, "failed", ["error": error(failure)])
        case .itemFinished(let record): publish("item", (try? JSONValue(encoding: record)) ?? .null)
        }
    }
}
