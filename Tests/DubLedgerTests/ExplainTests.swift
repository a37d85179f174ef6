import DubCore
import DubTestKit
import Foundation
import Testing

@testable import DubLedger
@testable import DubRunner

@Suite struct ExplainQueryTests {
    private func node(
        _ name: String, at begin: Double, for seconds: Double, item: Int = 0, run: String = "r-1",
        state: NodeRecord.State = .done, log: String? = nil
    ) -> NodeRecord {
        NodeRecord(
            run: run, item: item, source: "/films/\(item).mp4", node: name, stage: String(name.prefix { $0 != "[" }),
            key: .of("\(run) \(item) \(name)"), fingerprint: "{}", reason: "never ran", state: state, outputs: [:],
            queued: Date(timeIntervalSince1970: begin - 1), started: Date(timeIntervalSince1970: begin),
            seconds: seconds, attempts: 2,
            error: state == .failed ? ErrorRecord(DubError(.internal, "what", at: "where", fix: "fix")) : nil, log: log)
    }

    private func begin(_ ledger: SQLiteLedger, _ run: String, at time: Double, items: [String]) async throws {
        try await ledger.begin(
            RunRecord(
                id: run, pipeline: "dub", parameters: [:], started: Date(timeIntervalSince1970: time), state: .running,
                process: 42))
        for (index, status) in items.enumerated() {
            try await ledger.record(
                ItemRecord(index: index, source: "/films/\(index).mp4", status: status), in: run)
        }
    }

    private func withLedger(_ body: (SQLiteLedger) async throws -> Void) async throws {
        try await withScratch { scratch in
            try await body(try SQLiteLedger(path: scratch.appendingPathComponent("ledger.sqlite").path))
        }
    }

    @Test("a stage is busy while at least one of its nodes runs, and what is cached costs nothing")
    func busy() async throws {
        try await withLedger { ledger in
            try await begin(ledger, "r-1", at: 1, items: ["passed", "failed", "cancelled"])
            try await ledger.record([
                // 10…14, 11…12 within it, 13…16 over its end, a gap, 20…21: seven seconds.
                node("say[es,1]", at: 10, for: 4), node("say[es,2]", at: 11, for: 1), node("say[fr,1]", at: 13, for: 3),
                node("say[fr,2]", at: 20, for: 1), node("say[it,1]", at: 12, for: 0, state: .cached),
                node("hear[1]", at: 5, for: 2), node("hear[2]", at: 5, for: 2), node("hear[12]", at: 5, for: 1),
                node("probe", at: 1, for: 1), node("probe", at: 1, for: 1, item: 1),
                node("hear[1]", at: 1, for: 1, item: 1, state: .failed), node("probe", at: 1, for: 1, item: 2),
            ])
            let figures = try await ledger.figures().sorted { $0.stage < $1.stage }
            #expect(
                figures.map(\.stage) == ["hear", "probe", "say"], "items with failures, or cut short, tell nothing")
            #expect(figures.map(\.item) == [0, 0, 0])
            #expect(figures.map(\.busySeconds) == [2, 1, 7])
            #expect(figures.map(\.nodeSeconds) == [5, 1, 9])
            #expect(figures.map(\.elements) == [1, 1, 3], "languages go by name, chunks by number")
            #expect(figures.map(\.ran) == [3, 1, 4] && figures.map(\.total) == [3, 1, 5])
        }
    }

    @Test("a run's nodes come with their times, errors and logs")
    func history() async throws {
        try await withLedger { ledger in
            try await begin(ledger, "r-1", at: 1, items: ["failed"])
            try await ledger.record([
                node("b", at: 20, for: 3, state: .failed, log: "one\ntwo"), node("a", at: 10, for: 1),
            ])
            let history = try await ledger.history(of: "r-1")
            #expect(history.map(\.node) == ["a", "b"])
            #expect(history.last?.log == "one\ntwo" && history.last?.error?.fix == "fix" && history.last?.attempts == 2)
            #expect(history.first?.waited == 1 && history.first?.ended == Date(timeIntervalSince1970: 11))
            #expect(try await ledger.history(of: "r-2").isEmpty)
        }
    }

    @Test("dead letters are there until the node is made good")
    func letters() async throws {
        try await withLedger { ledger in
            try await begin(ledger, "r-1", at: 1, items: ["failed", "failed"])
            try await ledger.record([
                node("a", at: 10, for: 1, state: .failed), node("a", at: 12, for: 1, item: 1, state: .failed),
            ])
            #expect(try await ledger.deadLetters().map(\.source) == ["/films/1.mp4", "/films/0.mp4"])
            try await begin(ledger, "r-2", at: 2, items: ["passed"])
            try await ledger.record(node("a", at: 30, for: 1, run: "r-2"))
            #expect(try await ledger.deadLetters().map(\.source) == ["/films/1.mp4"])
            #expect(try await ledger.deadLetters(of: "r-2").isEmpty)
            #expect(try await ledger.writer(of: "a", item: "/films/0.mp4") == "r-2")
            #expect(try await ledger.writer(of: "a", item: "/films/1.mp4") == nil)
        }
    }
}
