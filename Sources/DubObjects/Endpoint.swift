public import DubCore
internal import Foundation

/// An object by its place: `s3://bucket/key`.
public struct ObjectName: Sendable, Hashable, CustomStringConvertible {
    /// The bucket's name.
    public var bucket: String
    /// The key, as it is: nothing in it is percent-encoded.
    public var key: String

    /// Names an object.
    public init(bucket: String, key: String) {
        self.bucket = bucket
        self.key = key
    }

    /// Reads `s3://bucket/key`; all after the bucket's slash is the key, to the letter.
    ///
    /// - Throws: `object.address` for anything else, or for a key above 1,024 bytes, which S3 does not take.
    public init(_ address: String) throws(DubError) {
        let rest = address.hasPrefix("s3://") ? address.dropFirst(5) : ""
        let bucket = rest.prefix { $0 != "/" }
        let key = rest.dropFirst(bucket.count + 1)
        let allowed = bucket.utf8.allSatisfy { byte in
            UInt8(ascii: "a")...UInt8(ascii: "z") ~= byte || UInt8(ascii: "A")...UInt8(ascii: "Z") ~= byte
                || UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte || [45, 46, 95].contains(byte)
        }
        guard (3...255).contains(bucket.utf8.count), allowed, (1...1024).contains(key.utf8.count) else {
            throw DubError(
                .objectAddress, "This names no object in a bucket.", at: address, fix: "Write s3://bucket/key.")
        }
        self.init(bucket: String(bucket), key: String(key))
    }

    /// `s3://bucket/key`.
    public var description: String { "s3://\(bucket)/\(key)" }
}

/// Where an object store listens, and how its addresses are built.
public struct Endpoint: Sendable, Hashable {
    /// Where the bucket's name stands in an address.
    public enum Style: String, Sendable, CaseIterable {
        /// At the beginning of the path: `https://host/bucket/key`.
        case path
        /// Before the host: `https://bucket.host/key`; buckets whose name no certificate covers are put in the path.
        case virtual
    }

    /// `http` or `https`.
    public let scheme: String
    /// The host, and its port if it was given.
    public let authority: String
    /// Where the bucket's name stands.
    public let style: Style
    private let prefix: String

    /// It as it would be given.
    public var address: String { "\(scheme)://\(authority)\(prefix)" }

    /// Adopts the address of a store, such as `https://minio.example:9000`; by default buckets stand in the path.
    ///
    /// - Throws: `object.address` unless it is an http or https address without user, query and fragment.
    public init(_ address: String, style: Style = .path) throws(DubError) {
        let parts = URLComponents(string: address)
        guard let scheme = parts?.scheme?.lowercased(), scheme == "http" || scheme == "https",
            let host = parts?.encodedHost, !host.isEmpty, parts?.user == nil, parts?.query == nil,
            parts?.fragment == nil
        else {
            throw DubError(
                .objectAddress, "This is not the address of an object store.",
                at: Address.bare(address),
                fix: "Give one such as https://s3.example or http://127.0.0.1:8333.")
        }
        self.scheme = scheme
        authority = host + (parts?.port.map { ":\($0)" } ?? "")
        var path = parts?.percentEncodedPath ?? ""
        while path.hasSuffix("/") { path.removeLast() }
        prefix = path
        self.style = style
    }

    private init(host: String, style: Style) {
        scheme = "https"
        authority = host
        prefix = ""
        self.style = style
    }

    /// Amazon S3 in a region; by default buckets stand before the host.
    public static func amazon(region: String, style: Style = .virtual) -> Endpoint {
        Endpoint(host: "s3.\(region).amazonaws.com\(region.hasPrefix("cn-") ? ".cn" : "")", style: style)
    }

    /// A request for an object, or with an empty key for the bucket itself.
    public func request(
        _ method: String, _ name: ObjectName, query: [S3Request.QueryItem] = []
    ) -> S3Request {
        let key = PercentEncoding.encode(name.key, isPath: true)
        if style == .virtual, isHost(name.bucket) {
            return S3Request(
                method, scheme: scheme, authority: "\(name.bucket).\(authority)", path: "\(prefix)/\(key)",
                query: query)
        }
        let bucket = "\(prefix)/\(PercentEncoding.encode(name.bucket))"
        return S3Request(
            method, scheme: scheme, authority: authority, path: key.isEmpty ? bucket : "\(bucket)/\(key)",
            query: query)
    }

    /// Whether a bucket's name can stand before the host; a dot in it is not covered by a store's certificate.
    private func isHost(_ bucket: String) -> Bool {
        let bytes = Array(bucket.utf8)
        let dotIsFine = scheme == "http"
        let allowed = bytes.allSatisfy { byte in
            UInt8(ascii: "a")...UInt8(ascii: "z") ~= byte || UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte
                || byte == 45 || (byte == 46 && dotIsFine)
        }
        return allowed && (3...63).contains(bytes.count) && ![45, 46].contains(bytes.first)
            && ![45, 46].contains(bytes.last) && !bucket.contains("..")
    }
}
