internal import DubCore
internal import DubRunner
public import Foundation
internal import GRDB

/// Copies of a ledger, and going back to one.
extension SQLiteLedger {
    /// Copies the ledger as it is at one moment, while runs go on, and checks the copy.
    ///
    /// - Parameter path: the file that is made; one that is there already is replaced once the copy is whole.
    /// - Throws: `ledger.failed` where it cannot be written, or is not sound.
    public func backUp(to path: String) async throws {
        let fresh = "\(path).\(getpid()).part"
        defer { for end in ["", "-journal", "-wal", "-shm"] { unlink(fresh + end) } }
        let pool = pool
        do {
            // A thread of its own: SQLite's backup blocks until it is done.
            try await Task.detached {
                let copy = try DatabaseQueue(path: fresh)
                try pool.backup(to: copy)
                // One file and nothing beside it, wherever it is carried.
                try copy.writeWithoutTransaction { try $0.execute(sql: "PRAGMA journal_mode = DELETE") }
                try Self.check(copy)
                try copy.close()
            }.value
            try Self.settle(fresh, as: path)
        } catch {
            throw Self.failed(error, path)
        }
    }

    /// Puts a copy in the place of a ledger, after checking it. The ledger that was there is kept beside it.
    ///
    /// - Parameters:
    ///   - copy: what `backUp` made, of this dubmill or an older one.
    ///   - path: the ledger's file.
    /// - Returns: where the ledger is that was there before; `nil` where there was none.
    /// - Throws: `ledger.failed` for a copy that is not sound or is no ledger, and while a process uses the ledger.
    public static func restore(_ copy: String, to path: String, now: Date = Date()) throws -> String? {
        let folder = (path as NSString).deletingLastPathComponent
        let living = Presence.living(in: folder + "/owners")
        guard living.isEmpty else {
            throw DubError(
                .ledgerFailed, "\(living.count) processes use the ledger.", at: path,
                fix: "Stop daemons and runs on this store first.")
        }
        let fresh = "\(path).\(getpid()).part"
        defer { for end in ["", "-journal", "-wal", "-shm"] { unlink(fresh + end) } }
        do {
            var readOnly = Configuration()
            readOnly.readonly = true
            let source = try DatabaseQueue(path: copy, configuration: readOnly)
            try check(source)
            guard try source.read({ try Schema.migrator.hasBeenSuperseded($0) }) == false else {
                throw DatabaseError(message: "it is of a newer dubmill")
            }
            try? FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            let target = try DatabaseQueue(path: fresh)
            try source.backup(to: target)
            try target.close()
            var old: String?
            if FileManager.default.fileExists(atPath: path) {
                // What is only in the write-ahead log yet has to be in the file that is put aside.
                let present = try? DatabaseQueue(path: path)
                try? present?.writeWithoutTransaction { _ = try $0.checkpoint(.truncate) }
                try? present?.close()
                let aside = "\(path).before-\(Int(now.timeIntervalSince1970))"
                try FileManager.default.moveItem(atPath: path, toPath: aside)
                old = aside
            }
            for end in ["-wal", "-shm"] { unlink(path + end) }
            try settle(fresh, as: path)
            return old
        } catch {
            throw failed(error, copy)
        }
    }

    private static func check(_ database: DatabaseQueue) throws {
        let told = try database.read { database in
            let told = try String.fetchAll(database, sql: "PRAGMA integrity_check")
            guard try database.tableExists("run"), try database.tableExists("grdb_migrations") else {
                throw DatabaseError(message: "it is no ledger")
            }
            return told
        }
        guard told == ["ok"] else {
            throw DatabaseError(message: "it is damaged: \(told.prefix(3).joined(separator: "; "))")
        }
    }

    /// Gives a file its name once its bytes are on the disk.
    private static func settle(_ fresh: String, as path: String) throws {
        let file = open(fresh, O_RDONLY | O_CLOEXEC)
        defer { if file >= 0 { close(file) } }
        guard file >= 0, fsync(file) == 0, rename(fresh, path) == 0 else {
            throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO)
        }
        let folder = open((path as NSString).deletingLastPathComponent, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        if folder >= 0 {
            fsync(folder)
            close(folder)
        }
    }
}
