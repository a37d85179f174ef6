public import DubCore
internal import DubHTTP
internal import Foundation

/// A file somewhere else that can be fetched in pieces, all of one version.
public protocol RemoteFile: Sendable {
    /// What it is called.
    var name: String { get }
    /// Its address, as it may be shown and kept: without anything secret.
    var address: String { get }

    /// What is known of it now.
    ///
    /// - Throws: `object.missing`; errors of HTTP and of the store.
    func look() async throws -> RemoteVersion

    /// Writes a stretch of a version to the same place of a file that is there.
    ///
    /// - Throws: `input.changed` where it is another version by now; `http.other-range` where there are no stretches.
    func fetch(_ stretch: Range<Int64>, of version: RemoteVersion, into path: String) async throws

    /// Writes all of it into a new file.
    func fetchWhole(into path: String) async throws
}

/// What tells one content of a remote file from another.
public struct RemoteVersion: Sendable, Hashable, Codable {
    /// The server's mark; "" where it has none, and then stretches cannot be told to be of one version.
    public var tag: String
    /// How many bytes; `nil` where the server does not tell.
    public var size: Int64?
    /// Its digest, where dubmill put it there.
    public var sha256: Digest?

    /// Describes a version.
    public init(tag: String, size: Int64?, sha256: Digest? = nil) {
        self.tag = tag
        self.size = size
        self.sha256 = sha256
    }
}

extension DubError {
    static func inputChanged(_ place: String) -> DubError {
        DubError(
            .inputChanged, "The file was replaced while it was fetched.", at: place,
            fix: "Run again when nobody writes to it any more.", persistence: .transient)
    }
}
