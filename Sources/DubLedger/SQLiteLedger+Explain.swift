internal import DubCore
public import DubRunner
internal import Foundation
internal import GRDB

/// What reports, logs, traces and estimates ask.
extension SQLiteLedger {
    /// A run's nodes with their times, errors and logs, in the order in which they began.
    public func history(of run: String) async throws -> [NodeHistory] {
        try await pool.read { database in
            let rows = try Row.fetchCursor(
                database,
                sql: """
                    SELECT item, node, stage, state, reason, queued, started, seconds, attempts, error, log
                    FROM node WHERE run = ? ORDER BY started, item, node
                    """, arguments: [run])
            var history: [NodeHistory] = []
            while let row = try rows.next() {
                let state: String = row[3]
                history.append(
                    NodeHistory(
                        item: row[0], node: row[1], stage: row[2], state: .init(rawValue: state) ?? .failed,
                        reason: row[4], queued: Date(timeIntervalSince1970: row[5]),
                        started: Date(timeIntervalSince1970: row[6]), seconds: row[7], attempts: row[8],
                        error: Self.error(row[9]), log: row[10]))
            }
            return history
        }
    }

    private static func error(_ text: String?) -> ErrorRecord? {
        text.flatMap { try? JSONDecoder().decode(ErrorRecord.self, from: Data($0.utf8)) }
    }

    /// Nodes that failed for good and were not made good since, the latest first.
    ///
    /// - Parameter run: of this run alone, where it is given.
    public func deadLetters(of run: String? = nil) async throws -> [DeadLetter] {
        try await pool.read { database in
            try Row.fetchAll(
                database,
                sql: """
                    SELECT source, node, run, attempts, error, failed FROM dead
                    WHERE ?1 IS NULL OR run = ?1 ORDER BY failed DESC, source, node
                    """, arguments: [run]
            ).map {
                DeadLetter(
                    source: $0[0], node: $0[1], run: $0[2], attempts: $0[3], error: Self.error($0[4]),
                    failed: Date(timeIntervalSince1970: $0[5]))
            }
        }
    }

    /// The run in which a node of an item last wrote what it now stands for; `nil` where that is not known.
    public func writer(of node: String, item source: String) async throws -> String? {
        try await pool.read { database in
            try String.fetchOne(
                database,
                sql: """
                    SELECT run.id FROM last
                    JOIN run JOIN item ON item.run = run.id AND item.source = last.source
                    JOIN node ON node.run = run.id AND node.item = item.item AND node.node = last.node
                    WHERE last.source = ? AND last.node = ? AND node.key = last.key AND node.state = 'done'
                    ORDER BY run.started DESC LIMIT 1
                    """, arguments: [source, node])
        }
    }

    /// What the stages of the latest items cost, of items none of whose nodes failed and that ran to their end.
    ///
    /// - Parameter runs: how many runs are looked at, the latest ones.
    public func figures(runs: Int = 30) async throws -> [StageFigure] {
        try await pool.read { database in
            try Row.fetchAll(
                database,
                sql: """
                    WITH recent AS (SELECT id FROM run ORDER BY started DESC LIMIT ?),
                    span AS (
                        SELECT node.run, node.item, stage, node.state, started, seconds, node,
                            -- How far those that began before it reach: what lies before that is counted already.
                            max(CASE WHEN node.state = 'done' THEN started + seconds END) OVER (
                                PARTITION BY node.run, node.item, stage ORDER BY started
                                ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS reach
                        FROM recent JOIN item ON item.run = recent.id JOIN node ON node.run = item.run
                            AND node.item = item.item
                        WHERE item.status IN ('passed', 'review', 'failed')
                    )
                    SELECT run, item, stage, sum(state = 'done'), count(*),
                        -- Elements that go by name, as languages do: those of lists go by number.
                        CASE WHEN min(node GLOB '*[[][a-zA-Z]*') THEN
                            count(DISTINCT substr(node, instr(node, '['), instr(replace(node, ']', ','), ',')
                                - instr(node, '['))) ELSE 1 END,
                        sum(CASE WHEN state = 'done' THEN
                            max(0, started + seconds - max(started, coalesce(reach, started))) ELSE 0 END),
                        sum(CASE WHEN state = 'done' THEN seconds ELSE 0 END)
                    FROM span GROUP BY run, item, stage
                    HAVING (run, item) NOT IN (SELECT run, item FROM span WHERE state = 'failed')
                    """, arguments: [runs]
            ).map {
                StageFigure(
                    run: $0[0], item: $0[1], stage: $0[2], ran: $0[3], total: $0[4], elements: $0[5],
                    busySeconds: $0[6], nodeSeconds: $0[7])
            }
        }
    }
}

extension SQLiteLedger {
    /// Where the ledger's file is.
    public var path: String { pool.path }
}
