public import DubCore
public import DubGraph
public import DubRunner
public import Foundation
internal import GRDB

/// The ledger in one SQLite file beside the store.
///
/// Writes are gathered: all that arrive while a transaction is under way go into the next one, and every call
/// returns after its own transaction. WAL with `synchronous = NORMAL`: the death of the process loses nothing that
/// was answered; a power cut may lose the last moments, never the file's consistency, and what is lost is run again.
public final class SQLiteLedger: Ledger {
    let pool: DatabasePool
    private let writer: GroupWriter

    /// Opens or makes the ledger and brings it to the present schema.
    ///
    /// - Throws: `ledger.failed` where the file is no ledger, is newer than this dubmill, or cannot be written.
    public init(path: String) throws {
        var configuration = Configuration()
        configuration.busyMode = .timeout(10)
        configuration.prepareDatabase { try $0.execute(sql: "PRAGMA synchronous = NORMAL") }
        do {
            pool = try DatabasePool(path: path, configuration: configuration)
            try Schema.migrator.migrate(pool)
        } catch {
            throw Self.failed(error, path)
        }
        writer = GroupWriter(pool: pool)
    }

    static func failed(_ error: any Error, _ path: String) -> DubError {
        DubError(
            .ledgerFailed, "The ledger cannot be used: \(error).", at: path,
            fix: "Check the disk and that you may write there; a file that is no ledger can be moved away.",
            cause: error)
    }

    private func read<Value: Sendable>(_ body: @escaping @Sendable (Database) throws -> Value) async throws -> Value {
        do {
            return try await pool.read(body)
        } catch let error as DatabaseError {
            throw Self.failed(error, pool.path)
        }
    }

    // MARK: - Results

    /// What a node with this key wrote.
    public func outputs(for key: Digest) async throws -> [String: StageValue]? {
        let text = try await read {
            try String.fetchOne($0, sql: "SELECT outputs FROM result WHERE key = ?", arguments: [key.hex])
        }
        return try text.map { try JSONDecoder().decode([String: StageValue].self, from: Data($0.utf8)) }
    }

    /// The fingerprint under a node's name, by the item's path.
    public func lastFingerprint(of node: String, item: String) async throws -> Fingerprint? {
        let text = try await read {
            try String.fetchOne(
                $0, sql: "SELECT fingerprint FROM last WHERE source = ? AND node = ?", arguments: [item, node])
        }
        return try text.map { try JSONDecoder().decode(Fingerprint.self, from: Data($0.utf8)) }
    }

    /// Writes the node; a node that is done also becomes the result of its key.
    public func record(_ node: NodeRecord) async throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let outputs = String(decoding: try encoder.encode(node.outputs), as: UTF8.self)
        let fingerprint = String(decoding: try encoder.encode(node.fingerprint), as: UTF8.self)
        let error = try node.error.map { String(decoding: try encoder.encode($0), as: UTF8.self) }
        try await writer.write { database in
            try database.execute(
                sql: """
                    INSERT OR REPLACE INTO node
                    (run, item, node, stage, key, reason, state, started, seconds, attempts, error)
                    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                    """,
                arguments: [
                    node.run, node.item, node.node, node.fingerprint.stage, node.key.hex, node.reason,
                    node.state.rawValue, node.started.timeIntervalSince1970, node.seconds, node.attempts, error,
                ])
            if node.state == .done {
                try database.execute(
                    sql: "INSERT OR REPLACE INTO result (key, stage, outputs, seconds, made) VALUES (?, ?, ?, ?, ?)",
                    arguments: [
                        node.key.hex, node.fingerprint.stage, outputs, node.seconds, Date().timeIntervalSince1970,
                    ])
            }
            if node.state != .failed {
                try database.execute(
                    sql: "INSERT OR REPLACE INTO last (source, node, fingerprint) VALUES (?, ?, ?)",
                    arguments: [node.source, node.node, fingerprint])
            }
        }
    }

    // MARK: - Files

    /// The digest taken while the file was as it is now.
    public func digest(of file: FileIdentity) async throws -> Digest? {
        let hex = try await read {
            try String.fetchOne(
                $0, sql: "SELECT digest FROM file WHERE path = ? AND inode = ? AND size = ? AND modified = ?",
                arguments: [file.path, Int64(bitPattern: file.inode), file.size, file.modified])
        }
        return hex.flatMap(Digest.init(hex:))
    }

    /// Remembers it under the path; an older one is forgotten.
    public func remember(_ digest: Digest, of file: FileIdentity) async throws {
        try await writer.write {
            try $0.execute(
                sql: "INSERT OR REPLACE INTO file (path, inode, size, modified, digest) VALUES (?, ?, ?, ?, ?)",
                arguments: [file.path, Int64(bitPattern: file.inode), file.size, file.modified, digest.hex])
        }
    }

    // MARK: - Runs

    /// Opens a run.
    public func begin(_ run: RunRecord) async throws {
        let parameters = JSONValue.object(run.parameters).canonical
        try await writer.write {
            try $0.execute(
                sql: "INSERT INTO run (id, pipeline, parameters, started, state, process) VALUES (?, ?, ?, ?, ?, ?)",
                arguments: [
                    run.id, run.pipeline, parameters, run.started.timeIntervalSince1970, run.state.rawValue,
                    run.process,
                ])
        }
    }

    /// Writes an item, whole.
    public func record(_ item: ItemRecord, in run: String) async throws {
        let record = String(decoding: try JSONEncoder().encode(item), as: UTF8.self)
        try await writer.write {
            try $0.execute(
                sql: "INSERT OR REPLACE INTO item (run, item, source, status, record) VALUES (?, ?, ?, ?, ?)",
                arguments: [run, item.index, item.source, item.status, record])
        }
    }

    /// Closes a run.
    public func end(run: String, state: RunRecord.State, at time: Date) async throws {
        try await writer.write {
            try $0.execute(
                sql: "UPDATE run SET state = ?, ended = ? WHERE id = ?",
                arguments: [state.rawValue, time.timeIntervalSince1970, run])
        }
    }
}
