internal import enum Crypto.Insecure
internal import DubCore
internal import DubHTTP
public import Foundation

/// How an object is kept.
public struct PutOptions: Sendable, Hashable {
    /// The media type that it is served with.
    public var type = "application/octet-stream"
    /// Leaves an object alone that is there already.
    public var createOnly = false
    /// How the store encrypts it; `nil` is as the bucket is set.
    public var encryption: Encryption?
    /// Such as `STANDARD_IA` or `GLACIER_IR`; `nil` is the store's usual one.
    public var storageClass: String?
    /// Up to ten marks that lifecycle rules can go by.
    public var tags: [String: String] = [:]
    /// What is kept beside the object and told with it, by names in small letters, in ASCII.
    public var metadata: [String: String] = [:]

    /// Makes options: bytes of no particular type, replacing what is there, without tags.
    public init(
        type: String = "application/octet-stream", createOnly: Bool = false, encryption: Encryption? = nil,
        storageClass: String? = nil, tags: [String: String] = [:], metadata: [String: String] = [:]
    ) {
        self.type = type
        self.createOnly = createOnly
        self.encryption = encryption
        self.storageClass = storageClass
        self.tags = tags
        self.metadata = metadata
    }

    /// The header fields that make an object what it is: of a single PUT, or of the beginning of one in parts.
    var headers: HTTPHeaders {
        var headers: HTTPHeaders = ["Content-Type": type]
        headers.fields += (encryption?.headers ?? [:]).fields
        headers["x-amz-storage-class"] = storageClass
        for (name, value) in metadata.sorted(by: { $0.key < $1.key }) { headers["x-amz-meta-\(name)"] = value }
        if !tags.isEmpty {
            let items = tags.sorted { $0.key < $1.key }.map { S3Request.QueryItem($0, $1).encoded }
            headers["x-amz-tagging"] = items.joined(separator: "&")
        }
        return headers
    }

    /// - Throws: `object.refused` for tags that no store takes.
    func check(at place: String) throws(DubError) {
        // “Object tagging” in the user guide of Amazon S3: ten tags, names to 128 characters, values to 256.
        let fits = tags.count <= 10 && tags.allSatisfy { (1...128).contains($0.count) && $1.count <= 256 }
        guard fits else {
            throw DubError(
                .objectRefused, "An object has at most ten tags, of 128 and 256 characters.", at: place,
                fix: "Give fewer or shorter tags.")
        }
    }
}

/// How a store encrypts an object.
public enum Encryption: Sendable, Hashable {
    /// With keys of its own (SSE-S3).
    case managed
    /// With a key of its key service, by name, or its default one (SSE-KMS).
    case keyService(String?)
    /// With a key that comes with every request, and that the store forgets (SSE-C).
    case customer(CustomerKey)

    var headers: HTTPHeaders {
        switch self {
        case .managed: return ["x-amz-server-side-encryption": "AES256"]
        case .keyService(let key):
            var headers: HTTPHeaders = ["x-amz-server-side-encryption": "aws:kms"]
            headers["x-amz-server-side-encryption-aws-kms-key-id"] = key
            return headers
        case .customer(let key): return key.headers
        }
    }

    /// The key that parts, and reading, need again.
    var customerKey: CustomerKey? {
        if case .customer(let key) = self { key } else { nil }
    }
}

/// 32 bytes that the store encrypts with and does not keep. No description of it shows them.
public struct CustomerKey: Sendable, Hashable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable
{
    private let bytes: Data

    /// Adopts 32 bytes; `nil` for any other number.
    public init?(_ bytes: Data) {
        guard bytes.count == 32 else { return nil }
        self.bytes = bytes
    }

    /// Says that it is a key, and hides which.
    public var description: String { "CustomerKey(redacted)" }
    /// As `description`.
    public var debugDescription: String { description }
    /// Nothing, so that `dump` and failed expectations print nothing.
    public var customMirror: Mirror { Mirror(self, children: []) }

    var headers: HTTPHeaders {
        [
            "x-amz-server-side-encryption-customer-algorithm": "AES256",
            "x-amz-server-side-encryption-customer-key": bytes.base64EncodedString(),
            "x-amz-server-side-encryption-customer-key-MD5": Data(Insecure.MD5.hash(data: bytes))
                .base64EncodedString(),
        ]
    }

    /// What tells keys apart without giving them away.
    var mark: String { Digest.of(bytes).short.description }
}
