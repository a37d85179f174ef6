/// The media types that files are served with, by their extensions.
enum MediaType {
    private static let known = [
        "mp4": "video/mp4", "m4v": "video/mp4", "mov": "video/quicktime", "mkv": "video/x-matroska",
        "webm": "video/webm", "ts": "video/mp2t", "mxf": "application/mxf", "avi": "video/x-msvideo",
        "wav": "audio/wav", "caf": "audio/x-caf", "flac": "audio/flac", "mp3": "audio/mpeg", "m4a": "audio/mp4",
        "opus": "audio/ogg", "ogg": "audio/ogg", "srt": "application/x-subrip", "vtt": "text/vtt",
        "ttml": "application/ttml+xml", "json": "application/json", "csv": "text/csv", "txt": "text/plain",
        "png": "image/png", "jpg": "image/jpeg",
    ]

    /// - Parameter fileExtension: without its dot.
    static func of(_ fileExtension: String) -> String {
        known[fileExtension.lowercased()] ?? "application/octet-stream"
    }
}
