public import DubCore
public import Foundation
internal import GRDB

/// What became of a wish to take a file.
public enum Taking: Hashable, Sendable {
    /// It is the caller's: nobody else takes it until it is settled, or the caller's process ends.
    case taken
    /// Somebody who lives has it.
    case busy
    /// It was done in a run.
    case done(run: String)
}

extension SQLiteLedger {
    /// Takes a file for oneself, by its content and what is asked of it. One that failed before may be taken again.
    ///
    /// - Throws: `ledger.failed`.
    public func take(_ file: Digest, profile: Digest, path: String) async throws -> Taking {
        let owners = owners
        return try await writer.write { database in
            let now = Date().timeIntervalSince1970
            let key = [file.bytes, profile.bytes]
            try database.execute(
                sql: """
                    INSERT OR IGNORE INTO taken (file, profile, path, owner, state, changed)
                    VALUES (?, ?, ?, ?, 'taken', ?)
                    """, arguments: [key[0], key[1], path, owners.own, now])
            if database.changesCount == 1 { return .taken }
            guard
                let row = try Row.fetchOne(
                    database, sql: "SELECT state, owner, run FROM taken WHERE file = ? AND profile = ?",
                    arguments: StatementArguments(key))
            else { return .busy }
            let (state, owner): (String, String) = (row["state"], row["owner"])
            if state == "done" { return .done(run: row["run"] ?? "") }
            if state == "taken", owners.isAlive(owner) { return .busy }
            try database.execute(
                sql: """
                    UPDATE taken SET path = ?, owner = ?, state = 'taken', run = NULL, changed = ?
                    WHERE file = ? AND profile = ?
                    """, arguments: [path, owners.own, now, key[0], key[1]])
            return .taken
        }
    }

    /// Says how a file that was taken ended: done, failed (then it may be taken again), or let go of (`run` is `nil`).
    ///
    /// - Throws: `ledger.failed`.
    public func settle(_ file: Digest, profile: Digest, run: String?, isDone: Bool) async throws {
        let own = owners.own
        try await writer.write { database in
            guard let run else {
                return try database.execute(
                    sql: "DELETE FROM taken WHERE file = ? AND profile = ? AND owner = ? AND state = 'taken'",
                    arguments: [file.bytes, profile.bytes, own])
            }
            try database.execute(
                sql: """
                    UPDATE taken SET state = ?, run = ?, changed = ? WHERE file = ? AND profile = ? AND owner = ?
                    """,
                arguments: [
                    isDone ? "done" : "failed", run, Date().timeIntervalSince1970, file.bytes, profile.bytes, own,
                ])
        }
    }

    // MARK: - Timetables

    /// The last time of a timetable that was dealt with. One that is not known yet begins now.
    ///
    /// - Throws: `ledger.failed`.
    public func lastTime(of timetable: String, now: Date) async throws -> Date {
        let own = owners.own
        return try await writer.write { database in
            let found =
                "SELECT max(due) FROM started WHERE timetable = ?"
            // A write first, so that two who ask at once wait for each other.
            try database.execute(
                sql: """
                    INSERT INTO started (timetable, due, owner, state)
                    SELECT ?, ?, ?, 'begun' WHERE NOT EXISTS (SELECT 1 FROM started WHERE timetable = ?)
                    """, arguments: [timetable, now.timeIntervalSince1970, own, timetable])
            return Date(
                timeIntervalSince1970: try Double.fetchOne(database, sql: found, arguments: [timetable])
                    ?? now.timeIntervalSince1970)
        }
    }

    /// Takes a start for oneself.
    ///
    /// - Parameter isSkipped: whether it is only noted that it was left out.
    /// - Returns: whether it is the caller's: somebody else may have it, or have had it.
    /// - Throws: `ledger.failed`.
    public func takeStart(of timetable: String, due: Date, isSkipped: Bool = false) async throws -> Bool {
        let own = owners.own
        return try await writer.write { database in
            try database.execute(
                sql: "INSERT OR IGNORE INTO started (timetable, due, owner, state) VALUES (?, ?, ?, ?)",
                arguments: [timetable, due.timeIntervalSince1970, own, isSkipped ? "skipped" : "started"])
            return database.changesCount == 1
        }
    }

    /// Notes that the batch of a start has ended; what is older is forgotten.
    ///
    /// - Throws: `ledger.failed`.
    public func endStart(of timetable: String, due: Date) async throws {
        try await writer.write { database in
            try database.execute(
                sql: "UPDATE started SET state = 'ended' WHERE timetable = ? AND due = ?",
                arguments: [timetable, due.timeIntervalSince1970])
            try database.execute(
                sql: "DELETE FROM started WHERE timetable = ? AND due < ? AND state <> 'started'",
                arguments: [timetable, due.timeIntervalSince1970])
        }
    }

    /// Lets go of a start that was not begun: it is as if its process had died.
    ///
    /// - Throws: `ledger.failed`.
    public func leaveStart(of timetable: String, due: Date) async throws {
        let own = owners.own
        try await writer.write { database in
            try database.execute(
                sql: "UPDATE started SET owner = '' WHERE timetable = ? AND due = ? AND owner = ?",
                arguments: [timetable, due.timeIntervalSince1970, own])
        }
    }

    /// How many starts have not come to their end, and wait or go on in a process that lives.
    ///
    /// - Throws: `ledger.failed`.
    public func runningStarts(of timetable: String) async throws -> Int {
        let owners = owners
        return try await read { database in
            try String.fetchAll(
                database, sql: "SELECT owner FROM started WHERE timetable = ? AND state = 'started'",
                arguments: [timetable]
            ).filter(owners.isAlive).count
        }
    }

    /// Starts whose process died before the batch had ended: they are the caller's now.
    ///
    /// - Throws: `ledger.failed`.
    public func abandonedStarts(of timetable: String) async throws -> [Date] {
        let owners = owners
        return try await writer.write { database in
            try database.execute(
                sql: "UPDATE started SET owner = owner WHERE timetable = ?", arguments: [timetable])
            let rows = try Row.fetchAll(
                database, sql: "SELECT due, owner FROM started WHERE timetable = ? AND state = 'started' ORDER BY due",
                arguments: [timetable])
            var found: [Date] = []
            for row in rows {
                let (due, owner): (Double, String) = (row["due"], row["owner"])
                guard !owners.isAlive(owner) else { continue }
                try database.execute(
                    sql: "UPDATE started SET owner = ? WHERE timetable = ? AND due = ?",
                    arguments: [owners.own, timetable, due])
                found.append(Date(timeIntervalSince1970: due))
            }
            return found
        }
    }
}
