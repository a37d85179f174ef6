internal import Foundation

/// A direction that a model gives to a stretch of speech: the same voice gives directions close together.
///
/// Prints of different models cannot be compared. In JSON it is base64 of signed 16-bit integers, little-endian, which
/// are the components times 32,767.
public struct Voiceprint: Hashable, Sendable {
    /// Of length 1, or all zero.
    public let components: [Float]

    /// The direction of a vector, whose length does not matter.
    public init(_ vector: [Float]) {
        let length = vector.reduce(0) { $0 + $1 * $1 }.squareRoot()
        components = length > 0 ? vector.map { $0 / length } : vector
    }

    /// The cosine between both, −1…1; 0 for prints of different dimensions.
    public func similarity(to other: Voiceprint) -> Double {
        guard components.count == other.components.count else { return 0 }
        var sum: Float = 0
        for index in components.indices { sum += components[index] * other.components[index] }
        return Double(sum)
    }
}

extension Voiceprint: Codable {
    /// Reads base64.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        guard let data = Data(base64Encoded: try container.decode(String.self)), data.count % 2 == 0 else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "This is no voiceprint.")
        }
        let bytes = [UInt8](data)
        self.init(
            stride(from: 0, to: bytes.count, by: 2).map {
                Float(Int16(bitPattern: UInt16(bytes[$0]) | UInt16(bytes[$0 + 1]) << 8))
            })
    }

    /// Writes base64.
    public func encode(to encoder: any Encoder) throws {
        var data = Data(capacity: components.count * 2)
        for component in components {
            let bits = UInt16(bitPattern: Int16((max(-1, min(1, component)) * 32_767).rounded()))
            data.append(UInt8(truncatingIfNeeded: bits))
            data.append(UInt8(truncatingIfNeeded: bits >> 8))
        }
        var container = encoder.singleValueContainer()
        try container.encode(data.base64EncodedString())
    }
}
