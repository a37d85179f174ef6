import DubCore
import DubRunner
import DubTestKit
import Foundation
import Testing

@testable import DubLedger

/// The queue of daemons, and lists of runs.
@Suite struct Queues {
    private func with(_ body: (SQLiteLedger, String) async throws -> Void) async throws {
        try await withScratch { scratch in
            let path = scratch.appendingPathComponent("ledger.sqlite").path
            try await body(try SQLiteLedger(path: path), path)
        }
    }

    private func record(_ id: String, _ state: RunRecord.State = .queued) -> RunRecord {
        RunRecord(id: id, pipeline: "dub", parameters: [:], started: Date(), state: state, process: 0)
    }

    @Test("a run is queued once a key, and is its owner's while that lives")
    func queue() async throws {
        try await with { ledger, path in
            let (asked, other) = (Digest.of("a"), Digest.of("b"))
            #expect(try await ledger.enqueue(record("r1"), sources: ["/a"], key: "k", asked: asked) == .queued)
            #expect(
                try await ledger.enqueue(record("r2"), sources: ["/a"], key: "k", asked: asked) == .known(run: "r1"))
            #expect(try await ledger.enqueue(record("r3"), sources: ["/b"], key: "k", asked: other) == .otherRequest)
            #expect(try await ledger.enqueue(record("r4"), sources: ["/a"], key: nil, asked: asked) == .queued)
            #expect(try await ledger.lines(limit: 9).map(\.run.id) == ["r4", "r1"])
            #expect(try await ledger.items(of: "r1").map(\.status) == ["waiting"])
            let second = try SQLiteLedger(path: path)
            #expect(try await second.takeQueued().isEmpty)
            try await ledger.leaveQueued("r1")
            #expect(try await second.takeQueued().map(\.id) == ["r1"])
            #expect(try await ledger.isQueued("r1"))
            try await second.endQueued("r1")
            #expect(try await !ledger.isQueued("r1"))
            // Known still: a request that comes again after its run has ended is not done again.
            #expect(
                try await ledger.enqueue(record("r5"), sources: ["/a"], key: "k", asked: asked) == .known(run: "r1"))
        }
    }

    @Test("what a dead process left is taken over as queued, whatever it had come to")
    func dead() async throws {
        try await with { ledger, path in
            do {
                let gone = try SQLiteLedger(path: path)
                _ = try await gone.enqueue(record("r1"), sources: ["/a"], key: nil, asked: Digest.of("a"))
                try await gone.begin(record("r1", .running))
                #expect(try await ledger.line("r1")?.status == "running")
            }
            #expect(try await ledger.takeQueued().map(\.id) == ["r1"])
            #expect(try await ledger.line("r1")?.status == "queued")
            #expect(try await ledger.takeQueued().isEmpty)
        }
    }

    @Test("the status of a run is the worst of its items; lists are by status and in pages")
    func lines() async throws {
        try await with { ledger, _ in
            for (index, statuses) in [["passed"], ["passed", "review"], ["review", "failed"], []].enumerated() {
                let id = "2026010\(index + 1)-000000-aaaa"
                try await ledger.begin(record(id, .running))
                for (item, status) in statuses.enumerated() {
                    try await ledger.record(ItemRecord(index: item, source: "/\(item)", status: status), in: id)
                }
                try await ledger.end(run: id, state: statuses.isEmpty ? .interrupted : .finished, at: Date())
            }
            let all = try await ledger.lines(limit: 10)
            #expect(all.map(\.status) == ["interrupted", "failed", "review", "passed"])
            #expect(all[1].items == ["review": 1, "failed": 1])
            #expect(try await ledger.lines(status: "failed", limit: 10).map(\.run.id) == [all[1].run.id])
            #expect(try await ledger.lines(before: all[1].run.id, limit: 1).map(\.run.id) == [all[2].run.id])
            #expect(try await ledger.lines(status: "passed", before: all[3].run.id, limit: 1).isEmpty)
        }
    }
}
