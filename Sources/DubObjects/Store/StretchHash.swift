internal import DubCore
internal import Foundation

internal import struct Crypto.SHA256

/// The SHA-256 of stretches of a file, one after the other.
struct StretchHash {
    private let path: String
    private var hash = SHA256()

    /// Of no bytes as yet.
    init(path: String) {
        self.path = path
    }

    /// Takes a stretch in, in pieces of 1 MiB.
    ///
    /// - Throws: `input.missing` where the file cannot be read, or is shorter; `CancellationError`.
    mutating func read(_ stretch: Range<Int64>) throws {
        guard let handle = FileHandle(forReadingAtPath: path) else { throw unreadable() }
        defer { try? handle.close() }
        var left = stretch.upperBound - stretch.lowerBound
        do {
            try handle.seek(toOffset: UInt64(stretch.lowerBound))
            while left > 0, let piece = try handle.read(upToCount: Int(min(left, 1 << 20))), !piece.isEmpty {
                try Task.checkCancellation()
                hash.update(data: piece)
                left -= Int64(piece.count)
            }
        } catch let error as CancellationError {
            throw error
        } catch {
            throw unreadable(error)
        }
        guard left == 0 else { throw unreadable() }
    }

    /// Of all that was taken in.
    func digest() throws -> Digest {
        guard let digest = Digest(bytes: hash.finalize()) else { throw unreadable() }
        return digest
    }

    private func unreadable(_ cause: (any Error)? = nil) -> DubError {
        DubError(
            .inputMissing, "The file cannot be read to its end.", at: path,
            fix: "Check that it exists, and that nobody writes to it.", cause: cause)
    }
}
