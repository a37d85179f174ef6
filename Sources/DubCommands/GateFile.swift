internal import DubCore
internal import DubRunner
internal import DubStages
internal import DubStorage
internal import Foundation
internal import Yams

/// The thresholds of the gate, as a file that people edit.
enum GateFile {
    /// Reads a file of thresholds; without one, those that ship with dubmill.
    ///
    /// - Throws: `input.missing`; `gate.invalid` with what is wrong.
    static func read(_ path: String?) throws -> GateRules {
        let file = try path ?? Home().gate()
        let text: String
        do {
            text = String(decoding: try Data(contentsOf: URL(filePath: file)), as: UTF8.self)
        } catch {
            throw DubError(
                .inputMissing, "The thresholds cannot be read: \(error.localizedDescription).", at: file,
                fix: "Check the name.", cause: error)
        }
        do {
            return try YAMLDecoder().decode(GateRules.self, from: text).checked(at: file)
        } catch let error as DubError {
            throw error
        } catch {
            throw GateRules.invalid("It is no file of thresholds: \(error).", file, cause: error)
        }
    }

    /// The same as an artifact that stages read.
    static func given(_ path: String?, in store: FileStore) throws -> RunItem.Given {
        let artifact = try store.put(json: read(path))
        return RunItem.Given(artifact: artifact, path: store.path(of: artifact))
    }
}
