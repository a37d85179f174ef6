internal import DubCore
public import DubObjects
public import Foundation

/// A bucket.
public struct BucketDestination: Destination {
    private let store: ObjectStore
    private let bucket: String
    /// The name, beside an object, of the day on which it goes.
    private static let expires = "dubmill-expires"

    /// Publishes into a bucket of a store.
    public init(_ store: ObjectStore, bucket: String) {
        self.store = store
        self.bucket = bucket
    }

    private func name(_ key: String) -> ObjectName { ObjectName(bucket: bucket, key: key) }

    /// `s3://bucket/key`.
    public func address(of key: String) -> String { "\(name(key))" }

    /// Asks for its head.
    public func look(at key: String) async throws -> Thing? {
        do {
            let entry = try await store.head(name(key))
            return Thing(size: entry.size, sha256: entry.digest, expires: entry.metadata[Self.expires])
        } catch let error as DubError where error.code == .objectMissing {
            return nil
        }
    }

    /// Puts an object, with tags for lifecycle rules to go by.
    public func put(fileAt path: String, as key: String, _ mark: Mark, isNew: Bool) async throws {
        var options = PutOptions(type: mark.type, createOnly: isNew)
        if let days = mark.retainDays, let expires = mark.expires {
            options.tags = RetentionRule.tags(days: days, expires: expires)
            options.metadata = [Self.expires: expires]
        }
        try await store.put(fileAt: path, to: name(key), options: options, expecting: mark.sha256)
    }

    /// Fetches an object of 16 MiB at most.
    public func read(_ key: String) async throws -> Data {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("dubmill-\(UUID().uuidString)").path
        defer { unlink(path) }
        let there = try await store.head(name(key))
        guard there.size <= 16 << 20 else {
            throw DubError(
                .publicationConflict, "It is too large to be a manifest: \(there.size) bytes.", at: address(of: key),
                fix: "Publish to another prefix.")
        }
        try await store.get(name(key), to: path)
        return try Data(contentsOf: URL(filePath: path))
    }

    /// Lists them.
    public func keys(under prefix: String) async throws -> [String] {
        var keys: [String] = []
        do {
            for try await entry in store.list(bucket: bucket, prefix: prefix) { keys.append(entry.key) }
        } catch let error as DubError where error.code == .objectMissing {
            return []
        }
        return keys
    }

    /// Removes every version, or the object where the store lists none.
    public func remove(_ key: String) async throws -> Int {
        let versions: [ObjectStore.Version]
        do {
            versions = try await store.versions(of: name(key))
        } catch let error as DubError where error.code == .objectRefused || error.code == .objectMissing {
            let isThere = try await look(at: key) != nil
            try await store.delete(name(key))
            return isThere ? 1 : 0
        }
        // The newest first: none that was replaced comes to light again.
        for version in versions { try await store.delete(version, in: bucket) }
        // Of a bucket that keeps no versions, some stores remove by the name alone.
        if try await look(at: key) != nil { try await store.delete(name(key)) }
        return versions.count { !$0.isMark }
    }
}
