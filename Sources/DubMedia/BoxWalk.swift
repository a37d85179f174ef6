internal import DubCore

#if canImport(Glibc)
    internal import Glibc
#endif

/// Walks the outermost boxes of an MP4 or QuickTime file (ISO/IEC 14496-12, 4.2).
enum BoxWalk {
    /// The first box that runs past the end of the file, as a problem; `nil` where none does.
    static func overrun(_ path: String) -> MediaProblem? {
        let handle = open(path, O_RDONLY)
        guard handle >= 0 else { return nil }
        defer { close(handle) }
        var facts = stat()
        guard fstat(handle, &facts) == 0 else { return nil }
        let size = UInt64(max(0, facts.st_size))
        var offset: UInt64 = 0
        // A file has a handful of these; a fragmented one two a fragment.
        for _ in 0..<1_000_000 where offset + 8 <= size {
            var head = [UInt8](repeating: 0, count: 16)
            let got = pread(handle, &head, 16, off_t(offset))
            guard got >= 8 else { return nil }
            var length = number(head[0..<4])
            if length == 0 { return nil }
            if length == 1 {
                guard got == 16 else { return nil }
                length = number(head[8..<16])
            }
            guard length >= 8 else { return nil }
            let (end, far) = offset.addingReportingOverflow(length)
            if far || end > size {
                let name = String(decoding: head[4..<8], as: UTF8.self)
                let excess = far ? "far" : "\(end - size) bytes"
                return MediaProblem(
                    code: "file.truncated", severity: .damage,
                    what: "The box “\(name)” runs \(excess) past the end of the file.",
                    place: "byte \(offset)")
            }
            offset = end
        }
        return nil
    }

    private static func number(_ bytes: ArraySlice<UInt8>) -> UInt64 {
        bytes.reduce(0) { $0 << 8 | UInt64($1) }
    }
}
