public import DubCore
public import Foundation

/// A node's result as the ledger keeps it, and when it was last of use.
public struct StoredResult: Sendable, Hashable {
    /// The node's key.
    public var key: Digest
    /// The stage.
    public var stage: String
    /// What it wrote.
    public var artifacts: [Artifact]
    /// When it was made, in seconds since 1970 as the ledger has it; tells it from another result of the same key.
    public var made: Double
    /// How many runs had begun when the latest one that wrote or found it did: no clock decides who is older.
    public var lastRun: Int64
    /// When that run began.
    public var lastUse: Date

    /// Describes a result.
    public init(
        key: Digest, stage: String, artifacts: [Artifact], made: Double, lastRun: Int64 = 0, lastUse: Date
    ) {
        self.key = key
        self.stage = stage
        self.artifacts = artifacts
        self.made = made
        self.lastRun = lastRun
        self.lastUse = lastUse
    }
}
