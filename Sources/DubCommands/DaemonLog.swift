internal import ArgumentParser
internal import DubCore
internal import DubRunner
internal import Foundation

/// How a daemon's log is written.
enum LogFormat: String, ExpressibleByArgument, CaseIterable, Sendable {
    /// For people.
    case text
    /// For programs: an object a line.
    case json
}

/// What a daemon says, on stderr.
struct DaemonLog: Sendable {
    enum Level: String, Sendable {
        case info
        case warning
        case error
    }

    let format: LogFormat
    /// Told of every error too.
    var onFailure: (@Sendable (String, DubError, [String: String]) -> Void)?

    /// Notes what happened.
    func note(_ event: String, _ fields: KeyValuePairs<String, String?> = [:]) { write(.info, event, fields) }

    /// Notes what somebody should look at when there is time.
    func warn(_ event: String, _ fields: KeyValuePairs<String, String?> = [:]) { write(.warning, event, fields) }

    /// Notes an error.
    func fail(_ event: String, _ error: any Error, _ fields: KeyValuePairs<String, String?> = [:]) {
        let error = error as? DubError ?? DubError(.internal, "\(error)", at: event, fix: "Please report this.")
        onFailure?(
            event, error,
            Dictionary(fields.compactMap { key, value in value.map { (key, $0) } }, uniquingKeysWith: { $1 }))
        line(
            .error, event,
            fields.map { ($0.key, $0.value) } + [
                ("error.code", error.code.name), ("error.message", error.what), ("error.where", error.place),
                ("error.fix", error.fix),
            ])
    }

    /// Writes a line.
    ///
    /// - Parameters:
    ///   - event: what happened, in stable words with dots.
    ///   - fields: to whom and with what, by dotted keys.
    func write(_ level: Level, _ event: String, _ fields: KeyValuePairs<String, String?>) {
        line(level, event, fields.map { ($0.key, $0.value) })
    }

    private func line(_ level: Level, _ event: String, _ fields: [(String, String?)]) {
        let fields = fields.compactMap { key, value in value.map { (key, $0) } }
        let time = Date().formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))
        switch format {
        case .text:
            let rest = fields.map { "\($0)=\(Console.printable($1))" }
            Console.note(([time, level.rawValue, event] + rest).joined(separator: " "))
        case .json:
            var object: [String: JSONValue] = [
                "time": .string(time), "level": .string(level.rawValue), "event": .string(event),
            ]
            for (key, value) in fields { object[key] = .string(value) }
            Console.note(JSONValue.object(object).canonical)
        }
    }
}
