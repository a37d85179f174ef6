internal import DubCore
internal import Foundation

/// Files of a few bytes, of which a run reads and writes a hundred thousand: as few system calls as can be.
enum SmallFile {
    /// Why a system call failed.
    struct Failure: Error {
        let errno: Int32
    }

    /// The digest of a file of exactly this size; `nil` where there is none, or it has another size.
    static func digest(_ path: String, size: Int) -> Digest? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        // One byte more than there should be: a longer file is another.
        return withUnsafeTemporaryAllocation(byteCount: size + 1, alignment: 16) { buffer in
            var filled = 0
            while let base = buffer.baseAddress, filled < buffer.count {
                let count = read(descriptor, base + filled, buffer.count - filled)
                if count < 0, errno == EINTR { continue }
                guard count > 0 else { break }
                filled += count
            }
            guard filled == size else { return nil }
            return Digest.of(UnsafeRawBufferPointer(rebasing: buffer[..<size]))
        }
    }

    /// Makes a file that appears under its name whole: it is written without a name and then linked.
    ///
    /// - Returns: `false` where the file system has no such files, or there is a file of this name already: then it
    ///   has to be written elsewhere and renamed.
    static func create(_ path: String, _ data: Data) throws(Failure) -> Bool {
        let folder = path[..<(path.lastIndex(of: "/") ?? path.startIndex)]
        let descriptor = open(String(folder), O_WRONLY | Int32(unnamedFlag) | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else {
            if [EOPNOTSUPP, EISDIR, ENOENT, EINVAL].contains(errno) { return false }
            throw Failure(errno: errno)
        }
        defer { close(descriptor) }
        var offset = 0
        while offset < data.count {
            let count = data.withUnsafeBytes { bytes in
                write(descriptor, bytes.baseAddress.map { $0 + offset }, bytes.count - offset)
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw Failure(errno: errno) }
            offset += count
        }
        guard linkat(AT_FDCWD, "/proc/self/fd/\(descriptor)", AT_FDCWD, path, AT_SYMLINK_FOLLOW) == 0 else {
            if [EEXIST, ENOENT, EXDEV].contains(errno) { return false }
            throw Failure(errno: errno)
        }
        return true
    }

    /// `O_TMPFILE`, which is a macro that Swift does not import: `__O_TMPFILE | O_DIRECTORY`.
    private static let unnamedFlag = 0o20000000 | Int(O_DIRECTORY)
}
