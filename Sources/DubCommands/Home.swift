internal import DubCore
internal import DubWorkers
internal import Foundation

/// Where dubmill keeps and finds its things on this machine, after the XDG base directory specification.
struct Home: Sendable {
    /// What the process was started with.
    let environment: [String: String]

    init(environment: [String: String] = ProcessInfo.processInfo.environment) {
        self.environment = environment
    }

    /// Artifacts and ledger: `DUBMILL_STORE`, else `$XDG_CACHE_HOME/dubmill`.
    func store(given: String?) -> String {
        given ?? environment["DUBMILL_STORE"] ?? "\(folder("XDG_CACHE_HOME", default: ".cache"))/dubmill"
    }

    /// The pipeline file that a name stands for; a path stands for itself.
    ///
    /// - Throws: `input.missing` listing the pipelines that there are.
    func pipeline(_ name: String) throws -> String {
        if name.contains("/") || name.hasSuffix(".yaml") || name.hasSuffix(".yml") {
            guard FileManager.default.fileExists(atPath: name) else {
                throw DubError(
                    .inputMissing, "There is no pipeline file of this name.", at: name,
                    fix: "Give the path of a pipeline file, or one of \(pipelines().joined(separator: ", ")).")
            }
            return name
        }
        guard pipelines().contains(name), let folder = pipelineFolder else {
            throw DubError(
                .inputMissing, "There is no pipeline `\(name)`.", at: pipelineFolder ?? "Pipelines",
                fix: "Choose one of \(pipelines().joined(separator: ", ")), or give a file's path.")
        }
        return "\(folder)/\(name).yaml"
    }

    /// The thresholds of the gate that ship with dubmill.
    ///
    /// - Throws: `input.missing` where they do not.
    func gate() throws(DubError) -> String {
        let file = "\(pipelineFolder ?? "Pipelines")/gate/standard.yaml"
        guard FileManager.default.fileExists(atPath: file) else {
            throw DubError(
                .inputMissing, "The thresholds of the gate are not there.", at: file,
                fix: "Install dubmill whole, or name a file with --gate.")
        }
        return file
    }

    /// The pipelines that ship with dubmill.
    func pipelines() -> [String] {
        guard let folder = pipelineFolder,
            let names = try? FileManager.default.contentsOfDirectory(atPath: folder)
        else { return [] }
        return names.filter { $0.hasSuffix(".yaml") }.map { String($0.dropLast(5)) }.sorted()
    }

    /// What is known of uploads that were broken off: `$XDG_STATE_HOME/dubmill/uploads`.
    var uploads: String { "\(folder("XDG_STATE_HOME", default: ".local/state"))/dubmill/uploads" }

    /// The tokens that open a daemon's API: `$XDG_CONFIG_HOME/dubmill/tokens.json`.
    var tokens: String { "\(folder("XDG_CONFIG_HOME", default: ".config"))/dubmill/tokens.json" }

    private var pipelineFolder: String? {
        (try? WorkerHome.find(environment: environment, needsPython: false)).map {
            ($0.workers as NSString).deletingLastPathComponent + "/Pipelines"
        }
    }

    private func folder(_ variable: String, default fallback: String) -> String {
        if let set = environment[variable], set.hasPrefix("/") { return set }
        return "\(environment["HOME"] ?? FileManager.default.homeDirectoryForCurrentUser.path)/\(fallback)"
    }
}
