package import Foundation

/// A file that a process keeps locked for as long as it lives, so that others can tell whether it does.
///
/// The kernel ends the lock with the process, however that ends: there is no heartbeat, and no clock is asked.
package final class Presence: Sendable {
    /// The file's name, made up: nobody else ever has it.
    package let name: String
    /// Where it is open, for reading and appending.
    package let descriptor: Int32
    private let folder: String

    /// Makes a file of its own in `folder`, which is made where it is missing, and removes those of the dead.
    package init(in folder: String) throws(POSIXError) {
        self.folder = folder
        if mkdir(folder, 0o755) != 0, errno != EEXIST { throw Self.failure }
        while true {
            let name = UUID().uuidString
            // Locked before it has its name: else somebody who clears away could take it for a dead one's.
            let fresh = "\(folder)/.\(name)"
            let opened = open(fresh, O_CREAT | O_EXCL | O_RDWR | O_APPEND | O_CLOEXEC, 0o644)
            guard opened >= 0 else { throw Self.failure }
            if flock(opened, LOCK_EX | LOCK_NB) == 0, rename(fresh, "\(folder)/\(name)") == 0 {
                self.name = name
                descriptor = opened
                break
            }
            let problem = errno
            close(opened)
            unlink(fresh)
            // It was being cleared away: once more under another name.
            guard problem == EWOULDBLOCK || problem == ENOENT else {
                throw POSIXError(POSIXErrorCode(rawValue: problem) ?? .EIO)
            }
        }
        _ = Self.living(in: folder)
    }

    deinit {
        unlink("\(folder)/\(name)")
        close(descriptor)
    }

    /// Whether the process lives that has the file of this name.
    package func isAlive(_ other: String) -> Bool { other == name || Self.isAlive(other, in: folder) }

    /// Whether the process lives that has the file of this name in a folder. The file of a dead one is removed.
    package static func isAlive(_ name: String, in folder: String) -> Bool {
        guard !name.isEmpty, !name.contains("/") else { return false }
        let path = "\(folder)/\(name)"
        let other = open(path, O_RDWR | O_CLOEXEC)
        // What cannot be looked at is taken for alive.
        guard other >= 0 else { return errno != ENOENT }
        defer { close(other) }
        guard flock(other, LOCK_EX | LOCK_NB) == 0 else { return true }
        unlink(path)
        return false
    }

    /// The names of all who live.
    package static func living(in folder: String) -> [String] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return names.filter { isAlive($0, in: folder) && !$0.hasPrefix(".") }
    }

    private static var failure: POSIXError { POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
}
