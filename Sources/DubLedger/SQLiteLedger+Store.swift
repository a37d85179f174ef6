internal import DubCore
internal import DubGraph
public import DubRunner
public import Foundation
internal import GRDB

extension SQLiteLedger {
    /// Every result, for who keeps the store in order.
    ///
    /// - Throws: `ledger.failed`.
    public func storedResults() async throws -> [StoredResult] {
        try await kept {
            try await self.pool.read { database in
                let rows = try Row.fetchCursor(
                    database,
                    sql: """
                        WITH used AS (
                            SELECT node.key AS key, max(run.rowid) AS run FROM node JOIN run ON run.id = node.run
                            WHERE node.state <> 'failed' GROUP BY node.key
                        )
                        SELECT result.key, result.stage, result.outputs, result.made, used.run AS number, run.started
                        FROM result LEFT JOIN used ON used.key = result.key LEFT JOIN run ON run.rowid = used.run
                        """)
                var results: [StoredResult] = []
                while let row = try rows.next() {
                    let bytes: Data = row["key"]
                    let made: Double = row["made"]
                    let started: Double? = row["started"]
                    guard let key = Digest(bytes: bytes), let outputs = ResultText.read(row["outputs"]) else {
                        continue
                    }
                    results.append(
                        StoredResult(
                            key: key, stage: row["stage"], artifacts: outputs.values.flatMap(\.artifacts),
                            made: made, lastRun: row["number"] ?? 0,
                            lastUse: Date(timeIntervalSince1970: started ?? made)))
                }
                return results
            }
        }
    }

    /// Forgets results, unless they were made anew since they were read.
    ///
    /// - Throws: `ledger.failed`.
    public func forget(_ results: [StoredResult]) async throws {
        for start in stride(from: 0, to: results.count, by: 1000) {
            let some = results[start..<min(results.count, start + 1000)]
            try await kept {
                try await self.pool.write { database in
                    let delete = try database.cachedStatement(sql: "DELETE FROM result WHERE key = ? AND made = ?")
                    for result in some {
                        try delete.execute(arguments: [result.key.bytes, result.made])
                    }
                }
            }
        }
    }

    /// When the latest run of each source began, by its path.
    ///
    /// - Throws: `ledger.failed`.
    public func lastRuns() async throws -> [String: Date] {
        try await read { database in
            let rows = try Row.fetchAll(
                database,
                sql: "SELECT item.source, max(run.started) FROM item JOIN run ON run.id = item.run GROUP BY item.source"
            )
            return Dictionary(
                rows.map { ($0[0] as String, Date(timeIntervalSince1970: $0[1])) }, uniquingKeysWith: { max($0, $1) })
        }
    }

    private func kept<Value>(_ body: () async throws -> Value) async throws -> Value {
        do {
            return try await body()
        } catch let error as DatabaseError {
            throw Self.failed(error, pool.path)
        }
    }
}
