import DubCore
import DubGraph

import DubTestKit
import Foundation
import GRDB
import Testing

@testable import DubLedger
@testable import DubRunner

private let signature = StageSignature(
    name: "shout", version: 2, inputs: [.one("text")], outputs: [.one("text")], parameters: ["mark": "!"])

private func artifact(_ text: String) -> Artifact {
    Artifact(digest: .of(text), size: Int64(text.utf8.count), type: "txt")
}

private func node(
    _ name: String, text: String, run: String = "r-1", item: Int = 0, state: NodeRecord.State = .done,
    error: DubError? = nil
) -> NodeRecord {
    let fingerprint = Fingerprint(
        signature, StageInputs(values: ["text": .one(artifact(text))], parameters: ["mark": "!"]),
        models: [ModelIdentity(name: "stub", digest: "1")])
    return NodeRecord(
        run: run, item: item, source: "/films/a.mp4", node: name, stage: "shout", key: fingerprint.key,
        fingerprint: fingerprint.canonical, reason: "never ran", state: state,
        outputs: state == .failed ? [:] : ["text": .list([artifact(text), artifact("x")])],
        queued: Date(timeIntervalSince1970: 999), started: Date(timeIntervalSince1970: 1000), seconds: 0.5, attempts: 1,
        error: error.map(ErrorRecord.init))
}

private func run(_ id: String, at seconds: Double) -> RunRecord {
    RunRecord(
        id: id, pipeline: "dub", parameters: ["to": ["es"], "speed": 2], started: Date(timeIntervalSince1970: seconds),
        state: .running, process: 42)
}

private func withLedger<Value>(_ body: (SQLiteLedger, String) async throws -> Value) async throws -> Value {
    try await withScratch { scratch in
        let path = scratch.appendingPathComponent("ledger.sqlite").path
        return try await body(try SQLiteLedger(path: path), path)
    }
}

@Suite struct SQLiteLedgerTests {
    @Test("remembers what a key's node wrote, across openings, and only of nodes that are done")
    func results() async throws {
        try await withLedger { ledger, path in
            try await ledger.begin(run("r-1", at: 1))
            let done = node("shout[1]", text: "a")
            let failed = node(
                "shout[2]", text: "b", state: .failed,
                error: DubError(.internal, "what", at: "where", fix: "fix"))
            try await ledger.record(done)
            try await ledger.record(failed)
            #expect(try await ledger.outputs(for: done.key) == done.outputs)
            #expect(try await ledger.outputs(for: failed.key) == nil)
            #expect(
                try await ledger.lastFingerprint(of: "shout[1]", item: "/films/a.mp4")?.canonical == done.fingerprint)
            #expect(try await ledger.lastFingerprint(of: "shout[2]", item: "/films/a.mp4") == nil)
            #expect(try await ledger.lastFingerprint(of: "shout[1]", item: "/films/b.mp4") == nil)
            let other = try SQLiteLedger(path: path)
            #expect(try await other.outputs(for: done.key) == done.outputs)
        }
    }

    @Test("counts nodes by stage, and tells which failed and why")
    func stages() async throws {
        try await withLedger { ledger, _ in
            try await ledger.begin(run("r-1", at: 1))
            try await ledger.record(node("shout[1]", text: "a"))
            try await ledger.record(node("shout[2]", text: "b", state: .cached))
            try await ledger.record(node("shout[2]", text: "b", item: 1, state: .cached))
            let error = DubError(.internal, "what", at: "where", fix: "fix")
            try await ledger.record(node("shout[3]", text: "c", state: .failed, error: error))
            let counts = try #require(try await ledger.stages(of: "r-1").first)
            #expect(counts.stage == "shout")
            #expect((counts.run, counts.cached, counts.failed) == (1, 2, 1))
            let failures = try await ledger.failures(of: "r-1")
            #expect(failures.map(\.node) == ["shout[3]"])
            #expect(failures.first?.error == ErrorRecord(error))
            #expect(try await ledger.stages(of: "r-2").isEmpty)
        }
    }

    @Test("lists runs newest first, and finds one by the beginning of its name")
    func runs() async throws {
        try await withLedger { ledger, _ in
            for (id, time) in [("20260101-aaaa", 1.0), ("20260102-bbbb", 2.0), ("20260102-cccc", 3.0)] {
                try await ledger.begin(run(id, at: time))
            }
            try await ledger.end(run: "20260101-aaaa", state: .finished, at: Date(timeIntervalSince1970: 9))
            #expect(try await ledger.runs().map(\.id) == ["20260102-cccc", "20260102-bbbb", "20260101-aaaa"])
            #expect(try await ledger.runs(limit: 1).count == 1)
            let first = try #require(try await ledger.run(named: "20260101"))
            #expect(first.state == .finished)
            #expect(first.ended == Date(timeIntervalSince1970: 9))
            #expect(first.parameters == ["to": ["es"], "speed": 2])
            #expect(first.process == 42)
            #expect(try await ledger.run(named: "20260102") == nil, "two begin so")
            #expect(try await ledger.run(named: "20260102-bbbb")?.id == "20260102-bbbb")
            #expect(try await ledger.run(named: "%") == nil)
            #expect(try await ledger.run(named: "") == nil)
            #expect(try await ledger.run(named: "nothing") == nil)
        }
    }

    @Test("keeps the latest of an item, whole")
    func items() async throws {
        try await withLedger { ledger, _ in
            try await ledger.begin(run("r-1", at: 1))
            try await ledger.record(ItemRecord(index: 1, source: "/b.mp4", status: "running"), in: "r-1")
            try await ledger.record(ItemRecord(index: 0, source: "/a'\"\n.mp4", status: "running"), in: "r-1")
            var done = ItemRecord(index: 1, source: "/b.mp4", status: "passed", wallSeconds: 2, mediaSeconds: 3)
            done.nodes.run = 7
            done.outputs = [
                OutputRecord(kind: "script", language: nil, path: "/b.json", sha256: .of("b")),
                OutputRecord(kind: "video", language: "es", path: "/b.es.mp4", sha256: .of("v")),
            ]
            try await ledger.record(done, in: "r-1")
            let items = try await ledger.items(of: "r-1")
            #expect(items.map(\.source) == ["/a'\"\n.mp4", "/b.mp4"])
            #expect(items[1].outputs == done.outputs)
            #expect(items[1].nodes == done.nodes)
        }
    }

    @Test("a file's digest holds while the file is as it was")
    func files() async throws {
        try await withLedger { ledger, path in
            let file = (path as NSString).deletingLastPathComponent + "/film"
            try Data("one".utf8).write(to: URL(fileURLWithPath: file))
            let before = try #require(FileIdentity(path: file))
            #expect(try await ledger.digest(of: before) == nil)
            try await ledger.remember(.of("one"), of: before)
            #expect(try await ledger.digest(of: before) == .of("one"))
            try Data("other".utf8).write(to: URL(fileURLWithPath: file))
            let after = try #require(FileIdentity(path: file))
            #expect(try await ledger.digest(of: after) == nil)
            try await ledger.remember(.of("other"), of: after)
            #expect(try await ledger.digest(of: before) == nil, "one digest a path")
        }
    }

    @Test("many writers at once lose nothing, and one bad write harms no other")
    func together() async throws {
        try await withLedger { ledger, _ in
            try await ledger.begin(run("r-1", at: 1))
            let failures = Box(0)
            await withTaskGroup(of: Void.self) { group in
                for number in 0..<200 {
                    group.addTask {
                        do {
                            if number % 10 == 3 {
                                // The run's name is taken: this one has to fail, alone.
                                try await ledger.begin(run("r-1", at: 2))
                            } else {
                                try await ledger.record(node("shout[\(number)]", text: "t\(number)"))
                            }
                        } catch let error as DubError where error.code == .ledgerFailed {
                            failures.update { $0 += 1 }
                        } catch {
                            Issue.record(error)
                        }
                    }
                }
            }
            #expect(failures.value == 20)
            #expect(try await ledger.stages(of: "r-1").first?.run == 180)
        }
    }

    @Test("a write is finished though its caller is cancelled")
    func cancelled() async throws {
        try await withLedger { ledger, _ in
            try await ledger.begin(run("r-1", at: 1))
            let task = Task {
                withUnsafeCurrentTask { $0?.cancel() }
                try await ledger.record(node("shout[1]", text: "a"))
            }
            try await task.value
            #expect(try await ledger.stages(of: "r-1").first?.run == 1)
        }
    }

    @Test("many may open a new ledger at the same moment", arguments: 0..<10)
    func opening(round: Int) async throws {
        try await withScratch { scratch in
            let path = scratch.appendingPathComponent("ledger.sqlite").path
            let failures = Box<[String]>([])
            await withTaskGroup(of: Void.self) { group in
                for _ in 0..<8 {
                    group.addTask {
                        do {
                            _ = try SQLiteLedger(path: path)
                        } catch {
                            failures.update { $0.append("\(error)") }
                        }
                    }
                }
            }
            #expect(failures.value.isEmpty)
        }
    }

    @Test("refuses what is no ledger, and a place that cannot be written")
    func refuses() async throws {
        try await withScratch { scratch in
            let path = scratch.appendingPathComponent("text.sqlite")
            try Data(String(repeating: "This is no database. ", count: 500).utf8).write(to: path)
            for place in [path.path, "/proc/ledger.sqlite", scratch.path] {
                let error = await failure { _ = try SQLiteLedger(path: place) }
                #expect(error?.code == .ledgerFailed, "\(place)")
                #expect(error?.place == place)
            }
        }
    }

    @Test("a second opening of a ledger migrates nothing and loses nothing; tables are strict")
    func schema() async throws {
        try await withLedger { ledger, path in
            try await ledger.begin(run("r-1", at: 1))
            let again = try SQLiteLedger(path: path)
            #expect(try await again.runs().count == 1)
            let tables = try await again.pool.read { database in
                try String.fetchAll(
                    database,
                    sql: "SELECT sql FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'grdb_%'")
            }
            #expect(tables.count == 12)
            #expect(tables.allSatisfy { $0.contains("STRICT") })
        }
    }
}
