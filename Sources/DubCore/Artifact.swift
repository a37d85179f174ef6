/// Immutable bytes in a store, named by their digest.
public struct Artifact: Hashable, Sendable, Codable {
    /// SHA-256 of the bytes.
    public var digest: Digest
    /// How many bytes.
    public var size: Int64
    /// What they are, as a file name's extension without the dot: `wav`, `json`, `mp4`.
    public var type: String

    /// Describes bytes that a store holds.
    public init(digest: Digest, size: Int64, type: String) {
        self.digest = digest
        self.size = size
        self.type = type
    }
}
