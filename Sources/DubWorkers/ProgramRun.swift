internal import DubCore
internal import DubHTTP
internal import Foundation
internal import Glibc

/// A program that runs to its end: any program, in a process group of its own.
public enum ProgramRun {
    /// How a program ended.
    public struct Ending: Sendable {
        /// The exit status; `nil` where a signal ended it.
        public var status: Int32?
        /// `exit status 1`, `signal 9 (Killed)`.
        public var description: String
        /// What it wrote last to stdout and stderr, oldest line first.
        public var lastLines: [String]
    }

    /// A program that could not be started at all.
    public struct NotStarted: Error, Sendable {
        /// What the system says.
        public var reason: String
        /// Whether the program is missing or is none; else it may be the machine, or its arguments are too long.
        public var isMissing: Bool
        /// Whether it may work later.
        public var isTransient: Bool
    }

    /// From SIGTERM to SIGKILL, when the task is cancelled: dubmill itself ends within a second.
    private static let grace = DispatchTimeInterval.milliseconds(400)

    /// Runs a program with nothing on its stdin; stdout and stderr go to `log`, line by line.
    ///
    /// What the program started and left behind is killed with it; and all of them with us, should we be killed.
    ///
    /// - Throws: `NotStarted`; `CancellationError` after the whole group has ended.
    public static func run(_ launch: WorkerLaunch, log: @escaping @Sendable (String) -> Void) async throws -> Ending {
        try Task.checkCancellation()
        let process: WorkerProcess
        do {
            process = try WorkerProcess(launch, log: log)
        } catch let error as DubError {
            let number = (error.cause as? POSIXError)?.code.rawValue ?? EIO
            throw NotStarted(
                reason: String(cString: strerror(number)),
                isMissing: [ENOENT, EACCES, ENOEXEC, ENOTDIR, ELOOP, EISDIR].contains(number),
                isTransient: [EAGAIN, ENOMEM, EMFILE, ENFILE, ETXTBSY].contains(number))
        }
        process.closeInput()
        let orphans = OrphanGuard(group: process.pid)
        let ending = try await withTaskCancellationHandler {
            // Not a child task: whoever is cancelled waits for the end too, as the scratch folder goes after it.
            try await Task { try await process.ending.value() }.value
        } onCancel: {
            process.signal(SIGTERM)
            DispatchQueue.global().asyncAfter(deadline: .now() + grace) { process.signal(SIGKILL) }
        }
        _ = consume orphans
        try Task.checkCancellation()
        let status: Int32? = if case .exit(let status) = ending { status } else { nil }
        return Ending(status: status, description: "\(ending)", lastLines: process.tail.last(12))
    }

    /// The path of a program: looked up in a search path, unless it is absolute.
    ///
    /// - Returns: `nil` where there is no such program that may be run.
    public static func find(_ name: String, in searchPath: String) -> String? {
        let candidates =
            name.contains("/")
            ? [name].filter { $0.hasPrefix("/") }
            : searchPath.split(separator: ":").filter { $0.hasPrefix("/") }.map { "\($0)/\(name)" }
        return candidates.first { path in
            var isFolder: ObjCBool = false
            return FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) && !isFolder.boolValue
                && access(path, X_OK) == 0
        }
    }
}
