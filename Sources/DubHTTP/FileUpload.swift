internal import DubCore
internal import Foundation

/// A stretch of a file on its way up. Opens the file at the first read, and closes it with its last reference.
final class FileUpload {
    /// How far it is, in bytes from the beginning of the stretch.
    var position: Int64 = 0
    private let path: String
    private let offset: Int64
    private let length: Int64
    private var descriptor: Int32 = -1

    init(path: String, offset: Int64, length: Int64) {
        self.path = path
        self.offset = offset
        self.length = length
    }

    deinit {
        if descriptor >= 0 { close(descriptor) }
    }

    /// Reads on; 0 at the end of the stretch.
    ///
    /// - Throws: `input.missing` where the file cannot be read, or has become shorter.
    func read(into room: UnsafeMutableRawBufferPointer) throws(DubError) -> Int {
        if descriptor < 0 { descriptor = open(path, O_RDONLY | O_CLOEXEC) }
        guard descriptor >= 0 else { throw unreadable(String(cString: strerror(errno))) }
        let wanted = min(room.count, Int(clamping: length - position))
        guard wanted > 0 else { return 0 }
        while true {
            let count = pread(descriptor, room.baseAddress, wanted, off_t(offset + position))
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw unreadable(String(cString: strerror(errno))) }
            guard count > 0 else { throw unreadable("it has become shorter") }
            position += Int64(count)
            return count
        }
    }

    private func unreadable(_ why: String) -> DubError {
        DubError(
            .inputMissing, "The file cannot be sent: \(why).", at: path,
            fix: "Check that it exists, that you may read it, and that nobody writes to it.")
    }
}
