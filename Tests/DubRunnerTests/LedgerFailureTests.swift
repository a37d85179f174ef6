import DubCore
import DubGraph
import DubLedger
import Foundation
import Testing

@testable import DubRunner

/// A ledger that cannot be written while `isFull`, as on a full disk; reading and claiming still work.
private struct FullLedger: Ledger {
    let ledger: SQLiteLedger
    let isFull: @Sendable ([NodeRecord]) -> Bool

    func record(_ nodes: [NodeRecord]) async throws {
        guard !isFull(nodes) else {
            throw DubError(.ledgerFailed, "disk full", at: "ledger.sqlite", fix: "Make room.")
        }
        try await ledger.record(nodes)
    }

    func outputs(for key: Digest) async throws -> [String: StageValue]? { try await ledger.outputs(for: key) }
    func lastFingerprint(of node: String, item: String) async throws -> Fingerprint? {
        try await ledger.lastFingerprint(of: node, item: item)
    }
    func claim(_ nodes: [NodeClaim], item: String) async throws -> [NodeState] {
        try await ledger.claim(nodes, item: item)
    }
    func release(_ keys: [Digest]) async throws { try await ledger.release(keys) }
    func digest(of file: FileIdentity) async throws -> Digest? { try await ledger.digest(of: file) }
    func remember(_ digest: Digest, of file: FileIdentity) async throws {
        try await ledger.remember(digest, of: file)
    }
    func begin(_ run: RunRecord) async throws { try await ledger.begin(run) }
    func record(_ item: ItemRecord, in run: String) async throws { try await ledger.record(item, in: run) }
    func end(run: String, state: RunRecord.State, at time: Date) async throws {
        try await ledger.end(run: run, state: state, at: time)
    }
}

@Suite struct LedgerFailureTests {
    @Test("a ledger that cannot take what was found fails the nodes once each, and leaves nothing claimed")
    func found() async throws {
        let bench = try Bench()
        _ = try await bench.run("a b c", policy: RunPolicy())
        // Of the words some are known and some are new: they are looked up together.
        let full = FullLedger(ledger: bench.ledger) { $0.contains { $0.state == .cached && $0.stage == "shout" } }
        let result = try await bench.run("a b x y", policy: RunPolicy(), ledger: full)
        #expect(result.errors.map(\.code) == Array(repeating: .ledgerFailed, count: 4))
        #expect(!result.plan.isFinished)
        // Another process on the same store: what was left claimed would keep it waiting for ever.
        let other = try SQLiteLedger(path: bench.folder + "/ledger.sqlite")
        let mended = try await bench.run("a b x y", policy: RunPolicy(), ledger: other)
        #expect(mended.errors.isEmpty && mended.plan.isFinished)
    }

    @Test("a ledger that cannot take what was made fails that node, which the next run makes again")
    func made() async throws {
        let bench = try Bench()
        let full = FullLedger(ledger: bench.ledger) { $0.contains { $0.node == "shout[2]" } }
        let result = try await bench.run("a b c", policy: RunPolicy(), ledger: full)
        #expect(result.errors.map(\.code) == [.ledgerFailed])
        let other = try SQLiteLedger(path: bench.folder + "/ledger.sqlite")
        let mended = try await bench.run("a b c", policy: RunPolicy(), ledger: other)
        #expect(mended.plan.isFinished)
        #expect(mended.nodes.run == 2)
    }
}
