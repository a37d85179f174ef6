public import DubCore
internal import Foundation
internal import Glibc

extension FolderSnapshot {
    /// Looks into a folder and those in it, however deep; hidden ones and `leavingOut` aside.
    ///
    /// - Parameters:
    ///   - folder: an absolute path.
    ///   - leavingOut: absolute paths of folders.
    /// - Throws: `input.missing` where the folder cannot be read. What vanishes meanwhile is no error.
    public static func of(_ folder: String, leavingOut: Set<String> = []) throws(DubError) -> FolderSnapshot {
        var entries: [Entry] = []
        var folders: [String] = []
        var open = [""]
        while let relative = open.popLast() {
            let path = relative.isEmpty ? folder : "\(folder)/\(relative)"
            guard let stream = opendir(path) else {
                guard relative.isEmpty else { continue }
                throw DubError(
                    .inputMissing, "The watched folder cannot be read: \(String(cString: strerror(errno))).", at: path,
                    fix: "Make it, or let dubmill read it.", persistence: .transient)
            }
            defer { closedir(stream) }
            folders.append(path)
            while let found = readdir(stream) {
                let name = withUnsafeBytes(of: &found.pointee.d_name) { bytes in
                    String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
                }
                // Names that are no UTF-8 cannot be opened by what was read of them: `stat` leaves them out.
                guard !name.hasPrefix(".") else { continue }
                let inside = relative.isEmpty ? name : "\(relative)/\(name)"
                let full = "\(folder)/\(inside)"
                var status = stat()
                guard stat(full, &status) == 0 else { continue }
                switch status.st_mode & S_IFMT {
                case S_IFDIR:
                    // A link to a folder could lead back here.
                    var link = stat()
                    guard lstat(full, &link) == 0, link.st_mode & S_IFMT == S_IFDIR, !leavingOut.contains(full) else {
                        continue
                    }
                    open.append(inside)
                case S_IFREG:
                    entries.append(
                        Entry(
                            path: inside, inode: UInt64(status.st_ino), size: Int64(status.st_size),
                            modified: nanoseconds(status.st_mtim), changed: nanoseconds(status.st_ctim), isOpen: nil))
                default: continue
                }
            }
        }
        return FolderSnapshot(entries: entries, folders: folders)
    }

    /// Whether a file is open for writing anywhere on this machine: the kernel grants a read lease only where it is not
    /// (fcntl(2), F_SETLEASE).
    ///
    /// The lease is held for a moment. Who opens the file in it waits that long, and the kernel sends us SIGIO, which
    /// would end the process: it is ignored from here on.
    ///
    /// - Returns: `nil` where it cannot be told: on network file systems, for files of somebody else.
    public static func isOpen(_ path: String) -> Bool? {
        _ = ignoresBreaks
        let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        guard fcntl(descriptor, setLease, Int32(F_RDLCK)) == 0 else { return errno == EAGAIN ? true : nil }
        _ = fcntl(descriptor, setLease, Int32(F_UNLCK))
        return false
    }

    private static let ignoresBreaks: Bool = {
        signal(SIGIO, SIG_IGN)
        return true
    }()

    /// F_SETLEASE of Linux, which Swift does not import.
    private static let setLease: Int32 = 1024

    private static func nanoseconds(_ time: timespec) -> Int64 {
        Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}
