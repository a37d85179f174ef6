internal import DubCore
internal import DubLedger
internal import DubPublish
internal import DubRunner
internal import DubStorage
internal import Foundation

/// Takes a publication back, with what the cache holds of its run, and leaves a receipt.
struct ErasureWork: Sendable {
    let work: PublishWork
    /// Who asks.
    let by: String
    /// And why.
    let reason: String?

    private var ledger: SQLiteLedger { work.ledger }
    private var store: FileStore { work.store }

    /// Tells what would be removed, and removes nothing.
    ///
    /// - Throws: `publication.missing`; what the destination throws.
    func plan(_ name: String) async throws -> Erasure {
        let publication = try await found(name)
        let plan = try await eraser(publication).plan(
            publication, others: try await ledger.publications(in: publication.folder))
        let cached = try await cached(publication)
        return try await receipt(
            publication, isDry: true, objects: plan.removed, spared: plan.spared, artifacts: cached.objects,
            kept: cached.kept)
    }

    /// Erases. Killed, it goes on where it was when it is asked again.
    ///
    /// - Parameter place: where the receipt is written; in the store where it is not given.
    /// - Throws: `publication.missing`, `publication.busy`, `store.busy`; what the destination throws.
    func perform(_ name: String, receipt place: String?) async throws -> (receipt: Erasure, path: String) {
        let publication = try await found(name)
        guard try await ledger.hold(publication.id, in: [.pending, .done, .erasing]) else {
            throw DubError(
                .publicationBusy, "Somebody else publishes or erases there.", at: publication.folder,
                fix: "Wait until that is done.", persistence: .transient)
        }
        do {
            let plan = try await eraser(publication).plan(
                publication, others: try await ledger.publications(in: publication.folder))
            try await ledger.beginErasing(publication.id)
            let cached = try await cached(publication)
            // Before anything goes from the bucket: a store that is busy refuses here.
            let removal = try Removal(in: store, isDone: true)
            let objects = try await eraser(publication).carryOut(plan)
            let gone = try removal.remove(cached.objects)
            let removed = Set(gone)
            let isKept = Set(cached.objects.filter { !removed.contains($0) }.map(\.digest))
            try await ledger.forget(
                cached.results.filter { $0.artifacts.allSatisfy { !isKept.contains($0.digest) } })
            let receipt = try await receipt(
                publication, isDry: false, objects: objects, spared: plan.spared, artifacts: gone,
                kept: cached.kept + isKept.count)
            // What is told of is gone when the receipt is there, or goes now: a repeat would not find it.
            let path = try write(receipt, to: place)
            for file in receipt.local { remove(file) }
            try await ledger.settle(publication.id, as: .erased, error: nil)
            return (receipt, path)
        } catch {
            // Not a child task: it has to be written although this one may be cancelled.
            let record = (error as? DubError).map(ErrorRecord.init)
            let now = try? await ledger.publication(named: publication.id)?.state
            try? await Task {
                try await ledger.settle(publication.id, as: now ?? publication.state, error: record)
            }.value
            throw error
        }
    }

    private func found(_ name: String) async throws -> Publication {
        guard let publication = try await ledger.publication(named: name) else {
            throw DubError(
                .publicationMissing, "There is no publication of this name, or more than one.", at: name,
                fix: "See dubmill publications.")
        }
        guard publication.state != .erased else {
            throw DubError(
                .publicationMissing, "It was erased on \(publication.changed.formatted(.iso8601)).", at: publication.id,
                fix: "Its receipt is \(receiptPath(publication.id)), or where it was asked to be.")
        }
        return publication
    }

    private func eraser(_ publication: Publication) throws -> Eraser {
        Eraser(try work.destination(publication.order))
    }

    /// What the cache holds of an item's run, and nobody else needs.
    private func cached(
        _ publication: Publication
    ) async throws -> (objects: [StoredObject], results: [StoredResult], kept: Int) {
        let items = try await ledger.items(of: publication.run)
        guard let item = items.first(where: { $0.index == publication.item }) else { return ([], [], 0) }
        let keys = try await ledger.keys(of: item, in: publication.run, but: publication.id)
        let all = try await ledger.storedResults()
        let results = all.filter { keys.own.contains($0.key) }
        // Different nodes may have written the same bytes.
        let needed = Set(all.filter { !keys.own.contains($0.key) }.flatMap(\.artifacts).map(\.digest))
        let artifacts = Set(results.flatMap(\.artifacts).map(\.digest))
        let shared = Set(all.filter { keys.shared.contains($0.key) }.flatMap(\.artifacts).map(\.digest))
        let objects = store.objects().filter { artifacts.contains($0.digest) && !needed.contains($0.digest) }
        return (objects, results, artifacts.intersection(needed).union(shared).count)
    }

    private func receipt(
        _ publication: Publication, isDry: Bool, objects: [Erasure.Object], spared: [Erasure.Object],
        artifacts: [StoredObject], kept: Int
    ) async throws -> Erasure {
        let (local, left) = try await files(publication)
        return Erasure(
            dryRun: isDry, publication: publication.id, run: publication.run, item: publication.item,
            manifest: try work.destination(publication.order).address(of: publication.manifestKey),
            erased: Date(timeIntervalSince1970: Date().timeIntervalSince1970.rounded(.down)), by: by, reason: reason,
            objects: objects, spared: spared,
            artifacts: artifacts.map { Artifact(digest: $0.digest, size: $0.size, type: $0.type) }.sorted {
                $0.digest.hex < $1.digest.hex
            }, sparedArtifacts: kept, local: local, left: left)
    }

    /// Files of the item on this machine: those in folders of the store, which are its own, and others.
    private func files(_ publication: Publication) async throws -> (local: [String], left: [String]) {
        let items = try await ledger.items(of: publication.run)
        let outputs = items.first { $0.index == publication.item }?.outputs ?? []
        let others = try await ledger.publications().filter {
            $0.id != publication.id && [.pending, .done].contains($0.state)
        }
        let needed = Set(others.map(\.source) + others.flatMap { $0.files.map(\.path) })
        let paths = Set(outputs.map(\.path) + [publication.source]).filter(FileManager.default.fileExists).sorted()
        func isOwn(_ path: String) -> Bool {
            ["inputs", "delivered"].contains { path.hasPrefix("\(store.root)/\($0)/") }
        }
        return (paths.filter { isOwn($0) && !needed.contains($0) }, paths.filter { !isOwn($0) })
    }

    /// Removes a file, and its folder where nothing else is in it.
    private func remove(_ path: String) {
        unlink(path)
        rmdir((path as NSString).deletingLastPathComponent)
    }

    private func receiptPath(_ id: String) -> String { "\(store.root)/receipts/\(id).json" }

    private func write(_ receipt: Erasure, to place: String?) throws -> String {
        let path = place ?? receiptPath(receipt.publication)
        do {
            try FileManager.default.createDirectory(
                atPath: (path as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
            try Data((try Console.json(receipt) + "\n").utf8).write(to: URL(filePath: path), options: .atomic)
        } catch {
            throw DubError(
                .outputUnwritable, "The receipt cannot be written: \(error.localizedDescription).", at: path,
                fix: "Name another place with --receipt, and erase again.", cause: error)
        }
        return path
    }
}
