public import DubCore
internal import Foundation

/// Everything that can change what a node writes; its digest is the node's key in the cache.
///
/// No clock, no environment, no run, no file name: two nodes with equal fingerprints write equal artifacts.
public struct Fingerprint: Hashable, Sendable, Codable {
    /// The stage's name in the catalogue of stages.
    public var stage: String
    /// The stage's code version.
    public var version: Int
    /// Every setting, defaults included.
    public var parameters: [String: JSONValue]
    /// The digest of each input; of a list, the digest of its digests.
    public var inputs: [String: Digest]
    /// The models that take part.
    public var models: [ModelIdentity]

    /// The fingerprint of a stage on its inputs.
    public init(_ signature: StageSignature, _ inputs: StageInputs, models: [ModelIdentity]) {
        stage = signature.name
        version = signature.version
        parameters = inputs.parameters
        self.models = models
        self.inputs = inputs.values.mapValues { value in
            switch value {
            case .one(let artifact): artifact.digest
            case .list(let artifacts): .of(artifacts.map(\.digest.hex).joined(separator: "\n"))
            }
        }
    }

    /// Reads what `canonical` wrote.
    ///
    /// - Throws: `DecodingError` where it did not.
    public init(canonical: String) throws {
        self = try JSONDecoder().decode(Fingerprint.self, from: Data(canonical.utf8))
    }

    /// The canonical JSON: equal fingerprints have equal texts.
    public var canonical: String {
        JSONValue.object([
            "stage": .string(stage), "version": .integer(Int64(version)), "parameters": .object(parameters),
            "inputs": .object(inputs.mapValues { .string($0.hex) }),
            "models": .array(
                models.map { .object(["name": .string($0.name), "digest": .string($0.digest)]) }),
        ]).canonical
    }

    /// SHA-256 of the canonical JSON.
    public var key: Digest { .of(canonical) }
}

/// Why a node has to run, or that it need not.
public enum RunReason: Hashable, Sendable, CustomStringConvertible {
    /// Its outputs are in the store.
    case cached
    /// No node of this name ran for this item before.
    case neverRan
    /// The run was told to.
    case forced
    /// An output is gone from the store, or damaged.
    case outputMissing(String)
    /// The stage's code version changed.
    case codeChanged(from: Int, to: Int)
    /// A setting changed.
    case parameterChanged(String, from: JSONValue?, to: JSONValue?)
    /// An input is another than last time.
    case inputChanged(String)
    /// A model was exchanged, added or taken away.
    case modelChanged(String)

    /// In one phrase: `parameter rate 1→2`.
    public var description: String {
        switch self {
        case .cached: "cached"
        case .neverRan: "never ran"
        case .forced: "forced"
        case .outputMissing(let name): "output \(name) is missing or damaged"
        case .codeChanged(let from, let to): "stage version \(from)→\(to)"
        case .parameterChanged(let name, let from, let to):
            "parameter \(name) \(from?.canonical ?? "unset")→\(to?.canonical ?? "unset")"
        case .inputChanged(let name): "input \(name) changed"
        case .modelChanged(let name): "model \(name) changed"
        }
    }

    /// The first difference between a node's last fingerprint and its present one.
    public static func between(_ last: Fingerprint?, _ now: Fingerprint) -> RunReason {
        guard let last else { return .neverRan }
        if last.version != now.version { return .codeChanged(from: last.version, to: now.version) }
        for name in Set(last.parameters.keys).union(now.parameters.keys).sorted()
        where last.parameters[name] != now.parameters[name] {
            return .parameterChanged(name, from: last.parameters[name], to: now.parameters[name])
        }
        for name in Set(last.inputs.keys).union(now.inputs.keys).sorted() where last.inputs[name] != now.inputs[name] {
            return .inputChanged(name)
        }
        if last.models != now.models {
            return .modelChanged(Set(now.models).symmetricDifference(last.models).map(\.name).sorted().first ?? "")
        }
        return .neverRan
    }
}
