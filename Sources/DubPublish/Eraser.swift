public import DubCore
public import DubRunner
public import Foundation

/// Takes a publication back: its manifest first, so that it names nothing that is not there, then its files.
public struct Eraser: Sendable {
    private let destination: any Destination

    /// Erases at a destination.
    public init(_ destination: any Destination) {
        self.destination = destination
    }

    /// What is removed, and what is not since others need it.
    public struct Plan: Sendable, Hashable {
        /// In the order in which they go: the manifest first.
        public var removed: [Erasure.Object]
        /// Files that another publication of the item names too.
        public var spared: [Erasure.Object]
    }

    /// Looks what there is to do.
    ///
    /// - Parameter others: what else is written down of the item at this place.
    /// - Throws: what the destination throws; `publication.conflict` for a manifest that cannot be read.
    public func plan(_ publication: Publication, others: [Publication]) async throws -> Plan {
        var needed: Set<String> = []
        for other in others where other.id != publication.id && [.pending, .done].contains(other.state) {
            needed.formUnion(other.files.map(\.key))
        }
        // Those of other machines too, which no ledger here knows.
        let folder = publication.manifestKey.split(separator: "/").dropLast(2).joined(separator: "/") + "/"
        for key in try await destination.keys(under: folder)
        where key.hasSuffix("/\(PublicationManifest.name)") && key != publication.manifestKey {
            let data = try await destination.read(key)
            guard let manifest = try? PublicationManifest(data) else {
                throw DubError(
                    .publicationConflict, "A manifest cannot be read, and what it names is not known.",
                    at: destination.address(of: key), fix: "Remove it, or update dubmill.")
            }
            needed.formUnion(manifest.files.map(\.key))
        }
        let manifest = Data(publication.manifest.utf8)
        var plan = Plan(
            removed: [
                Erasure.Object(
                    key: publication.manifestKey, sha256: .of(manifest), size: Int64(manifest.count), versions: nil)
            ], spared: [])
        var known: Set<String> = []
        for file in publication.files where known.insert(file.key).inserted {
            let object = Erasure.Object(key: file.key, sha256: file.sha256, size: file.size, versions: nil)
            if needed.contains(file.key) { plan.spared.append(object) } else { plan.removed.append(object) }
        }
        return plan
    }

    /// Removes what is planned, every version of it.
    ///
    /// - Returns: the same, with how many versions there were.
    /// - Throws: what the destination throws; what was removed before stays so.
    public func carryOut(_ plan: Plan) async throws -> [Erasure.Object] {
        var removed = plan.removed
        for index in removed.indices {
            try Task.checkCancellation()
            removed[index].versions = try await destination.remove(removed[index].key)
        }
        return removed
    }
}

/// What was erased, when, and for whom: the receipt. An interface, kept stable.
public struct Erasure: Codable, Sendable, Hashable {
    /// A thing that was published.
    public struct Object: Codable, Sendable, Hashable {
        /// Its key.
        public var key: String
        /// Its digest.
        public var sha256: Digest
        /// How many bytes.
        public var size: Int64
        /// How many versions were removed; `nil` where none is, or only planned to be.
        public var versions: Int?

        /// Describes a thing.
        public init(key: String, sha256: Digest, size: Int64, versions: Int?) {
            self.key = key
            self.sha256 = sha256
            self.size = size
            self.versions = versions
        }

        private enum CodingKeys: String, CodingKey { case key, sha256, size, versions }

        /// As declared, with an explicit null where nothing was removed.
        public func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(key, forKey: .key)
            try container.encode(sha256, forKey: .sha256)
            try container.encode(size, forKey: .size)
            try container.encode(versions, forKey: .versions)
        }
    }

    /// The shape of this document: 1.
    public var version = 1
    /// Whether nothing was removed, and this only tells what would be.
    public var dryRun: Bool
    /// The publication's name.
    public var publication: String
    /// The run that made it.
    public var run: String
    /// The item's place in that run.
    public var item: Int
    /// The address of the manifest.
    public var manifest: String
    /// When it was erased.
    public var erased: Date
    /// Who asked for it.
    public var by: String
    /// Why.
    public var reason: String?
    /// What is no longer there.
    public var objects: [Object]
    /// Published files that stay, since another publication names them.
    public var spared: [Object]
    /// What the cache held of the run, and holds no more.
    public var artifacts: [Artifact]
    /// How many artifacts stay, since other files' runs or a running one need them.
    public var sparedArtifacts: Int
    /// Files in the store's folders `inputs` and `delivered` that are no longer there.
    public var local: [String]
    /// Files in folders that are not dubmill's own, for whoever asked to remove.
    public var left: [String]

    /// Describes an erasure.
    public init(
        dryRun: Bool, publication: String, run: String, item: Int, manifest: String, erased: Date, by: String,
        reason: String?, objects: [Object], spared: [Object], artifacts: [Artifact], sparedArtifacts: Int,
        local: [String], left: [String]
    ) {
        self.dryRun = dryRun
        self.publication = publication
        self.run = run
        self.item = item
        self.manifest = manifest
        self.erased = erased
        self.by = by
        self.reason = reason
        self.objects = objects
        self.spared = spared
        self.artifacts = artifacts
        self.sparedArtifacts = sparedArtifacts
        self.local = local
        self.left = left
    }
}
