internal import DubCore
internal import DubLedger
internal import DubRunner
internal import DubStorage
internal import Foundation

/// Keeps a store in order: what is in it, what may go, what is damaged.
struct Housekeeping: Sendable {
    let store: FileStore
    let ledger: SQLiteLedger

    /// Opens a store that is there already.
    ///
    /// - Throws: `input.missing` where there is none: without its ledger every object would be taken for an orphan.
    init(folder: String) throws {
        let path = folder + "/ledger.sqlite"
        guard let file = FileIdentity(path: path), file.size > 0 else {
            throw DubError(
                .inputMissing, "There is no store here, or its ledger is gone.", at: path,
                fix:
                    "Run something first, or name the store with --store. Objects without a ledger are found by nobody:"
                    + " remove the folder.")
        }
        store = try FileStore(root: folder)
        ledger = try SQLiteLedger(path: path)
    }

    /// Works on what a run has open.
    init(store: FileStore, ledger: SQLiteLedger) {
        self.store = store
        self.ledger = ledger
    }

    /// A number of things and their bytes.
    struct Amount: Encodable, Hashable {
        var count = 0
        var bytes: Int64 = 0

        init(_ objects: [StoredObject] = []) {
            count = objects.count
            bytes = objects.reduce(0) { $0 + $1.size }
        }

        var text: String { "\(count), \(ByteCount.text(bytes))" }
    }

    /// What was removed, or would be.
    struct Report: Encodable {
        var isDryRun: Bool
        /// Objects that no result names.
        var orphans: Amount
        /// Objects of results that were given up.
        var evicted: Amount
        /// Results that were given up.
        var evictedResults: Int
        /// Leavings of dead processes.
        var scratch: Amount
        /// Inputs that were fetched, and outputs on their way into a bucket, that no run has used for so long.
        var inputs: Amount
        /// Objects that would have gone, and that somebody has begun to use meanwhile.
        var spared: Amount
        /// Objects that stay.
        var left: Amount
        /// Whether what stays takes more than the budget: living processes rely on it.
        var isOverBudget: Bool
    }

    /// Removes what nobody needs, and what is over the limits.
    ///
    /// - Parameter isDone: this process needs nothing of the store any more.
    /// - Throws: `store.busy`, `output.unwritable`, `ledger.failed`.
    func collect(_ limits: Eviction.Limits, isDryRun: Bool = false, isDone: Bool = false) async throws -> Report {
        let removal = isDryRun ? nil : try Removal(in: store, isDone: isDone)
        // Objects, then pins, then results: what is placed, and told in the ledger, after its turn is not looked at.
        let objects = store.objects()
        let isPinned = store.pinned(isDone: isDone)
        let results = try await ledger.storedResults()
        let eviction = Eviction(of: objects, results: results, limits: limits, isPinned: isPinned)
        let leavings = store.leavings()
        var scratch = Amount()
        scratch.count = leavings.count
        scratch.bytes = leavings.reduce(0) { $0 + $1.bytes }
        var report = Report(
            isDryRun: isDryRun, orphans: Amount(eviction.orphans), evicted: Amount(eviction.evicted),
            evictedResults: eviction.results.count, scratch: scratch,
            inputs: try await foreign(unusedSince: limits.unusedSince, isDryRun: isDryRun), spared: Amount(),
            left: Amount(objects),
            isOverBudget: false)
        if let removal {
            store.sweep()
            let orphans = try removal.remove(eviction.orphans)
            let evicted = try removal.remove(eviction.evicted)
            let forgotten = eviction.forgettable(gone: evicted, before: objects)
            try await ledger.forget(forgotten)
            report.orphans = Amount(orphans)
            report.evicted = Amount(evicted)
            report.evictedResults = forgotten.count
            report.spared.count = eviction.orphans.count + eviction.evicted.count - orphans.count - evicted.count
            report.spared.bytes =
                Amount(eviction.orphans).bytes + Amount(eviction.evicted).bytes - report.orphans.bytes
                - report.evicted.bytes
        }
        report.left.count -= report.orphans.count + report.evicted.count
        report.left.bytes -= report.orphans.bytes + report.evicted.bytes
        report.isOverBudget = limits.budget.map { report.left.bytes > $0 } ?? false
        return report
    }

    /// Removes files of the folders `inputs` and `delivered`, which can be fetched and made again.
    private func foreign(unusedSince: Date?, isDryRun: Bool) async throws -> Amount {
        var amount = Amount()
        guard let unusedSince else { return amount }
        let runs = try await ledger.lastRuns()
        let wanted = Set(try await ledger.openPublications().flatMap { $0.files.map(\.path) + [$0.source] })
        for folder in ["inputs", "delivered"] {
            let root = "\(store.root)/\(folder)"
            for name in FileManager.default.enumerator(atPath: root)?.compactMap({ $0 as? String }) ?? [] {
                let path = "\(root)/\(name)"
                var status = stat()
                // What was fetched or delivered a moment ago may not be in a run yet.
                guard lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG,
                    Double(status.st_ctim.tv_sec) < unusedSince.timeIntervalSince1970,
                    runs[path].map({ $0 < unusedSince }) ?? true, !wanted.contains(path)
                else { continue }
                amount.count += 1
                amount.bytes += Int64(status.st_size)
                guard !isDryRun else { continue }
                unlink(path)
                rmdir((path as NSString).deletingLastPathComponent)
            }
        }
        return amount
    }

    // MARK: - Verified

    /// An object that is not as it should be.
    struct Finding: Encodable {
        var sha256: Digest
        var type: String
        /// Bytes: as they lie there, or of what is missing as they were.
        var size: Int64
        /// The stages that wrote it.
        var stages: [String]
    }

    /// What a look at every object has shown.
    struct Findings: Encodable {
        var checked: Amount
        /// Their bytes are not what their names promise.
        var damaged: [Finding]
        /// Results name them, and they are gone.
        var missing: [Finding]
        /// No result names them.
        var orphaned: [Finding]
        /// How many of the damaged ones were removed.
        var removed: Int
    }

    /// Reads every object.
    ///
    /// - Parameters:
    ///   - repair: damaged ones are removed, so that they are made again.
    ///   - progress: is told how much was read.
    /// - Throws: as `collect`.
    func verify(repair: Bool, progress: (Amount, _ of: Amount) -> Void) async throws -> Findings {
        let objects = store.objects()
        let results = try await ledger.storedResults()
        var stages: [Artifact: Set<String>] = [:]
        for result in results {
            for artifact in result.artifacts { stages[artifact, default: []].insert(result.stage) }
        }
        var named: [String: [String]] = [:]
        for (artifact, stages) in stages { named["\(artifact.digest.hex).\(artifact.type)"] = stages.sorted() }
        func finding(_ object: StoredObject) -> Finding {
            Finding(
                sha256: object.digest, type: object.type, size: object.size,
                stages: named["\(object.digest.hex).\(object.type)"] ?? [])
        }
        let all = Amount(objects)
        var checked = Amount()
        var damaged: [StoredObject] = []
        for object in objects {
            if try !store.isWhole(object), FileManager.default.fileExists(atPath: store.path(of: object)) {
                damaged.append(object)
            }
            checked.count += 1
            checked.bytes += object.size
            progress(checked, all)
        }
        let removed = repair && !damaged.isEmpty ? try Removal(in: store).removeDamaged(damaged) : []
        let made = Set(removed.map { "\($0.digest.hex).\($0.type)" })
        let missing = stages.keys.filter {
            FileIdentity(path: store.path(of: $0)) == nil && !made.contains("\($0.digest.hex).\($0.type)")
        }
        return Findings(
            checked: checked, damaged: damaged.map(finding),
            missing: missing.map {
                Finding(
                    sha256: $0.digest, type: $0.type, size: $0.size, stages: named["\($0.digest.hex).\($0.type)"] ?? [])
            }.sorted { $0.sha256.hex < $1.sha256.hex },
            orphaned: objects.filter { named["\($0.digest.hex).\($0.type)"] == nil }.map(finding),
            removed: removed.count)
    }
}
