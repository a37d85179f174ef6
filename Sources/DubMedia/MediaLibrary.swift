internal import CFFmpeg

/// The FFmpeg libraries that this process runs with.
public enum MediaLibrary {
    /// FFmpeg's own version, such as `5.1.8-0+deb12u1`.
    public static var version: String { String(cString: av_version_info()) }
}
