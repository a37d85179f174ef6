internal import DubCore
public import DubRunner
internal import Foundation
internal import GRDB

/// How many nodes of a stage are in which state.
public struct StageCount: Sendable, Codable {
    /// The stage's name.
    public var stage: String
    /// Executed.
    public var run: Int
    /// Found in the store.
    public var cached: Int
    /// Failed for good.
    public var failed: Int
    /// Wall seconds of the nodes that ran, added up.
    public var seconds: Double
}

/// What became of a node, and why it ran.
public struct NodeSummary: Sendable, Codable {
    /// The item's place in the run.
    public var item: Int
    /// The node's name.
    public var node: String
    /// `done`, `cached` or `failed`.
    public var state: String
    /// Why it ran, down to the field that changed.
    public var reason: String
    /// Wall seconds.
    public var seconds: Double
    /// How often it was tried.
    public var attempts: Int
}

/// A node that failed.
public struct FailedNode: Sendable, Codable {
    /// The item's place in the run.
    public var item: Int
    /// The node's name.
    public var node: String
    /// How often it was tried.
    public var attempts: Int
    /// Why.
    public var error: ErrorRecord?
}

extension SQLiteLedger {
    /// The latest runs, newest first.
    public func runs(limit: Int = 50) async throws -> [RunRecord] {
        try await pool.read { database in
            try Row.fetchAll(database, sql: "SELECT * FROM run ORDER BY started DESC LIMIT ?", arguments: [limit])
                .map(Self.run(from:))
        }
    }

    /// The run of this name, or whose name begins so where only one does.
    public func run(named name: String) async throws -> RunRecord? {
        let pattern = name.replacing("%", with: "").replacing("_", with: "") + "%"
        return try await pool.read { database in
            let rows = try Row.fetchAll(
                database, sql: "SELECT * FROM run WHERE id = ? OR id LIKE ? ORDER BY id = ? DESC LIMIT 2",
                arguments: [name, pattern, name])
            guard let first = rows.first else { return nil }
            let run = Self.run(from: first)
            return rows.count == 1 || run.id == name ? run : nil
        }
    }

    /// A run's items, in order.
    public func items(of run: String) async throws -> [ItemRecord] {
        let texts = try await pool.read {
            try String.fetchAll($0, sql: "SELECT record FROM item WHERE run = ? ORDER BY item", arguments: [run])
        }
        return try texts.map { try JSONDecoder().decode(ItemRecord.self, from: Data($0.utf8)) }
    }

    /// What became of a run's nodes, by stage.
    public func stages(of run: String) async throws -> [StageCount] {
        try await pool.read { database in
            try Row.fetchAll(
                database,
                sql: """
                    SELECT stage, sum(state = 'done') AS run, sum(state = 'cached') AS cached,
                           sum(state = 'failed') AS failed, sum(seconds) AS seconds, min(started) AS first
                    FROM node WHERE run = ? GROUP BY stage ORDER BY first
                    """, arguments: [run]
            ).map {
                StageCount(
                    stage: $0["stage"], run: $0["run"], cached: $0["cached"], failed: $0["failed"],
                    seconds: $0["seconds"])
            }
        }
    }

    /// A run's nodes in the order in which they began.
    public func nodes(of run: String) async throws -> [NodeSummary] {
        try await pool.read { database in
            try Row.fetchAll(
                database,
                sql: "SELECT item, node, state, reason, seconds, attempts FROM node WHERE run = ? ORDER BY started",
                arguments: [run]
            ).map {
                NodeSummary(
                    item: $0["item"], node: $0["node"], state: $0["state"], reason: $0["reason"],
                    seconds: $0["seconds"], attempts: $0["attempts"])
            }
        }
    }

    /// A run's nodes that failed for good.
    public func failures(of run: String) async throws -> [FailedNode] {
        let rows = try await pool.read {
            try Row.fetchAll(
                $0,
                sql: "SELECT item, node, attempts, error FROM node WHERE run = ? AND state = 'failed' ORDER BY started",
                arguments: [run]
            ).map { ($0["item"] as Int, $0["node"] as String, $0["attempts"] as Int, $0["error"] as String?) }
        }
        return try rows.map { item, node, attempts, error in
            FailedNode(
                item: item, node: node, attempts: attempts,
                error: try error.map { try JSONDecoder().decode(ErrorRecord.self, from: Data($0.utf8)) })
        }
    }

    private static func decoded<Value: Decodable>(_ text: String) -> Value? {
        try? JSONDecoder().decode(Value.self, from: Data(text.utf8))
    }

    static func run(from row: Row) -> RunRecord {
        let parameters: String = row["parameters"]
        let ended: Double? = row["ended"]
        return RunRecord(
            id: row["id"], pipeline: row["pipeline"],
            parameters: (try? JSONValue.parse(Data(parameters.utf8)))?.object ?? [:],
            started: Date(timeIntervalSince1970: row["started"]), ended: ended.map { Date(timeIntervalSince1970: $0) },
            state: RunRecord.State(rawValue: row["state"]) ?? .interrupted, process: row["process"],
            request: decoded(row["request"]) ?? RunRequest(), graph: decoded(row["graph"]) ?? [])
    }
}
