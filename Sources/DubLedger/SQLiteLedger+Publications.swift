public import DubCore
internal import DubGraph
public import DubRunner
internal import Foundation
internal import GRDB

extension SQLiteLedger: Outbox {
    /// Writes an intention down, before anything of it is done.
    ///
    /// - Throws: `ledger.failed`.
    public func intend(_ publication: Publication) async throws -> Publication {
        let owners = owners
        return try await writer.write { database in
            // A write first, so that two who ask at once wait for each other.
            try database.execute(
                sql: "UPDATE publication SET owner = owner WHERE id = ?", arguments: [publication.id])
            var wanted = publication
            let found = try Row.fetchOne(
                database, sql: "SELECT * FROM publication WHERE id = ?", arguments: [publication.id])
            if let found {
                let there = try Self.publication(found)
                if owners.holds(found["owner"]) { return there }
                wanted = publication.renewed(over: there)
            }
            let record = String(decoding: try JSONEncoder().encode(wanted), as: UTF8.self)
            try database.execute(
                sql: """
                    INSERT OR REPLACE INTO publication
                    (id, run, item, folder, state, owner, record, attempts, error, begun, changed)
                    VALUES (?, ?, ?, ?, ?, '', ?, ?, NULL, ?, ?)
                    """,
                arguments: [
                    wanted.id, wanted.run, wanted.item, wanted.folder, wanted.state.rawValue, record, wanted.attempts,
                    wanted.begun.timeIntervalSince1970, wanted.changed.timeIntervalSince1970,
                ])
            return wanted
        }
    }

    /// Takes a publication and its item's folder for oneself.
    ///
    /// - Throws: `ledger.failed`.
    public func hold(_ publication: String, in states: [Publication.State]) async throws -> Bool {
        let owners = owners
        return try await writer.write { database in
            try database.execute(sql: "UPDATE publication SET owner = owner WHERE id = ?", arguments: [publication])
            let holders = try String.fetchAll(
                database,
                sql: """
                    SELECT owner FROM publication WHERE owner <> ''
                    AND folder = (SELECT folder FROM publication WHERE id = ?)
                    """, arguments: [publication])
            guard !holders.contains(where: owners.holds) else { return false }
            try database.execute(
                sql: """
                    UPDATE publication SET owner = ?, attempts = attempts + 1
                    WHERE id = ? AND state IN (\(states.map { _ in "?" }.joined(separator: ", ")))
                    """,
                arguments: StatementArguments([owners.own, publication] + states.map(\.rawValue)))
            return database.changesCount == 1
        }
    }

    /// Says how far it is, and lets go of it. What somebody else holds is left alone.
    ///
    /// - Throws: `ledger.failed`.
    public func settle(_ publication: String, as state: Publication.State, error: ErrorRecord?) async throws {
        let own = owners.own
        let error = try error.map { String(decoding: try JSONEncoder().encode($0), as: UTF8.self) }
        try await writer.write { database in
            try database.execute(
                sql: """
                    UPDATE publication SET state = ?, owner = '', error = ?, changed = ? WHERE id = ? AND owner = ?
                    """,
                arguments: [state.rawValue, error, Date().timeIntervalSince1970, publication, own])
        }
    }

    /// Says that what one holds is being taken back from now on: whoever takes it up goes on with that.
    ///
    /// - Throws: `ledger.failed`.
    public func beginErasing(_ publication: String) async throws {
        let own = owners.own
        try await writer.write { database in
            try database.execute(
                sql: "UPDATE publication SET state = 'erasing', changed = ? WHERE id = ? AND owner = ?",
                arguments: [Date().timeIntervalSince1970, publication, own])
        }
    }

    /// What is not done or erased to its end, the oldest first.
    ///
    /// - Throws: `ledger.failed`.
    public func openPublications() async throws -> [Publication] {
        try await publications("WHERE state IN ('pending', 'erasing') ORDER BY begun, id")
    }

    /// The latest publications, the newest first.
    ///
    /// - Parameter run: of this run alone.
    /// - Throws: `ledger.failed`.
    public func publications(of run: String? = nil, limit: Int = -1) async throws -> [Publication] {
        try await publications(
            "WHERE ?1 IS NULL OR run = ?1 ORDER BY begun DESC, id LIMIT ?2", [run, limit])
    }

    /// All that share an item's folder.
    ///
    /// - Throws: `ledger.failed`.
    public func publications(in folder: String) async throws -> [Publication] {
        try await publications("WHERE folder = ? ORDER BY begun, id", [folder])
    }

    /// The publication of this name, or whose name begins so where only one does.
    ///
    /// - Throws: `ledger.failed`.
    public func publication(named name: String) async throws -> Publication? {
        let found = try await publications("WHERE substr(id, 1, length(?1)) = ?1 LIMIT 2", [name])
        return found.count == 1 ? found[0] : nil
    }

    private func publications(
        _ condition: String, _ arguments: StatementArguments = []
    ) async throws -> [Publication] {
        try await read { database in
            try Row.fetchAll(database, sql: "SELECT * FROM publication \(condition)", arguments: arguments)
                .map(Self.publication)
        }
    }

    private static func publication(_ row: Row) throws -> Publication {
        let (record, error): (String, String?) = (row["record"], row["error"])
        var publication = try JSONDecoder().decode(Publication.self, from: Data(record.utf8))
        publication.state = Publication.State(rawValue: row["state"]) ?? publication.state
        publication.attempts = row["attempts"]
        publication.changed = Date(timeIntervalSince1970: row["changed"])
        publication.error = error.flatMap { try? JSONDecoder().decode(ErrorRecord.self, from: Data($0.utf8)) }
        return publication
    }

    // MARK: - What a publication was made with

    /// The models that took part in an item, each once for each stage.
    ///
    /// - Throws: `ledger.failed`.
    public func engines(of run: String, item: Int) async throws -> [EngineRecord] {
        let rows = try await read { database in
            try Row.fetchAll(
                database,
                sql: """
                    SELECT DISTINCT node.stage, json_extract(result.fingerprint, '$.models') AS models
                    FROM node JOIN result ON result.key = node.key
                    WHERE node.run = ? AND node.item = ? AND node.state <> 'failed' AND result.fingerprint <> ''
                    """, arguments: [run, item]
            ).map { ($0["stage"] as String, $0["models"] as String?) }
        }
        let engines = try rows.flatMap { stage, models in
            try JSONDecoder().decode([ModelIdentity].self, from: Data((models ?? "[]").utf8)).map {
                EngineRecord(stage: stage, name: $0.name, digest: $0.digest)
            }
        }
        return Set(engines).sorted { ($0.stage, $0.name, $0.digest) < ($1.stage, $1.name, $1.digest) }
    }
}

extension SQLiteLedger {
    /// The keys of an item's nodes: those that nobody else needs, and those that an item of another source has too that
    /// was not erased, or any that is published.
    ///
    /// - Parameter publication: the one that is taken back, and so does not count.
    /// - Throws: `ledger.failed`.
    public func keys(
        of item: ItemRecord, in run: String, but publication: String
    ) async throws -> (own: Set<Digest>, shared: Set<Digest>) {
        try await read { database in
            let all = try Data.fetchAll(
                database, sql: "SELECT key FROM node WHERE run = ? AND item = ? AND state <> 'failed'",
                arguments: [run, item.index])
            // One pass over all, as there is no index by key: this is done seldom, and runs write nodes often.
            let others = try Data.fetchSet(
                database,
                sql: """
                    SELECT DISTINCT node.key FROM node JOIN item ON item.run = node.run AND item.item = node.item
                    WHERE node.state <> 'failed' AND NOT (node.run = ?1 AND node.item = ?2)
                    AND (item.source <> ?3 AND NOT EXISTS (
                        SELECT 1 FROM publication WHERE publication.run = node.run AND publication.item = node.item
                        AND publication.state = 'erased') OR EXISTS (
                        SELECT 1 FROM publication WHERE publication.run = node.run AND publication.item = node.item
                        AND publication.state IN ('pending', 'done') AND publication.id <> ?4))
                    """, arguments: [run, item.index, item.source, publication])
            return (
                Set(all.filter { !others.contains($0) }.compactMap { Digest(bytes: $0) }),
                Set(all.filter(others.contains).compactMap { Digest(bytes: $0) })
            )
        }
    }
}

extension Owners {
    /// Whether somebody who lives has a thing; nobody is called "".
    fileprivate func holds(_ owner: String) -> Bool { !owner.isEmpty && isAlive(owner) }
}
