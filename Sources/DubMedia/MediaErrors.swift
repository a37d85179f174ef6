internal import CFFmpeg
public import DubCore

#if canImport(Glibc)
    internal import Glibc
#endif

extension DubError.Code {
    /// A stream's codec, or the wish itself, is one that FFmpeg's muxers here cannot write.
    public static let mediaUnsupported = Self(name: "media.unsupported")
}

/// What FFmpeg says about a status, with the last line that it logged on this thread.
func reason(_ status: Int32) -> String {
    var text = ""
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { buffer in
        guard let base = buffer.baseAddress else { return }
        av_strerror(status, base, buffer.count)
        text = String(cString: base)
    }
    guard let line = MediaLog.lastLine else { return text }
    return line.contains(text) ? line : "\(text) (\(line))"
}

extension DubError {
    static func missing(_ path: String, _ what: String, fix: String) -> DubError {
        DubError(.inputMissing, what, at: path, fix: fix)
    }

    static func unreadable(_ path: String, _ status: Int32) -> DubError {
        DubError(
            .mediaUnreadable, "The file cannot be read as media: \(reason(status)).", at: path,
            fix: "Check with a player whether it is damaged, or export it again from its source.")
    }

    /// A decoder, encoder or filter refused.
    static func failed(_ path: String, _ doing: String, _ status: Int32) -> DubError {
        DubError(
            .mediaFailed, "\(doing) failed: \(reason(status)).", at: path,
            fix: "If the file plays elsewhere, report this with the output of `dubmill doctor`.")
    }

    /// The muxer or the disk under it refused.
    static func writing(_ path: String, _ status: Int32) -> DubError {
        let disk = [ENOSPC, EDQUOT, EFBIG, EIO, EROFS, EACCES, EPERM, ENOENT, ENOTDIR, ENAMETOOLONG, EISDIR]
        guard disk.contains(-status) else { return failed(path, "Writing the file", status) }
        return unwritable(path, errno: -status)
    }

    static func unwritable(_ path: String, errno code: Int32) -> DubError {
        let fix =
            switch code {
            case ENOSPC, EDQUOT: "Free some space on that disk, or choose another folder."
            case EACCES, EPERM, EROFS: "Choose a folder that you may write to, or change its permissions."
            case ENOENT, ENOTDIR: "Make the folder first, or choose another."
            case ENAMETOOLONG: "Choose a shorter name."
            default: "Check the disk, or choose another folder."
            }
        return DubError(
            .outputUnwritable, "The file cannot be written: \(String(cString: strerror(code))).", at: path,
            fix: fix,
            persistence: code == ENOSPC || code == EDQUOT ? .transient : .permanent)
    }

    static func noMemory(_ place: String) -> DubError {
        DubError(
            .mediaFailed, "There is not enough memory.", at: place, fix: "Run fewer jobs at once.",
            persistence: .transient)
    }
}
