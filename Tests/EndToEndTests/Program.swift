import DubCore
import DubTestKit
import Foundation

/// How a program ended, and what it said.
struct Outcome: Sendable {
    /// The exit code; 128 and the signal's number where a signal ended it.
    var status: Int32
    var stdout: String
    var stderr: String
    /// From its start, or from a signal, to its end.
    var elapsed: Duration
}

/// A program that was started, its output going to files.
final class Running: Sendable {
    private let process: Process
    private let folder: URL
    private let ended: AsyncStream<Void>
    private let began = Box(ContinuousClock.now)

    /// Starts `executable` with nothing to read and an environment of its own; stderr goes to `terminal` if given.
    init(
        _ executable: String, _ arguments: [String], environment: [String: String], currentFolder: URL,
        logs: URL, terminal: Terminal? = nil
    ) throws {
        folder = logs.appendingPathComponent("log-\(UInt32.random(in: .min ... .max))", isDirectory: true)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let process = Process()
        process.executableURL = URL(fileURLWithPath: executable)
        process.arguments = arguments
        process.environment = environment
        process.currentDirectoryURL = currentFolder
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = try Self.file(folder.appendingPathComponent("stdout"))
        let errors = try Self.file(folder.appendingPathComponent("stderr"))
        process.standardError = terminal?.replica ?? errors
        let (stream, continuation) = AsyncStream<Void>.makeStream()
        ended = stream
        process.terminationHandler = { _ in continuation.finish() }
        self.process = process
        try process.run()
    }

    private static func file(_ place: URL) throws -> FileHandle {
        try Data().write(to: place)
        return try FileHandle(forWritingTo: place)
    }

    /// Sends a signal, and counts the time from here.
    func signal(_ number: Int32) {
        began.value = .now
        kill(process.processIdentifier, number)
    }

    /// Waits for its end.
    func finish() async throws -> Outcome {
        for await _ in ended {}
        let elapsed = ContinuousClock.now - began.value
        func text(_ name: String) throws -> String {
            String(decoding: try Data(contentsOf: folder.appendingPathComponent(name)), as: UTF8.self)
        }
        let status = process.terminationReason == .uncaughtSignal ? 128 : 0
        return Outcome(
            status: Int32(status) + process.terminationStatus, stdout: try text("stdout"),
            stderr: try text("stderr"), elapsed: elapsed)
    }

    var isRunning: Bool { process.isRunning }

    /// What it has said on stderr so far.
    var saidSoFar: String {
        let said = try? Data(contentsOf: folder.appendingPathComponent("stderr"))
        return String(decoding: said ?? Data(), as: UTF8.self)
    }
}

/// Programs that the tests call beside dubmill.
enum Tool {
    static let ffmpegPath = ["/usr/bin/ffmpeg", "/usr/local/bin/ffmpeg"].first(
        where: FileManager.default.isExecutableFile)
    static let hasFFmpeg = ffmpegPath != nil
    /// The repository, three folders above this file.
    static let repository = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()

    struct Failed: Error, CustomStringConvertible {
        var description: String
    }

    /// Runs a program that has to succeed.
    @discardableResult
    static func run(_ path: String, _ arguments: [String], in folder: URL) async throws -> String {
        let running = try Running(
            path, arguments, environment: ["PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"],
            currentFolder: folder, logs: folder)
        let outcome = try await running.finish()
        guard outcome.status == 0 else {
            throw Failed(description: "\(path) \(arguments): \(outcome.status) \(outcome.stderr)")
        }
        return outcome.stdout
    }

    static func ffmpeg(_ arguments: [String], in folder: URL) async throws {
        guard let ffmpegPath else { throw Failed(description: "the ffmpeg program is not installed") }
        try await run(ffmpegPath, ["-nostdin", "-v", "error", "-y"] + arguments, in: folder)
    }
}
