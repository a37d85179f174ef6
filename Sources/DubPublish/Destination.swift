public import DubCore
internal import DubObjects
public import Foundation

/// Where publications lie: a bucket, or a folder of this machine.
///
/// Keys are whole: with the destination's prefix in them. What `put` returns of is there, and is what it should be.
public protocol Destination: Sendable {
    /// What is known of a thing that is there; `nil` where there is none.
    func look(at key: String) async throws -> Thing?

    /// Puts a file there.
    ///
    /// - Parameter isNew: whether nothing may be replaced.
    /// - Throws: `object.exists` where something is in the way of a new thing; `input.changed` where the file is not
    ///   what `mark` says.
    func put(fileAt path: String, as key: String, _ mark: Mark, isNew: Bool) async throws

    /// The bytes of a small thing.
    ///
    /// - Throws: `object.missing` where there is none.
    func read(_ key: String) async throws -> Data

    /// The keys that begin so, in order.
    func keys(under prefix: String) async throws -> [String]

    /// Removes a thing and all its versions; not an error where there is none.
    ///
    /// - Returns: how many versions there were.
    func remove(_ key: String) async throws -> Int

    /// The address of a thing, as people and other commands write it.
    func address(of key: String) -> String
}

/// What is known of a thing at a destination.
public struct Thing: Sendable, Hashable {
    /// How many bytes.
    public var size: Int64
    /// Its digest, where it is known.
    public var sha256: Digest?
    /// The day on which it goes, as `2026-12-31`; `nil` for good.
    public var expires: String?

    /// Describes a thing.
    public init(size: Int64, sha256: Digest?, expires: String?) {
        self.size = size
        self.sha256 = sha256
        self.expires = expires
    }
}

/// How a thing is put at a destination.
public struct Mark: Sendable, Hashable {
    /// What its bytes have to be.
    public var sha256: Digest
    /// The media type that it is served with.
    public var type: String
    /// For how many days it is kept; `nil` for good.
    public var retainDays: Int?
    /// The day on which it goes; `nil` for good.
    public var expires: String?

    /// Describes how a thing is put.
    public init(sha256: Digest, type: String, retainDays: Int? = nil, expires: String? = nil) {
        self.sha256 = sha256
        self.type = type
        self.retainDays = retainDays
        self.expires = expires
    }
}

/// A destination as it is written, taken apart.
public struct DestinationAddress: Sendable, Hashable {
    /// `s3://bucket/prefix` without a slash at its end, or an absolute path.
    public let text: String
    /// The bucket; `nil` for a folder.
    public let bucket: String?
    /// What every key begins with: "", or a text that ends in a slash.
    public let prefix: String

    /// Reads a destination.
    ///
    /// - Throws: `object.address` for what is neither `s3://bucket/prefix` nor an absolute path.
    public init(_ text: String) throws(DubError) {
        if text.hasPrefix("/") {
            var path = (text as NSString).standardizingPath
            while path.count > 1, path.hasSuffix("/") { path.removeLast() }
            self.text = path
            bucket = nil
            prefix = ""
            return
        }
        let parts = text.hasPrefix("s3://") ? text.dropFirst(5).split(separator: "/") : []
        let isPlain = parts.allSatisfy { $0 != "." && $0 != ".." } && !text.contains("?") && !text.contains("#")
        guard let bucket = parts.first, (3...255).contains(bucket.utf8.count), isPlain, text.utf8.count <= 700,
            bucket.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || "-._".contains($0)) })
        else {
            throw DubError(
                .objectAddress, "This is no place to publish to.",
                at: Address.bare(text),
                fix: "Write s3://bucket/prefix, or the absolute path of a folder.")
        }
        self.bucket = String(bucket)
        let rest = parts.dropFirst().joined(separator: "/")
        prefix = rest.isEmpty ? "" : rest + "/"
        self.text = "s3://" + parts.joined(separator: "/")
    }
}
