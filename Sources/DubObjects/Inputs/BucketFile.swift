internal import DubCore
internal import DubHTTP
internal import Foundation

/// An object in a bucket, as an input.
public struct BucketFile: RemoteFile {
    private let store: ObjectStore
    private let object: ObjectName

    /// Names an object.
    public init(_ object: ObjectName, in store: ObjectStore) {
        self.object = object
        self.store = store
    }

    /// The last part of the key.
    public var name: String { (object.key as NSString).lastPathComponent }
    /// `s3://bucket/key`.
    public var address: String { "\(object)" }

    /// Asks for its head.
    public func look() async throws -> RemoteVersion {
        let entry = try await store.head(object)
        return RemoteVersion(tag: entry.tag, size: entry.size, sha256: entry.digest)
    }

    /// Asks for a range, if the tag is still that.
    public func fetch(_ stretch: Range<Int64>, of version: RemoteVersion, into path: String) async throws {
        var request = store.endpoint.request("GET", object)
        request.headers["Range"] = "bytes=\(stretch.lowerBound)-\(stretch.upperBound - 1)"
        request.headers["If-Match"] = "\"\(version.tag)\""
        do {
            _ = try await store.exchange(request, into: path, stretch: stretch, at: address)
        } catch let error as DubError where error.code == .objectExists {
            // 412: it is there, and not that.
            throw DubError.inputChanged(address)
        }
    }

    /// Fetches it as `copy` does.
    public func fetchWhole(into path: String) async throws { try await store.get(object, to: path) }
}
