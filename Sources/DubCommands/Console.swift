internal import DubCore
internal import DubGraph
internal import DubSchedule
internal import DubWorkers
internal import Foundation

/// The two streams of a command: results to stdout, everything else to stderr.
enum Console {
    /// Whether stderr is a terminal that understands escape sequences.
    static var isInteractive: Bool {
        isatty(STDERR_FILENO) != 0 && ProcessInfo.processInfo.environment["TERM"] != "dumb"
    }

    /// Whether colours are wanted: a terminal, and no NO_COLOR (no-color.org).
    static var isColoured: Bool {
        isInteractive && (ProcessInfo.processInfo.environment["NO_COLOR"] ?? "").isEmpty
    }

    /// A result, with a line end.
    static func result(_ text: String) { write(text + "\n", to: STDOUT_FILENO) }

    /// A message, with a line end.
    static func note(_ text: String) { write(text + "\n", to: STDERR_FILENO) }

    /// Bytes as they are, to a descriptor; a reader that went away is not an error.
    static func write(_ text: String, to descriptor: Int32) {
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            let written = bytes.withUnsafeBytes { Foundation.write(descriptor, $0.baseAddress, $0.count) }
            if written < 0, errno == EINTR { continue }
            guard written > 0 else { return }
            bytes = bytes.dropFirst(written)
        }
    }

    /// Names that come from outside, safe to print: control characters are escaped.
    static func printable(_ text: String) -> String {
        String(
            text.unicodeScalars.map { scalar -> String in
                scalar.properties.generalCategory == .control || scalar.properties.generalCategory == .format
                    ? "\\u{\(String(scalar.value, radix: 16))}" : String(scalar)
            }.joined())
    }

    /// As `printable`, with line breaks kept: what follows one is indented.
    static func printable(lines text: String, indent: Int) -> String {
        text.split(separator: "\n", omittingEmptySubsequences: false).map { printable(String($0)) }
            .joined(separator: "\n" + String(repeating: " ", count: indent))
    }

    /// A table with aligned columns and a head.
    static func table(_ head: [String], _ rows: [[String]]) -> String {
        let all = [head] + rows
        let widths = head.indices.map { column in all.map { $0[column].count }.max() ?? 0 }
        return all.map { row in
            zip(row, widths).map { $0.padding(toLength: max($1, $0.count), withPad: " ", startingAt: 0) }
                .joined(separator: "  ").trimmingCharacters(in: .whitespaces)
        }.joined(separator: "\n")
    }

    /// Pretty JSON with sorted keys.
    static func json(_ value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        encoder.dateEncodingStrategy = .iso8601
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    }

    /// `1:02:03`, `2:03` or `3.4 s`.
    static func time(_ seconds: Double) -> String {
        guard seconds >= 60 else { return String(format: "%.1f s", max(0, seconds)) }
        let whole = Int(seconds)
        return whole >= 3600
            ? String(format: "%d:%02d:%02d", whole / 3600, whole / 60 % 60, whole % 60)
            : String(format: "%d:%02d", whole / 60, whole % 60)
    }
}

/// The process's exit codes; they are an interface.
enum Exit {
    /// All items passed.
    static let passed: Int32 = 0
    /// Some items failed.
    static let failed: Int32 = 1
    /// Finished, but something is set aside for review.
    static let review: Int32 = 3
    /// The command line is wrong.
    static let usage: Int32 = 64
    /// It may work later.
    static let tryAgain: Int32 = 75
    /// Interrupted.
    static let interrupted: Int32 = 130

    /// What an error that stopped a whole command means for its caller.
    static func code(of error: DubError) -> Int32 {
        let usage: Set<DubError.Code> = [
            .pipelineInvalid, .parameterInvalid, .settingsInvalid, .scheduleInvalid, .workerAddress,
        ]
        if usage.contains(error.code) { return Self.usage }
        return error.persistence == .transient ? tryAgain : failed
    }
}
