internal import DubCore
internal import Foundation
internal import Yams

/// What holds for a run: flags over `DUBMILL_*` variables over `dubmill.yaml` over defaults.
struct Settings: Sendable {
    /// Where a value came from, as `doctor` shows it.
    enum Origin: String, Sendable {
        case flag
        case environment
        case file
        case `default`
    }

    /// What may stand in `dubmill.yaml`, and be set as `DUBMILL_NAME`.
    static let names = [
        "to", "from", "pipeline", "out", "store", "translator", "voice-engine", "recogniser", "damaged", "jobs",
        "threads", "gate", "quarantine", "store-budget", "cost-per-hour", "workers", "worker-token-file",
        "worker-authorities", "chat-url", "chat-model",
    ]

    /// What else may stand in `dubmill.yaml`: the daemon's to read.
    static let daemonKeys = ["watch", "timetables", "daemon", "http", "notify"]

    private let environment: [String: String]
    private let file: [String: String]
    /// The file that was read, if there is one.
    let path: String?

    /// Reads `dubmill.yaml` of the current folder where there is one.
    ///
    /// - Parameter file: another file instead.
    /// - Throws: `settings.invalid` for a file that is no mapping of known names.
    init(
        environment: [String: String] = ProcessInfo.processInfo.environment, folder: String = ".", file: String? = nil
    ) throws {
        self.environment = environment
        let path = file ?? "\(folder)/dubmill.yaml"
        guard let text = try? String(contentsOfFile: path, encoding: .utf8) else {
            self.file = [:]
            self.path = nil
            return
        }
        self.path = path
        let node = try? Yams.compose(yaml: text)
        guard let mapping = node?.mapping else {
            throw Self.invalid("It holds no mapping.", path, "Write lines such as `to: es`.")
        }
        var values: [String: String] = [:]
        for (key, value) in mapping {
            let name = key.string ?? ""
            if Self.daemonKeys.contains(name) { continue }
            guard Self.names.contains(name) else {
                throw Self.invalid(
                    "There is no setting `\(name)`.", "\(path):\(key.mark?.line ?? 0)",
                    "Use one of \(Self.names.joined(separator: ", ")).")
            }
            values[name] = value.string ?? value.sequence?.compactMap(\.string).joined(separator: ",")
        }
        self.file = values
    }

    private static func invalid(_ what: String, _ place: String, _ fix: String) -> DubError {
        DubError(.settingsInvalid, what, at: place, fix: fix)
    }

    /// What holds, and where it came from.
    func resolve(_ name: String, flag: String?) -> (value: String?, origin: Origin) {
        if let flag { return (flag, .flag) }
        let variable = "DUBMILL_" + name.uppercased().replacingOccurrences(of: "-", with: "_")
        if let value = environment[variable], !value.isEmpty { return (value, .environment) }
        if let value = file[name] { return (value, .file) }
        return (nil, .default)
    }

    /// What holds.
    func value(_ name: String, flag: String?) -> String? { resolve(name, flag: flag).value }

    /// A whole number of 1 or more, where there is one.
    ///
    /// - Throws: `settings.invalid` for anything else.
    func number(_ name: String, flag: Int?) throws -> Int? {
        guard let text = value(name, flag: flag.map(String.init)) else { return nil }
        guard let number = Int(text), number > 0 else {
            throw DubError(
                .settingsInvalid, "`\(name)` is \(text), and has to be 1 or more.", at: name,
                fix: "Give a whole number.")
        }
        return number
    }
}
