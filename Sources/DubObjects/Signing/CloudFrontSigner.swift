public import DubCore
public import Foundation

/// Signs addresses of a CloudFront distribution with the key of a trusted key group.
///
/// Source: “Create a signed URL using a canned policy” and “… using a custom policy” in the developer guide of
/// Amazon CloudFront; SHA-1 is what it takes.
public struct CloudFrontSigner: Sendable {
    /// What an address lets do beyond an end: then its policy goes with it, and it is a custom one.
    public struct Limits: Sendable, Hashable {
        /// From when on it is good.
        public var from: Date?
        /// From which IPv4 addresses: `192.0.2.7` or `192.0.2.0/24`.
        public var address: String?
        /// For what: an address in which `*` and `?` stand for anything; `nil` is the address that is signed.
        public var resource: String?

        /// Makes limits: none.
        public init(from: Date? = nil, address: String? = nil, resource: String? = nil) {
            self.from = from
            self.address = address
            self.resource = resource
        }

        var isEmpty: Bool { self == Limits() }
    }

    private let keyID: String
    private let key: RSAKey

    /// Reads a private key in PEM; `keyID` is what CloudFront calls the public one, such as `K2JCJMDEHXQW5F`.
    ///
    /// - Throws: `credentials.missing` where it is none.
    public init(keyFile path: String, keyID: String) throws(DubError) {
        guard let pem = try? String(contentsOfFile: path, encoding: .utf8) else {
            throw DubError(
                .credentialsMissing, "The key cannot be read.", at: path, fix: "Name a private RSA key in PEM.")
        }
        guard !keyID.isEmpty, keyID.utf8.allSatisfy({ 48...57 ~= $0 || 65...90 ~= $0 }) else {
            throw DubError(
                .credentialsMissing, "“\(keyID)” is no name of a key at CloudFront.", at: path,
                fix: "Give the ID of its public key, such as K2JCJMDEHXQW5F.")
        }
        key = try RSAKey(pem: pem, at: path)
        self.keyID = keyID
    }

    /// An address that carries its own permission until `end`, in whole seconds.
    ///
    /// - Throws: `object.address` for what is no http or https address, percent-encoded.
    public func signed(_ address: String, until end: Date, limits: Limits = Limits()) throws -> String {
        for text in [address, limits.resource, limits.address].compactMap(\.self) { try Self.check(text) }
        guard address.hasPrefix("https://") || address.hasPrefix("http://"), !address.contains("#") else {
            throw Self.malformed(address)
        }
        let seconds = Int(end.timeIntervalSince1970.rounded(.down))
        let policy = policy(limits.resource ?? address, seconds, limits)
        let first = limits.isEmpty ? "Expires=\(seconds)" : "Policy=\(Self.encode(Data(policy.utf8)))"
        let signature = Self.encode(try key.signature(of: policy, sha1: true))
        return "\(address)\(address.contains("?") ? "&" : "?")\(first)&Signature=\(signature)&Key-Pair-Id=\(keyID)"
    }

    /// In the order, and without the white space, that a canned policy has to have.
    private func policy(_ resource: String, _ end: Int, _ limits: Limits) -> String {
        var condition = #""DateLessThan":{"AWS:EpochTime":\#(end)}"#
        if let address = limits.address {
            condition += #","IpAddress":{"AWS:SourceIp":"\#(address.contains("/") ? address : address + "/32")"}"#
        }
        if let from = limits.from {
            condition += #","DateGreaterThan":{"AWS:EpochTime":\#(Int(from.timeIntervalSince1970.rounded(.down)))}"#
        }
        return #"{"Statement":[{"Resource":"\#(resource)","Condition":{\#(condition)}}]}"#
    }

    /// Base64 in the letters that CloudFront wants in addresses.
    private static func encode(_ data: Data) -> String {
        data.base64EncodedString().replacing("+", with: "-").replacing("=", with: "_").replacing("/", with: "~")
    }

    /// Only what JSON and addresses both leave as it is.
    private static func check(_ text: String) throws {
        let allowed = text.utf8.allSatisfy { $0 > 32 && $0 < 127 && $0 != 34 && $0 != 92 }
        guard allowed else { throw malformed(text) }
    }

    private static func malformed(_ address: String) -> DubError {
        DubError(
            .objectAddress, "This is not an address, percent-encoded.", at: String(address.prefix { $0 != "?" }),
            fix: "Give one such as https://d111111abcdef8.cloudfront.net/film.es.mp4.")
    }
}
