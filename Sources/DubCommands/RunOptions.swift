internal import ArgumentParser
internal import DubCore
internal import Foundation

/// How results are printed.
enum OutputFormat: String, ExpressibleByArgument, CaseIterable {
    /// For people.
    case table
    /// For programs: one object.
    case json
}

/// What `run` and `plan` share.
struct RunOptions: ParsableArguments {
    @Argument(help: "Media files; for run also s3:// and https:// addresses.", completion: .file())
    var files: [String]

    @Option(help: "Languages to dub into, as BCP 47 tags with commas between: es,fr,pt-BR.")
    var to: String?

    @Option(help: "The language that is spoken; recognised where it is not given.")
    var from: String?

    @Option(help: "A pipeline by name (dub, voiceover, subtitle, transcribe, loudness) or a pipeline file.")
    var pipeline: String?

    @Option(help: "A profile of the pipeline: values for its parameters, by name; flags win over it.")
    var profile: String?

    @Option(help: "The folder for what is made, or s3://bucket/prefix.", completion: .directory)
    var out: String?

    @Option(
        help: "A script to take lines and translations from: .json, .csv, or subtitles in .srt or .vtt.",
        completion: .file(extensions: ["json", "csv", "srt", "vtt"]))
    var script: String?

    @Option(
        help: "A cast file: who speaks with which voice.", completion: .file(extensions: ["yaml", "yml", "json"]))
    var cast: String?

    @Option(help: "The translator to ask first, by its name in `dubmill models list`.")
    var translator: String?

    @Option(help: "The voice engine, by its name in `dubmill models list`.")
    var voiceEngine: String?

    @Option(help: "The recogniser, by its name in `dubmill models list`.")
    var recogniser: String?

    @Option(
        help: "A file of thresholds for the verdict; those that ship with dubmill where it is not given.",
        completion: .file(extensions: ["yaml"]))
    var gate: String?

    @Flag(help: "Stop behind the translation: the script is for a person to read and to give back with --script.")
    var review = false

    @Option(help: "What to do with a damaged source: refuse, or accept what can be read.")
    var damaged: String?

    @Option(name: .customLong("set"), help: "A parameter of the pipeline: NAME=VALUE. May be repeated.")
    var settings: [String] = []

    @Option(help: "The folder for artifacts and the ledger.", completion: .directory)
    var store: String?

    @OptionGroup var workers: WorkerOptions

    func validate() throws {
        guard !files.isEmpty else { throw ValidationError("Name at least one media file.") }
        guard script == nil || files.count == 1 else {
            throw ValidationError("--script belongs to one file, and \(files.count) are given.")
        }
        for setting in settings where !setting.dropFirst().contains("=") {
            throw ValidationError("--set \(setting): write NAME=VALUE.")
        }
    }

    /// The absolute path of the thresholds, where a file is named.
    func gate(_ settings: Settings) -> String? { settings.value("gate", flag: gate).map(RunPaths.absolute) }

    /// What the run sets, by the pipeline's parameter names; unset flags are left to the file's defaults.
    ///
    /// - Parameters:
    ///   - declared: what the pipeline has. A flag that it has not is an error later; a setting from a file or the
    ///     environment is meant for pipelines that have it.
    ///   - profile: what the profile sets: flags win over it, and it over the environment and files.
    func parameters(
        _ settings: Settings, declared: Set<String>, profile: [String: JSONValue] = [:]
    ) -> [String: JSONValue] {
        let declared = declared.subtracting(profile.keys)
        func value(_ name: String, _ flag: String?) -> String? {
            flag ?? (declared.contains(name) ? settings.value(name, flag: nil) : nil)
        }
        var given = profile
        if let to = value("to", to) {
            given["to"] = .array(
                to.split(separator: ",").map { .string($0.trimmingCharacters(in: .whitespaces)) })
        }
        for (name, flag) in [
            ("from", from), ("translator", translator), ("voice-engine", voiceEngine), ("recogniser", recogniser),
            ("damaged", damaged),
        ] {
            if let value = value(name, flag) { given[name] = .string(value) }
        }
        if review { given["review"] = true }
        for setting in self.settings {
            let parts = setting.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            // The parameter's type says what the text means.
            given[String(parts[0])] = .string(String(parts[1]))
        }
        return given
    }
}
