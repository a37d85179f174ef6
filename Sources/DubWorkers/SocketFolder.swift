internal import DubCore
internal import Foundation
internal import Glibc

/// A private folder with a short path for Unix sockets; removed with its last reference.
final class SocketFolder: Sendable {
    let path: String

    /// Makes it (mode 0700) under `$XDG_RUNTIME_DIR` where that is short and writable, else under /tmp.
    ///
    /// - Throws: `output.unwritable`.
    init(environment: [String: String]) throws {
        // A path of a socket has at most 107 bytes (unix(7)); ours adds 30.
        let runtime = environment["XDG_RUNTIME_DIR"].flatMap {
            $0.hasPrefix("/") && $0.utf8.count <= 70 ? $0 : nil
        }
        for parent in [runtime, "/tmp"].compactMap(\.self) {
            var template = Array("\(parent)/dubmill-XXXXXX".utf8CString)
            if mkdtemp(&template) != nil {
                path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
                return
            }
        }
        throw DubError(
            .outputUnwritable, "No folder for the worker's socket: \(String(cString: strerror(errno))).",
            at: "/tmp", fix: "Make /tmp writable, or set XDG_RUNTIME_DIR.")
    }

    deinit {
        try? FileManager.default.removeItem(atPath: path)
    }

    /// The path of the socket for the start with this number.
    func socket(_ number: Int) -> String { "\(path)/worker-\(number).sock" }
}
