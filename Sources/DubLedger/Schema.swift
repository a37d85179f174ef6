internal import DubCore
internal import DubGraph
internal import Foundation
internal import GRDB

/// The ledger's tables, as migrations that are never changed once released.
enum Schema {
    static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("1 runs, results, files") { database in
            try database.execute(
                sql: """
                    -- One call of `dubmill run`.
                    CREATE TABLE run (
                        id TEXT PRIMARY KEY, pipeline TEXT NOT NULL, parameters TEXT NOT NULL,
                        started REAL NOT NULL, ended REAL, state TEXT NOT NULL, process INTEGER NOT NULL
                    ) STRICT;
                    -- One media file of a run; `record` is the JSON that `run --format json` prints.
                    CREATE TABLE item (
                        run TEXT NOT NULL REFERENCES run(id), item INTEGER NOT NULL, source TEXT NOT NULL,
                        status TEXT NOT NULL, record TEXT NOT NULL, PRIMARY KEY (run, item)
                    ) STRICT, WITHOUT ROWID;
                    -- What became of a node in a run.
                    CREATE TABLE node (
                        run TEXT NOT NULL, item INTEGER NOT NULL, node TEXT NOT NULL, stage TEXT NOT NULL,
                        key TEXT NOT NULL, reason TEXT NOT NULL, state TEXT NOT NULL, started REAL NOT NULL,
                        seconds REAL NOT NULL, attempts INTEGER NOT NULL, error TEXT, PRIMARY KEY (run, item, node)
                    ) STRICT, WITHOUT ROWID;
                    -- The cache: what a key's node wrote.
                    CREATE TABLE result (
                        key TEXT PRIMARY KEY, stage TEXT NOT NULL, outputs TEXT NOT NULL, seconds REAL NOT NULL,
                        made REAL NOT NULL
                    ) STRICT, WITHOUT ROWID;
                    -- The fingerprint that a node last had: what explains why it runs again.
                    CREATE TABLE last (
                        source TEXT NOT NULL, node TEXT NOT NULL, fingerprint TEXT NOT NULL, PRIMARY KEY (source, node)
                    ) STRICT, WITHOUT ROWID;
                    -- Digests of files, valid while inode, size and time of change stay.
                    CREATE TABLE file (
                        path TEXT PRIMARY KEY, inode INTEGER NOT NULL, size INTEGER NOT NULL,
                        modified INTEGER NOT NULL, digest TEXT NOT NULL
                    ) STRICT, WITHOUT ROWID;
                    """)
        }
        migrator.registerMigration("2 claims, dead letters, keys as bytes", migrate: second)
        migrator.registerMigration("3 watched folders, timetables") { database in
            try database.execute(
                sql: """
                    -- Files that were taken from watched folders, by content and what was asked of them.
                    -- `state`: taken (while `owner` lives: see Owners), done, failed.
                    CREATE TABLE taken (
                        file BLOB NOT NULL, profile BLOB NOT NULL, path TEXT NOT NULL, owner TEXT NOT NULL,
                        state TEXT NOT NULL, run TEXT, changed REAL NOT NULL, PRIMARY KEY (file, profile)
                    ) STRICT, WITHOUT ROWID;
                    -- Times of timetables that were dealt with. `state`: begun (the timetable was first seen then),
                    -- started, ended, skipped.
                    CREATE TABLE started (
                        timetable TEXT NOT NULL, due REAL NOT NULL, owner TEXT NOT NULL, state TEXT NOT NULL,
                        PRIMARY KEY (timetable, due)
                    ) STRICT, WITHOUT ROWID;
                    """)
        }
        migrator.registerMigration("4 publications") { database in
            try database.execute(
                sql: """
                    -- What is published, or to be: written before it is begun. `state`: see Publication.State. `owner`:
                    -- who is at it, while that lives. `folder`: what two publications of one item share. `record`: all
                    -- else, as JSON.
                    CREATE TABLE publication (
                        id TEXT PRIMARY KEY, run TEXT NOT NULL, item INTEGER NOT NULL, folder TEXT NOT NULL,
                        state TEXT NOT NULL, owner TEXT NOT NULL, record TEXT NOT NULL, attempts INTEGER NOT NULL,
                        error TEXT, begun REAL NOT NULL, changed REAL NOT NULL
                    ) STRICT, WITHOUT ROWID;
                    CREATE INDEX publication_folder ON publication (folder);
                    """)
        }
        migrator.registerMigration("5 queue, status of runs") { database in
            try database.execute(
                sql: """
                    -- `state`, and for a run that is finished the worst of its items: what lists are filtered by.
                    ALTER TABLE run ADD COLUMN status TEXT NOT NULL DEFAULT 'running';
                    UPDATE run SET status = CASE WHEN state <> 'finished' THEN state
                        WHEN EXISTS (SELECT 1 FROM item WHERE run = id AND item.status = 'failed') THEN 'failed'
                        WHEN EXISTS (SELECT 1 FROM item WHERE run = id AND item.status = 'review') THEN 'review'
                        ELSE 'passed' END;
                    CREATE INDEX run_status ON run (status, id);
                    -- Runs that were handed to a daemon. `state`: waiting (for its turn, or running), ended. `key`: what
                    -- the sender called the request, and `asked` its digest. `owner`: see Owners.
                    CREATE TABLE queued (
                        run TEXT PRIMARY KEY, owner TEXT NOT NULL, state TEXT NOT NULL, key TEXT UNIQUE,
                        asked BLOB NOT NULL, since REAL NOT NULL
                    ) STRICT, WITHOUT ROWID;
                    CREATE INDEX queued_waiting ON queued (since) WHERE state = 'waiting';
                    """)
        }
        return migrator
    }

    private static func second(_ database: Database) throws {
        try database.execute(
            sql: """
                ALTER TABLE run ADD COLUMN request TEXT NOT NULL DEFAULT '{}';
                ALTER TABLE run ADD COLUMN graph TEXT NOT NULL DEFAULT '[]';
                ALTER TABLE node RENAME TO node_1;
                ALTER TABLE result RENAME TO result_1;
                DROP TABLE last;
                -- What became of a node in a run. `queued`: when its inputs were there.
                CREATE TABLE node (
                    run TEXT NOT NULL, item INTEGER NOT NULL, node TEXT NOT NULL, stage TEXT NOT NULL,
                    key BLOB NOT NULL, reason TEXT NOT NULL, state TEXT NOT NULL, queued REAL NOT NULL,
                    started REAL NOT NULL, seconds REAL NOT NULL, attempts INTEGER NOT NULL, error TEXT, log TEXT,
                    PRIMARY KEY (run, item, node)
                ) STRICT, WITHOUT ROWID;
                -- The cache: what a key's node wrote. `fingerprint` is the canonical JSON that the key is the digest of.
                CREATE TABLE result (
                    key BLOB PRIMARY KEY, stage TEXT NOT NULL, fingerprint TEXT NOT NULL, outputs TEXT NOT NULL,
                    seconds REAL NOT NULL, made REAL NOT NULL
                ) STRICT;
                -- The key that a node last had: what explains why it runs again.
                CREATE TABLE last (
                    source TEXT NOT NULL, node TEXT NOT NULL, key BLOB NOT NULL, PRIMARY KEY (source, node)
                ) STRICT, WITHOUT ROWID;
                -- Keys that a living process is running: see Owners.
                CREATE TABLE claim (key BLOB PRIMARY KEY, owner TEXT NOT NULL) STRICT, WITHOUT ROWID;
                -- Nodes that failed for good and were not made good since.
                CREATE TABLE dead (
                    source TEXT NOT NULL, node TEXT NOT NULL, run TEXT NOT NULL, item INTEGER NOT NULL,
                    stage TEXT NOT NULL, key BLOB NOT NULL, attempts INTEGER NOT NULL, error TEXT, log TEXT,
                    failed REAL NOT NULL, PRIMARY KEY (source, node)
                ) STRICT, WITHOUT ROWID;
                """)
        for row in try Row.fetchAll(database, sql: "SELECT * FROM node_1") {
            guard let key = Digest(hex: row["key"]) else { continue }
            try database.execute(
                sql: """
                    INSERT INTO node (run, item, node, stage, key, reason, state, queued, started, seconds, attempts, error)
                    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                    """,
                arguments: [
                    row["run"], row["item"], row["node"], row["stage"], key.bytes, row["reason"], row["state"],
                    row["started"], row["started"], row["seconds"], row["attempts"], row["error"],
                ])
        }
        for row in try Row.fetchAll(database, sql: "SELECT * FROM result_1") {
            let outputs: String = row["outputs"]
            guard let key = Digest(hex: row["key"]),
                let values = try? JSONDecoder().decode([String: StageValue].self, from: Data(outputs.utf8))
            else { continue }
            try database.execute(
                sql: "INSERT INTO result (key, stage, fingerprint, outputs, seconds, made) VALUES (?, ?, '', ?, ?, ?)",
                arguments: [key.bytes, row["stage"], ResultText.write(values), row["seconds"], row["made"]])
        }
        try database.execute(sql: "DROP TABLE node_1; DROP TABLE result_1;")
    }
}
