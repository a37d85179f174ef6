internal import Crypto
public import Foundation

/// The SHA-256 of some bytes: the name of an artifact, and the key of a node.
public struct Digest: Hashable, Sendable, Codable, CustomStringConvertible {
    /// 64 lower-case hexadecimal digits.
    public let hex: String

    /// Adopts a digest in hexadecimal.
    ///
    /// - Returns: `nil` unless `hex` is 64 hexadecimal digits; upper case is folded.
    public init?(hex: String) {
        guard hex.utf8.count == 64, hex.allSatisfy(\.isHexDigit) else { return nil }
        self.hex = hex.lowercased()
    }

    private init(_ digest: SHA256Digest) {
        let digits = Array("0123456789abcdef".utf8)
        var text = [UInt8]()
        text.reserveCapacity(64)
        for byte in digest {
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 15)])
        }
        hex = String(decoding: text, as: UTF8.self)
    }

    /// The digest of bytes in memory.
    public static func of(_ data: Data) -> Digest {
        Digest(SHA256.hash(data: data))
    }

    /// The digest of a text's UTF-8.
    public static func of(_ text: String) -> Digest {
        of(Data(text.utf8))
    }

    /// The digest of a file, read in pieces of 1 MiB.
    ///
    /// - Throws: `DubError` with `input.missing` where the file cannot be read; `CancellationError`.
    public static func of(fileAt path: String) throws -> Digest {
        guard let handle = FileHandle(forReadingAtPath: path) else {
            throw DubError(
                .inputMissing, "The file cannot be opened for reading.", at: path,
                fix: "Check that it exists and that you may read it.")
        }
        defer { try? handle.close() }
        var hash = SHA256()
        do {
            while let piece = try handle.read(upToCount: 1 << 20), !piece.isEmpty {
                try Task.checkCancellation()
                hash.update(data: piece)
            }
        } catch let error as CancellationError {
            throw error
        } catch {
            throw DubError(
                .inputMissing, "The file cannot be read to its end: \(error).", at: path,
                fix: "Check that it is a regular file on a healthy disk.", cause: error)
        }
        return Digest(hash.finalize())
    }

    /// The first twelve digits: enough to tell artifacts apart in a table.
    public var short: String { String(hex.prefix(12)) }

    /// The 64 digits.
    public var description: String { hex }

    /// Reads 64 hexadecimal digits.
    public init(from decoder: any Decoder) throws {
        let text = try decoder.singleValueContainer().decode(String.self)
        guard let digest = Digest(hex: text) else {
            throw DecodingError.dataCorrupted(
                .init(codingPath: decoder.codingPath, debugDescription: "\(text) is not a SHA-256"))
        }
        self = digest
    }

    /// Writes 64 hexadecimal digits.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(hex)
    }
}
