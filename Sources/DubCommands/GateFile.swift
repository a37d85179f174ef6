internal import DubCore
internal import DubRunner
internal import DubStages
internal import Foundation

/// The file with the thresholds of the gate: one that is named, or the one that ships with dubmill.
enum GateFile {
    /// Reads the thresholds.
    ///
    /// - Throws: `input.missing`; `gate.invalid` with what is wrong.
    static func read(_ path: String?) throws -> GateRules { try GateRules.read(path ?? Home().gate()) }

    /// The file as stages are given it, from where it lies. What is wrong with it is told before anything runs.
    ///
    /// - Throws: as `read`.
    static func given(_ path: String?) throws -> RunItem.Given {
        let file = try path ?? Home().gate()
        _ = try GateRules.read(file)
        guard let identity = FileIdentity(path: file) else {
            throw DubError(.inputMissing, "There is no such file.", at: file, fix: "Check the name.")
        }
        return RunItem.Given(
            artifact: Artifact(digest: try Digest.of(fileAt: file), size: identity.size, type: "yaml"), path: file)
    }
}
