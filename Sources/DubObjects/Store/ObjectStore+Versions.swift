internal import DubCore
internal import DubHTTP
internal import Foundation

extension ObjectStore {
    /// One version of an object, or the mark of its removal.
    public struct Version: Sendable, Hashable {
        /// The object's key.
        public var key: String
        /// The store's name of the version; `null` where the bucket kept none then.
        public var id: String
        /// How many bytes; 0 for a mark.
        public var size: Int64
        /// Whether it only says that the object was removed.
        public var isMark: Bool

        /// Describes a version.
        public init(key: String, id: String, size: Int64, isMark: Bool) {
            self.key = key
            self.id = id
            self.size = size
            self.isMark = isMark
        }
    }

    /// All versions of one object, marks of its removal too. Of a bucket that keeps none it is the object, if it is there.
    ///
    /// - Throws: As `head`; `object.refused` where the store does not list versions.
    public func versions(of name: ObjectName) async throws -> [Version] {
        let place = "\(name)"
        var versions: [Version] = []
        var (keyMarker, idMarker) = ("", "")
        while true {
            var query: [S3Request.QueryItem] = [
                .init("versions"), .init("prefix", name.key), .init("max-keys", "1000"),
                .init("encoding-type", "url"),
            ]
            if !keyMarker.isEmpty { query.append(.init("key-marker", keyMarker)) }
            if !idMarker.isEmpty { query.append(.init("version-id-marker", idMarker)) }
            let request = endpoint.request("GET", ObjectName(bucket: name.bucket, key: ""), query: query)
            let answer = try await exchange(request, at: place).response
            guard let result = ReplyReader.read(answer.body).children.first(where: { $0.name == "ListVersionsResult" })
            else {
                throw DubError(
                    .objectRefused, "The store's answer is no list of versions.", at: place,
                    fix: "Remove the versions with the tools of the store.")
            }
            let isEncoded = result.child("EncodingType") == "url"
            func key(_ text: String) -> String { isEncoded ? PercentEncoding.decodeForm(text) : text }
            for element in result.children where ["Version", "DeleteMarker"].contains(element.name) {
                // Others begin with the same letters.
                guard key(element.child("Key") ?? "") == name.key else { continue }
                versions.append(
                    Version(
                        key: name.key, id: element.child("VersionId") ?? "null",
                        size: element.child("Size").flatMap { Int64($0) } ?? 0, isMark: element.name == "DeleteMarker"))
            }
            let next = (key(result.child("NextKeyMarker") ?? ""), result.child("NextVersionIdMarker") ?? "")
            guard result.child("IsTruncated") == "true", !next.0.isEmpty, next != (keyMarker, idMarker),
                // In the store's order the object itself comes first.
                next.0 == name.key
            else { return versions }
            (keyMarker, idMarker) = next
        }
    }

    /// Removes one version for good; not an error where there is none.
    ///
    /// - Throws: As `head`.
    public func delete(_ version: Version, in bucket: String) async throws {
        let name = ObjectName(bucket: bucket, key: version.key)
        do {
            _ = try await exchange(
                endpoint.request("DELETE", name, query: [.init("versionId", version.id)]), at: "\(name)")
        } catch let error as DubError where error.code == .objectMissing {
            return
        }
    }
}
