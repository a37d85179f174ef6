public import DubCore
public import DubGraph
public import DubRunner
public import Foundation
internal import GRDB
internal import Glibc

/// The ledger in one SQLite file beside the store.
///
/// Writes are gathered: all that arrive while a transaction is under way go into the next one, and every call
/// returns after its own transaction. WAL with `synchronous = NORMAL`: the death of the process loses nothing that
/// was answered; a power cut may lose the last moments, never the file's consistency, and what is lost is run again.
public final class SQLiteLedger: Ledger {
    let pool: DatabasePool
    let writer: GroupWriter
    let owners: Owners

    /// Opens or makes the ledger and brings it to the present schema.
    ///
    /// - Throws: `ledger.failed` where the file is no ledger, is newer than this dubmill, or cannot be written.
    public init(path: String) throws {
        var configuration = Configuration()
        configuration.busyMode = .timeout(10)
        configuration.prepareDatabase { try $0.execute(sql: "PRAGMA synchronous = NORMAL") }
        do {
            pool = try Self.alone(in: (path as NSString).deletingLastPathComponent) {
                let pool = try DatabasePool(path: path, configuration: configuration)
                try Schema.migrator.migrate(pool)
                return pool
            }
        } catch {
            throw Self.failed(error, path)
        }
        writer = GroupWriter(pool: pool)
        owners = try Owners(folder: (path as NSString).deletingLastPathComponent + "/owners")
    }

    /// Opens and migrates while nobody else does: a new file is switched to WAL, and SQLite does not wait with that
    /// until others are done, whatever its time-out (`SQLITE_BUSY` at once). The lock is on the folder and leaves
    /// nothing behind; where there is no such folder, what is done in it tells why.
    private static func alone<Value>(in folder: String, _ open: () throws -> Value) throws -> Value {
        let descriptor = Glibc.open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        defer { if descriptor >= 0 { close(descriptor) } }
        while descriptor >= 0, flock(descriptor, LOCK_EX) != 0, errno == EINTR {}
        return try open()
    }

    static func failed(_ error: any Error, _ path: String) -> DubError {
        DubError(
            .ledgerFailed, "The ledger cannot be used: \(error).", at: path,
            fix: "Check the disk and that you may write there; a file that is no ledger can be moved away.",
            cause: error)
    }

    func read<Value: Sendable>(_ body: @escaping @Sendable (Database) throws -> Value) async throws -> Value {
        do {
            return try await pool.read(body)
        } catch let error as DatabaseError {
            throw Self.failed(error, pool.path)
        }
    }

    // MARK: - Results

    /// What a node with this key wrote.
    public func outputs(for key: Digest) async throws -> [String: StageValue]? {
        try await read { database in
            try String.fetchOne(
                database, sql: "SELECT outputs FROM result WHERE key = ?", arguments: [key.bytes]
            ).flatMap(ResultText.read)
        }
    }

    /// The fingerprint under a node's name, by the item's path.
    public func lastFingerprint(of node: String, item: String) async throws -> Fingerprint? {
        let text = try await read { try Self.last(node, of: item, in: $0) }
        return try text.map { try Fingerprint(canonical: $0) }
    }

    private static func last(_ node: String, of item: String, in database: Database) throws -> String? {
        let statement = try database.cachedStatement(
            sql: """
                SELECT fingerprint FROM last JOIN result ON result.key = last.key
                WHERE source = ? AND node = ? AND fingerprint <> ''
                """)
        return try String.fetchOne(statement, arguments: [item, node])
    }

    /// Looks up, and claims what is not there in one transaction.
    ///
    /// The first look is a reader's: of a run that was already done nothing waits for the one who writes.
    public func claim(_ nodes: [NodeClaim], item: String) async throws -> [NodeState] {
        let known = try await read { database in try nodes.map { try Self.done($0, in: database) } }
        guard known.contains(where: { $0 == nil }) else { return known.compactMap(\.self) }
        let owners = owners
        return try await writer.write { database in
            try zip(nodes, known).map { node, known in
                // What another process has written meanwhile counts too.
                if let done = try known ?? Self.done(node, in: database) { return done }
                guard try Self.claim(node.key.bytes, for: owners, in: database) else { return .running }
                return .claimed(last: try Self.last(node.node, of: item, in: database))
            }
        }
    }

    /// What the node wrote; `nil` where it did not yet, or shall again.
    private static func done(_ node: NodeClaim, in database: Database) throws -> NodeState? {
        guard !node.isForced else { return nil }
        let result = try database.cachedStatement(sql: "SELECT outputs FROM result WHERE key = ?")
        return try String.fetchOne(result, arguments: [node.key.bytes]).flatMap(ResultText.read).map(NodeState.done)
    }

    private static func claim(_ key: Data, for owners: Owners, in database: Database) throws -> Bool {
        let insert = try database.cachedStatement(sql: "INSERT OR IGNORE INTO claim (key, owner) VALUES (?, ?)")
        try insert.execute(arguments: [key, owners.own])
        if database.changesCount == 1 { return true }
        let holder = try database.cachedStatement(sql: "SELECT owner FROM claim WHERE key = ?")
        guard let owner = try String.fetchOne(holder, arguments: [key]), !owners.isAlive(owner) else { return false }
        try database.execute(sql: "DELETE FROM claim WHERE owner = ?", arguments: [owner])
        try insert.execute(arguments: [key, owners.own])
        return true
    }

    /// Lets go of this process's claims.
    public func release(_ keys: [Digest]) async throws {
        let own = owners.own
        try await writer.write { database in
            let delete = try database.cachedStatement(sql: "DELETE FROM claim WHERE key = ? AND owner = ?")
            for key in keys { try delete.execute(arguments: [key.bytes, own]) }
        }
    }

    /// Writes the nodes; one that is done also becomes the result of its key, one that failed a dead letter.
    public func record(_ nodes: [NodeRecord]) async throws {
        let own = owners.own
        try await writer.write { database in
            for node in nodes { try Self.write(node, owner: own, in: database) }
            // Seldom any: a look instead of as many deletions as there are nodes. After the writes: a transaction that
            // reads first is refused, instead of waiting, when another process has written meanwhile.
            guard try Bool.fetchOne(database, sql: "SELECT EXISTS (SELECT 1 FROM dead)") ?? true else { return }
            for node in nodes where node.state != .failed {
                try database.cachedStatement(sql: "DELETE FROM dead WHERE source = ? AND node = ?")
                    .execute(arguments: [node.source, node.node])
            }
        }
    }

    private static func write(_ node: NodeRecord, owner: String, in database: Database) throws {
        let key = node.key.bytes
        let error = try node.error.map { String(decoding: try JSONEncoder().encode($0), as: UTF8.self) }
        try database.cachedStatement(
            sql: """
                INSERT OR REPLACE INTO node
                (run, item, node, stage, key, reason, state, queued, started, seconds, attempts, error, log)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                """
        ).execute(
            arguments: [
                node.run, node.item, node.node, node.stage, key, node.reason, node.state.rawValue,
                node.queued.timeIntervalSince1970, node.started.timeIntervalSince1970, node.seconds, node.attempts,
                error, node.log,
            ])
        if node.state == .failed {
            try database.cachedStatement(
                sql: """
                    INSERT OR REPLACE INTO dead (source, node, run, item, stage, key, attempts, error, log, failed)
                    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                    """
            ).execute(
                arguments: [
                    node.source, node.node, node.run, node.item, node.stage, key, node.attempts, error, node.log,
                    node.started.timeIntervalSince1970 + node.seconds,
                ])
        } else {
            try database.cachedStatement(
                sql: """
                    INSERT INTO last (source, node, key) VALUES (?, ?, ?)
                    ON CONFLICT (source, node) DO UPDATE SET key = excluded.key WHERE key <> excluded.key
                    """
            ).execute(arguments: [node.source, node.node, key])
        }
        if node.state == .done {
            try database.cachedStatement(
                sql: """
                    INSERT OR REPLACE INTO result (key, stage, fingerprint, outputs, seconds, made)
                    VALUES (?, ?, ?, ?, ?, ?)
                    """
            ).execute(
                arguments: [
                    key, node.stage, node.fingerprint, ResultText.write(node.outputs), node.seconds,
                    node.started.timeIntervalSince1970 + node.seconds,
                ])
        }
        if node.state != .cached {
            try database.cachedStatement(sql: "DELETE FROM claim WHERE key = ? AND owner = ?")
                .execute(arguments: [key, owner])
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

    /// Opens a run, also one that waited in the queue.
    public func begin(_ run: RunRecord) async throws {
        try await writer.write { try Self.insert(run, in: $0) }
    }

    static func insert(_ run: RunRecord, in database: Database) throws {
        let parameters = JSONValue.object(run.parameters).canonical
        let request = try JSONValue(encoding: run.request).canonical
        let graph = try JSONValue(encoding: run.graph).canonical
        try database.execute(
            sql: """
                INSERT INTO run (id, pipeline, parameters, started, state, process, request, graph, status)
                VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?5)
                ON CONFLICT (id) DO UPDATE SET started = excluded.started, ended = NULL, state = excluded.state,
                    process = excluded.process, graph = excluded.graph, status = excluded.status
                    WHERE run.state = 'queued'
                """,
            arguments: [
                run.id, run.pipeline, parameters, run.started.timeIntervalSince1970, run.state.rawValue, run.process,
                request, graph,
            ])
        guard database.changesCount == 1 else {
            throw DatabaseError(resultCode: .SQLITE_CONSTRAINT, message: "there is a run of the name \(run.id)")
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
                sql: """
                    UPDATE run SET state = ?1, ended = ?2, status = CASE WHEN ?1 <> 'finished' THEN ?1 ELSE (
                        SELECT CASE WHEN sum(status = 'failed') > 0 THEN 'failed'
                            WHEN sum(status = 'review') > 0 THEN 'review' ELSE 'passed' END
                        FROM item WHERE run = ?3) END
                    WHERE id = ?3
                    """,
                arguments: [state.rawValue, time.timeIntervalSince1970, run])
        }
    }
}
