public import Foundation

/// The command line of a worker.
public struct WorkerLaunch: Hashable, Sendable {
    /// The absolute path of the program.
    public var executable: String
    /// Its arguments, without the program's name; the socket's path is put in by `forSocket`.
    public var arguments: [String]
    /// Its whole environment.
    public var environment: [String: String]
    /// The folder that it starts in; ours where it is `nil`.
    public var folder: String?

    /// Makes a command line.
    public init(
        executable: String, arguments: [String], environment: [String: String], folder: String? = nil
    ) {
        self.folder = folder
        self.executable = executable
        self.arguments = arguments
        self.environment = environment
    }

    /// What a worker needs of our own environment: where programs, homes and folders are, the language, and the
    /// limits on threads. Secrets stay with us.
    public static func minimalEnvironment(
        from environment: [String: String] = ProcessInfo.processInfo.environment
    ) -> [String: String] {
        let names: Set = [
            "PATH", "HOME", "USER", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "LD_LIBRARY_PATH",
            "OMP_NUM_THREADS", "CUDA_VISIBLE_DEVICES",
        ]
        return environment.filter { names.contains($0.key) || $0.key.hasPrefix("XDG_") }
    }
}
