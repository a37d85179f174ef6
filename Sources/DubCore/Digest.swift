internal import Crypto
public import Foundation

/// The SHA-256 of some bytes: the name of an artifact, and the key of a node.
public struct Digest: Hashable, Sendable, Codable, CustomStringConvertible {
    // Four words, most significant first, instead of a text: runs hold hundreds of thousands of them. Stored one by one,
    // as a vector would be aligned to 32 bytes and pad everything that holds a digest.
    private let first, second, third, fourth: UInt64

    private init(words: SIMD4<UInt64>) {
        (first, second, third, fourth) = (words[0], words[1], words[2], words[3])
    }

    private var words: SIMD4<UInt64> { SIMD4(first, second, third, fourth) }

    /// Adopts a digest in hexadecimal.
    ///
    /// - Returns: `nil` unless `hex` is 64 hexadecimal digits; upper case is folded.
    public init?(hex: String) {
        var words = SIMD4<UInt64>()
        var count = 0
        for digit in hex.utf8 {
            guard let value = Self.value(of: digit), count < 64 else { return nil }
            words[count / 16] = words[count / 16] << 4 | value
            count += 1
        }
        guard count == 64 else { return nil }
        self.init(words: words)
    }

    /// Adopts the 32 bytes of a digest.
    ///
    /// - Returns: `nil` unless there are 32.
    public init?(bytes: some Sequence<UInt8>) {
        var words = SIMD4<UInt64>()
        var count = 0
        for byte in bytes {
            guard count < 32 else { return nil }
            words[count / 8] = words[count / 8] << 8 | UInt64(byte)
            count += 1
        }
        guard count == 32 else { return nil }
        self.init(words: words)
    }

    private init(_ digest: SHA256Digest) {
        let words = digest.withUnsafeBytes { bytes in
            SIMD4((0..<4).map { UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: $0 * 8, as: UInt64.self)) })
        }
        self.init(words: words)
    }

    private static func value(of digit: UInt8) -> UInt64? {
        switch digit {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt64(digit - UInt8(ascii: "0"))
        case UInt8(ascii: "a")...UInt8(ascii: "f"): UInt64(digit - UInt8(ascii: "a") + 10)
        case UInt8(ascii: "A")...UInt8(ascii: "F"): UInt64(digit - UInt8(ascii: "A") + 10)
        default: nil
        }
    }

    /// 64 lower-case hexadecimal digits.
    public var hex: String {
        let digits: StaticString = "0123456789abcdef"
        let words = words
        return String(unsafeUninitializedCapacity: 64) { text in
            for index in 0..<64 {
                let nibble = words[index / 16] >> UInt64(60 - index % 16 * 4) & 15
                text[index] = digits.utf8Start[Int(nibble)]
            }
            return 64
        }
    }

    /// The 32 bytes.
    public var bytes: Data {
        var data = Data(capacity: 32)
        let words = words
        for index in 0..<4 { withUnsafeBytes(of: words[index].bigEndian) { data.append(contentsOf: $0) } }
        return data
    }

    /// The digest of bytes in memory.
    public static func of(_ data: Data) -> Digest {
        Digest(SHA256.hash(data: data))
    }

    /// The digest of bytes in memory.
    public static func of(_ bytes: UnsafeRawBufferPointer) -> Digest {
        var hash = SHA256()
        hash.update(bufferPointer: bytes)
        return Digest(hash.finalize())
    }

    /// The digest of a text's UTF-8.
    public static func of(_ text: String) -> Digest {
        var text = text
        return text.withUTF8 { of(UnsafeRawBufferPointer($0)) }
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
