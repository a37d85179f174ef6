public import DubCore
public import DubRunner
internal import Foundation
internal import GRDB

/// A run as lists show it.
public struct RunLine: Sendable {
    /// Without its graph.
    public var run: RunRecord
    /// `queued`, `running`, `interrupted`, or the worst of its items: `passed`, `review`, `failed`. A run whose process
    /// died still reads `running`.
    public var status: String
    /// How many items are in which state.
    public var items: [String: Int]
}

/// What became of a wish to queue a run.
public enum Queueing: Hashable, Sendable {
    /// It waits.
    case queued
    /// The same request came before under this key, and became that run.
    case known(run: String)
    /// Another request came before under this key.
    case otherRequest
}

/// The queue of daemons, and lists of runs.
extension SQLiteLedger {
    /// Puts a run into the queue, as the caller's to run.
    ///
    /// - Parameters:
    ///   - key: what the sender calls the request, if anything.
    ///   - asked: the digest of the request.
    /// - Throws: `ledger.failed`.
    public func enqueue(_ run: RunRecord, sources: [String], key: String?, asked: Digest) async throws -> Queueing {
        let own = owners.own
        let records = try sources.enumerated().map { index, source in
            let record = ItemRecord(index: index, source: source, status: "waiting")
            return String(decoding: try JSONEncoder().encode(record), as: UTF8.self)
        }
        return try await writer.write { database in
            try database.execute(
                sql: """
                    INSERT OR IGNORE INTO queued (run, owner, state, key, asked, since)
                    VALUES (?, ?, 'waiting', ?, ?, ?)
                    """, arguments: [run.id, own, key, asked.bytes, run.started.timeIntervalSince1970])
            guard database.changesCount == 1 else {
                let row = try Row.fetchOne(
                    database, sql: "SELECT run FROM queued WHERE key = ? AND asked = ?", arguments: [key, asked.bytes])
                return row.map { .known(run: $0["run"]) } ?? .otherRequest
            }
            try Self.insert(run, in: database)
            for (index, (source, record)) in zip(sources, records).enumerated() {
                try database.execute(
                    sql: "INSERT INTO item (run, item, source, status, record) VALUES (?, ?, ?, 'waiting', ?)",
                    arguments: [run.id, index, source, record])
            }
            return .queued
        }
    }

    /// Takes over what waits in the queue and is nobody's who lives, oldest first.
    ///
    /// - Throws: `ledger.failed`.
    public func takeQueued() async throws -> [RunRecord] {
        let owners = owners
        return try await writer.write { database in
            // A write first: a transaction that reads first is refused when another process has written meanwhile.
            try database.execute(sql: "UPDATE queued SET owner = owner WHERE run = ''")
            let rows = try Row.fetchAll(
                database, sql: "SELECT run, owner FROM queued WHERE state = 'waiting' ORDER BY since")
            var found: [RunRecord] = []
            for row in rows {
                let (name, owner): (String, String) = (row["run"], row["owner"])
                guard !owners.isAlive(owner) else { continue }
                try database.execute(
                    sql: "UPDATE queued SET owner = ? WHERE run = ?", arguments: [owners.own, name])
                try Self.setBack(name, in: database)
                if let run = try Row.fetchOne(database, sql: "SELECT * FROM run WHERE id = ?", arguments: [name]) {
                    found.append(Self.run(from: run))
                }
            }
            return found
        }
    }

    /// Lets go of a run of the queue that was not run to its end: whoever takes it next goes on with it.
    ///
    /// - Throws: `ledger.failed`.
    public func leaveQueued(_ run: String) async throws {
        let own = owners.own
        try await writer.write { database in
            try database.execute(
                sql: "UPDATE queued SET owner = '' WHERE run = ? AND owner = ?", arguments: [run, own])
            if database.changesCount == 1 { try Self.setBack(run, in: database) }
        }
    }

    private static func setBack(_ run: String, in database: Database) throws {
        try database.execute(
            sql: "UPDATE run SET state = 'queued', status = 'queued', ended = NULL, process = 0 WHERE id = ?",
            arguments: [run])
    }

    /// Notes that a run of the queue has ended.
    ///
    /// - Throws: `ledger.failed`.
    public func endQueued(_ run: String) async throws {
        try await writer.write {
            try $0.execute(sql: "UPDATE queued SET state = 'ended' WHERE run = ?", arguments: [run])
        }
    }

    /// Whether a run is in the queue of a daemon, waiting or running.
    ///
    /// - Throws: `ledger.failed`.
    public func isQueued(_ run: String) async throws -> Bool {
        try await read {
            try Bool.fetchOne(
                $0, sql: "SELECT EXISTS (SELECT 1 FROM queued WHERE run = ? AND state = 'waiting')", arguments: [run])
                ?? false
        }
    }

    /// Runs, newest first by their names, which begin with the time.
    ///
    /// - Parameters:
    ///   - status: those of this status alone.
    ///   - before: those before this name alone.
    /// - Throws: `ledger.failed`.
    public func lines(status: String? = nil, before: String? = nil, limit: Int) async throws -> [RunLine] {
        // Conditions that are there only where they are needed: with `?1 IS NULL OR …` no index would serve.
        let conditions = [status.map { _ in "status = :status" }, before.map { _ in "id < :before" }]
            .compactMap(\.self)
        let filter = conditions.isEmpty ? "" : "WHERE \(conditions.joined(separator: " AND "))"
        var arguments: StatementArguments = ["limit": limit]
        if let status { arguments += ["status": status] }
        if let before { arguments += ["before": before] }
        let given = arguments
        return try await read { database in
            let statement = try database.cachedStatement(
                sql: """
                    SELECT id, pipeline, parameters, started, ended, state, process, request, '[]' AS graph, status
                    FROM run \(filter) ORDER BY id DESC LIMIT :limit
                    """)
            return try Self.lines(try Row.fetchAll(statement, arguments: given), in: database)
        }
    }

    /// One run of exactly this name.
    ///
    /// - Throws: `ledger.failed`.
    public func line(_ name: String) async throws -> RunLine? {
        try await read { database in
            let rows = try Row.fetchAll(database, sql: "SELECT * FROM run WHERE id = ?", arguments: [name])
            return try Self.lines(rows, in: database).first
        }
    }

    private static func lines(_ rows: [Row], in database: Database) throws -> [RunLine] {
        let counts = try database.cachedStatement(
            sql: "SELECT status, count(*) AS count FROM item WHERE run = ? GROUP BY status")
        return try rows.map { row in
            let run = run(from: row)
            var items: [String: Int] = [:]
            for count in try Row.fetchAll(counts, arguments: [run.id]) { items[count["status"]] = count["count"] }
            return RunLine(run: run, status: row["status"], items: items)
        }
    }

    /// How many nodes failed for good and were not made good since.
    ///
    /// - Throws: `ledger.failed`.
    public func countDeadLetters() async throws -> Int {
        try await read { try Int.fetchOne($0, sql: "SELECT count(*) FROM dead") ?? 0 }
    }
}
