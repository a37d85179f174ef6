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
        return migrator
    }
}
