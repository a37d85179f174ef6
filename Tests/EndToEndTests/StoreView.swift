import DubTestKit
import Foundation

/// A look into a store from outside: the names of its objects, and its ledger by SQL.
extension Mill {
    /// `ab/cdef….wav` of every object.
    var objects: Set<String> {
        let names = FileManager.default.enumerator(atPath: store + "/objects")?.compactMap { $0 as? String } ?? []
        return Set(names.filter { $0.contains("/") })
    }

    func path(ofObject name: String) -> String { "\(store)/objects/\(name)" }

    /// Rows of the ledger, each column a text.
    func ledger(_ sql: String) async throws -> [[String]] {
        let script = """
            import json, sqlite3, sys
            rows = sqlite3.connect(sys.argv[1], timeout=30).execute(sys.argv[2])
            print(json.dumps([["" if v is None else v.hex() if isinstance(v, bytes) else str(v) for v in r] for r in rows]))
            """
        let text = try await Tool.run(
            "/usr/bin/python3", ["-c", script, store + "/ledger.sqlite", sql], in: folder)
        return try JSONDecoder().decode([[String]].self, from: Data(text.utf8))
    }

    /// Keys whose node was executed, and recorded, more than once over all runs.
    func executedTwice() async throws -> [[String]] {
        try await ledger(
            """
            SELECT stage, hex(key), count(*), group_concat(reason) FROM node WHERE state = 'done'
            GROUP BY key HAVING count(*) > 1
            """)
    }

    /// The objects that each stage wrote, as names in the store.
    func objectsByStage() async throws -> [String: [String]] {
        var stages: [String: Set<String>] = [:]
        for row in try await ledger("SELECT stage, outputs FROM result") {
            for line in row[1].split(separator: "\n") {
                for word in line.split(separator: " ").dropFirst(2) {
                    let parts = word.split(separator: "/")
                    guard parts.count == 3 else { continue }
                    stages[row[0], default: []].insert("\(parts[0].prefix(2))/\(parts[0].dropFirst(2)).\(parts[2])")
                }
            }
        }
        return stages.mapValues { $0.sorted() }
    }

    /// What `store … --format json` prints.
    func keep(_ arguments: String...) async throws -> (Outcome, [String: Any]) {
        let outcome = try await start(["store"] + arguments + ["--format", "json"]).finish()
        let object = try? JSONSerialization.jsonObject(with: Data(outcome.stdout.utf8))
        return (outcome, object as? [String: Any] ?? [:])
    }
}

/// The number of things in a part of what `store` prints.
func count(_ value: Any?) -> Int { (value as? [String: Any])?["count"] as? Int ?? (value as? [Any])?.count ?? -1 }
