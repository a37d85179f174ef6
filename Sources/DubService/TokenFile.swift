internal import Crypto
public import DubCore
public import Foundation

/// A token as it is kept: its digest, never itself.
public struct StoredToken: Codable, Sendable, Hashable {
    /// What it is good for.
    public enum Scope: String, Codable, Sendable, CaseIterable {
        /// Looking.
        case read
        /// Looking, submitting, cancelling, retrying.
        case write
    }

    /// Unlike all others.
    public var name: String
    /// SHA-256 of the token, in hexadecimal. A token is 256 random bits: there is nothing to guess, and no salt helps.
    public var sha256: String
    /// What it is good for.
    public var scope: Scope
    /// When it was made.
    public var created: Date
}

/// The tokens that open the API, in a file that nobody but its owner may read.
public struct TokenFile: Sendable {
    /// Where it lies.
    public let path: String

    private struct Content: Codable {
        var version = 1
        var tokens: [StoredToken] = []
    }

    /// Names a file.
    public init(path: String) {
        self.path = path
    }

    /// The tokens; none where there is no file.
    ///
    /// - Throws: `token.invalid` for a file that others may read, or that is none of tokens.
    public func read() throws(DubError) -> [StoredToken] {
        var status = stat()
        guard stat(path, &status) == 0 else {
            if errno == ENOENT { return [] }
            throw invalid(
                "The file of tokens cannot be read: \(String(cString: strerror(errno))).", "Check its rights.")
        }
        guard status.st_mode & 0o077 == 0 else {
            throw invalid("Others may read or write the file of tokens.", "chmod 600 it.")
        }
        do {
            let decoder = JSONDecoder()
            decoder.dateDecodingStrategy = .iso8601
            return try decoder.decode(Content.self, from: Data(contentsOf: URL(filePath: path))).tokens
        } catch {
            throw invalid("The file holds no tokens.", "Remove it, and add tokens anew with dubmill token add.")
        }
    }

    /// Makes a token and keeps its digest.
    ///
    /// - Returns: the token, which is not kept anywhere.
    /// - Throws: `token.invalid` for a name that is taken or malformed; `output.unwritable`.
    public func add(_ name: String, scope: StoredToken.Scope) throws(DubError) -> String {
        let isSound =
            (1...64).contains(name.utf8.count)
            && name.utf8.allSatisfy {
                $0 < 128 && (Character(UnicodeScalar($0)).isLetter || "0123456789-_.".utf8.contains($0))
            }
        guard isSound else {
            throw DubError(
                .tokenInvalid, "A token cannot be called that.", at: name,
                fix: "Use 1 to 64 letters, digits, dots, hyphens and underscores.")
        }
        var bytes = SystemRandomNumberGenerator()
        let random = Data((0..<32).map { _ in UInt8.random(in: .min ... .max, using: &bytes) })
        let text = random.base64EncodedString().replacing("+", with: "-").replacing("/", with: "_").replacing(
            "=", with: "")
        let token = "dubmill_\(text)"
        try change { tokens throws(DubError) in
            guard !tokens.contains(where: { $0.name == name }) else {
                throw DubError(
                    .tokenInvalid, "There is a token of this name.", at: name,
                    fix: "Choose another name, or remove that one first.")
            }
            tokens.append(StoredToken(name: name, sha256: Self.digest(token), scope: scope, created: Date()))
        }
        return token
    }

    /// Forgets a token: it opens nothing from now on.
    ///
    /// - Throws: `token.invalid` where there is none of this name; `output.unwritable`.
    public func remove(_ name: String) throws(DubError) {
        try change { tokens throws(DubError) in
            guard tokens.contains(where: { $0.name == name }) else {
                throw DubError(
                    .tokenInvalid, "There is no token of this name.", at: name, fix: "See dubmill token list.")
            }
            tokens.removeAll { $0.name == name }
        }
    }

    /// Reads, changes and writes while nobody else does; the file is whole at every moment.
    private func change(_ body: (inout [StoredToken]) throws(DubError) -> Void) throws(DubError) {
        let folder = (path as NSString).deletingLastPathComponent
        try? FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        let lock = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        defer { if lock >= 0 { close(lock) } }
        while lock >= 0, flock(lock, LOCK_EX) != 0, errno == EINTR {}
        var content = Content(tokens: try read())
        try body(&content.tokens)
        let fresh = "\(path).\(getpid())"
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        encoder.dateEncodingStrategy = .iso8601
        let file = open(fresh, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0o600)
        defer { if file >= 0 { close(file) } }
        guard file >= 0, fchmod(file, 0o600) == 0, let data = try? encoder.encode(content),
            data.withUnsafeBytes({ write(file, $0.baseAddress, $0.count) }) == data.count, fsync(file) == 0,
            rename(fresh, path) == 0
        else {
            let reason = String(cString: strerror(errno))
            unlink(fresh)
            throw DubError(
                .outputUnwritable, "The file of tokens cannot be written: \(reason).", at: path,
                fix: "Make its folder writable, or name another file.")
        }
    }

    private func invalid(_ what: String, _ fix: String) -> DubError {
        DubError(.tokenInvalid, what, at: path, fix: fix)
    }

    static func digest(_ token: String) -> String {
        SHA256.hash(data: Data(token.utf8)).map { byte in
            let text = String(byte, radix: 16)
            return text.count == 1 ? "0" + text : text
        }.joined()
    }
}

/// Tells whom a token belongs to, by the file as it is now.
final class Doorkeeper: Sendable {
    private struct Known {
        var stamp: [Int64] = []
        var tokens: [StoredToken] = []
        var trouble: DubError?
    }

    private let file: TokenFile
    private let known = Locked(Known())

    init(_ file: TokenFile) {
        self.file = file
    }

    /// The token that is presented; `nil` for one that is not known.
    ///
    /// Every stored digest is compared, all of it: how long that takes says nothing.
    ///
    /// - Throws: `token.invalid` where the file cannot be used.
    func token(_ presented: String) throws(DubError) -> StoredToken? {
        let digest = Array(TokenFile.digest(presented).utf8)
        var found: StoredToken?
        for token in try tokens() {
            let stored = Array(token.sha256.utf8)
            var difference = UInt8(stored.count == digest.count ? 0 : 1)
            for (left, right) in zip(stored, digest) { difference |= left ^ right }
            if difference == 0 { found = token }
        }
        return found
    }

    private func tokens() throws(DubError) -> [StoredToken] {
        var status = stat()
        let isThere = stat(file.path, &status) == 0
        let stamp: [Int64] =
            isThere
            ? [
                Int64(status.st_ino), Int64(status.st_size), Int64(status.st_mtim.tv_sec),
                Int64(status.st_mtim.tv_nsec),
                Int64(status.st_ctim.tv_sec), Int64(status.st_ctim.tv_nsec), Int64(status.st_mode),
            ] : [0]
        let now = known.withLock { known -> Known in
            if known.stamp != stamp {
                known = Known(stamp: stamp)
                do throws(DubError) { known.tokens = try file.read() } catch { known.trouble = error }
            }
            return known
        }
        if let trouble = now.trouble { throw trouble }
        return now.tokens
    }
}
