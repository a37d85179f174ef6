internal import DubCore
internal import DubGraph
internal import Foundation

/// Pipeline files on this machine, and what they include.
enum PipelineFiles {
    /// Reads a file and what it includes, with every fault of form.
    static func read(_ file: String) throws -> Pipeline {
        try PipelineReader.read(text(of: file), file: file, include: include)
    }

    /// The text of a file.
    ///
    /// - Throws: `input.missing`.
    static func text(of file: String) throws(DubError) -> String {
        do {
            return String(decoding: try Data(contentsOf: URL(filePath: file)), as: UTF8.self)
        } catch {
            let isThere = FileManager.default.fileExists(atPath: file)
            throw DubError(
                .inputMissing, isThere ? "The pipeline cannot be read." : "There is no such pipeline file.", at: file,
                fix: isThere ? "See whether it is a file that you may read." : "Check the name.", cause: error)
        }
    }

    /// What a file includes: a path relative to it, or the name of a shipped pipeline.
    static func include(_ name: String, _ from: String) throws(DubError) -> PipelineSource {
        let isPath = name.contains("/") || name.hasSuffix(".yaml") || name.hasSuffix(".yml")
        guard isPath else {
            let file: String
            do {
                file = try Home().pipeline(name)
            } catch {
                throw error as? DubError
                    ?? DubError(.inputMissing, "\(error)", at: name, fix: "Check the name.", cause: error)
            }
            return PipelineSource(file: file, text: try text(of: file))
        }
        let folder = (from as NSString).deletingLastPathComponent
        let path = name.hasPrefix("/") || folder.isEmpty ? name : "\(folder)/\(name)"
        let file = (path as NSString).standardizingPath
        return PipelineSource(file: file, text: try text(of: file))
    }
}
