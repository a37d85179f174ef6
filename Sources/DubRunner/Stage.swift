public import DubCore
public import DubGraph
internal import Foundation

/// A pure function from input artifacts and parameters to output artifacts.
///
/// The runner reuses what a stage wrote while its fingerprint is unchanged, so a stage reads nothing else: no clock,
/// no environment, no run.
public protocol Stage: Sendable {
    /// What it reads and writes.
    var signature: StageSignature { get }

    /// The models that take part for these inputs, best first; part of the fingerprint.
    ///
    /// - Throws: `DubError` where no installed model can do it: the node fails before it is run.
    func models(for inputs: StageInputs, in store: any Store) throws -> [ModelIdentity]

    /// Does the work.
    ///
    /// - Throws: `DubError`; `CancellationError` promptly after the task is cancelled.
    /// - Returns: a value for each output of the signature.
    func run(_ inputs: StageInputs, in context: StageContext) async throws -> [String: StageValue]
}

extension Stage {
    /// No model takes part.
    public func models(for inputs: StageInputs, in store: any Store) throws -> [ModelIdentity] { [] }
}

/// What a stage may touch while it runs.
public struct StageContext: Sendable {
    /// Where artifacts are read and written.
    public let store: any Store
    private let folder: ScratchFolder
    /// Bytes that lie outside the store: the item itself, by digest.
    private let outside: [Digest: String]
    private let report: @Sendable (Double) -> Void
    private let note: @Sendable (String) -> Void

    /// Makes a context; the runner does, and tests.
    public init(
        store: any Store, outside: [Digest: String] = [:],
        report: @escaping @Sendable (Double) -> Void = { _ in },
        note: @escaping @Sendable (String) -> Void = { _ in }
    ) {
        self.store = store
        folder = ScratchFolder(store: store)
        self.outside = outside
        self.report = report
        self.note = note
    }

    /// A folder of this attempt's own, empty when it is first asked for, removed when the context is let go of.
    ///
    /// - Throws: `output.unwritable` where it cannot be made.
    public var scratch: String { get throws { try folder.path() } }

    /// Where an artifact's bytes can be read.
    public func path(of artifact: Artifact) -> String { outside[artifact.digest] ?? store.path(of: artifact) }

    /// A required input.
    ///
    /// - Throws: `internal` where the graph let a node run without it.
    public func artifact(_ name: String, of inputs: StageInputs) throws -> Artifact {
        guard let artifact = inputs.artifact(name) else {
            throw DubError(
                .internal, "A node ran without its input `\(name)`.", at: name, fix: "Please report this.")
        }
        return artifact
    }

    /// A required JSON input as a value.
    public func read<Value: Decodable>(
        _ type: Value.Type = Value.self, _ name: String, of inputs: StageInputs
    ) throws -> Value {
        try store.read(type, from: artifact(name, of: inputs))
    }

    /// Says how much is done, 0…1.
    public func progress(_ fraction: Double) { report(min(1, max(0, fraction))) }

    /// Writes a line to the node's log; the ledger keeps the last of them, for who asks why it failed.
    public func log(_ line: String) { note(line) }
}

/// A folder that is made when somebody asks where it is: most nodes of a long run never do.
private final class ScratchFolder: Sendable {
    private let store: any Store
    private let made = Locked<String?>(nil)

    init(store: any Store) {
        self.store = store
    }

    deinit {
        if let path = made.withLock({ $0 }) { try? FileManager.default.removeItem(atPath: path) }
    }

    func path() throws -> String {
        try made.withLock { made in
            if let made { return made }
            let path = try store.makeScratch()
            made = path
            return path
        }
    }
}
