public import DubCore
public import DubGraph
public import Foundation

/// How an artifact is found in a store, as far as a quick look tells.
public enum ArtifactState: Sendable, Hashable {
    /// The bytes are there: the size always, the digest of small artifacts.
    case intact
    /// There is nothing.
    case missing
    /// There is something else.
    case damaged
}

/// Where artifacts lie: immutable bytes by digest.
///
/// What a store has accepted survives the death of the process: it is written under a temporary name and renamed into
/// place. After a power cut large artifacts are whole or not there; small ones may be torn, which `state` finds.
/// What a process has put, or looked at, nobody removes while it lives.
public protocol Store: Sendable {
    /// Where an artifact's bytes can be read. Nothing says that they are there: see `state`.
    func path(of artifact: Artifact) -> String

    /// Whether the bytes are present and intact, as far as a quick look tells.
    func state(of artifact: Artifact) -> ArtifactState

    /// Moves a finished file into the store.
    ///
    /// - Throws: `output.unwritable` for a full disk or a store that cannot be written.
    func adopt(fileAt path: String, type: String) throws -> Artifact

    /// Stores bytes from memory.
    ///
    /// - Throws: `output.unwritable` as above.
    func put(_ data: Data, type: String) throws -> Artifact

    /// A new empty folder on the store's disk for a stage to work in; whoever asked removes it.
    func makeScratch() throws -> String
}

extension Store {
    /// Whether the bytes are present and intact, as far as a quick look tells.
    public func holds(_ artifact: Artifact) -> Bool { state(of: artifact) == .intact }

    /// What of a node's outputs is not there any more, as the reason to run it again; `nil` where all is.
    public func loss(of outputs: [String: StageValue]) -> RunReason? {
        for (name, value) in outputs {
            for artifact in value.artifacts {
                switch state(of: artifact) {
                case .intact: continue
                case .missing: return .outputMissing(name)
                case .damaged: return .outputDamaged(name)
                }
            }
        }
        return nil
    }

    /// Stores a value as JSON with sorted keys, so that equal values are equal artifacts.
    public func put(json value: some Encodable) throws -> Artifact {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return try put(encoder.encode(value), type: "json")
    }

    /// Reads a JSON artifact.
    ///
    /// - Throws: `store.damaged` where the bytes are gone or are not such a value.
    public func read<Value: Decodable>(_ type: Value.Type = Value.self, from artifact: Artifact) throws -> Value {
        let path = path(of: artifact)
        do {
            return try JSONDecoder().decode(type, from: Data(contentsOf: URL(filePath: path)))
        } catch {
            throw DubError(
                .storeDamaged, "An artifact is gone or is no \(type): \(error).", at: path,
                fix: "Run again: what is missing is made anew.", persistence: .transient, cause: error)
        }
    }
}

extension DubError.Code {
    /// An artifact is gone from the store, or its bytes changed.
    public static let storeDamaged = Self(name: "store.damaged")
    /// The ledger could not be read or written.
    public static let ledgerFailed = Self(name: "ledger.failed")
    /// A fault of dubmill itself.
    public static let `internal` = Self(name: "internal")
    /// The run was interrupted.
    public static let cancelled = Self(name: "run.cancelled")
}
