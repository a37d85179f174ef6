public import DubCore
public import Foundation

/// Signs addresses of Google Cloud Storage with the key of a service account: V4 signatures, GOOG4-RSA-SHA256.
///
/// Source: “V4 signing process with your own program” in the documentation of Cloud Storage.
public struct GoogleSigner: Sendable {
    private let account: String
    private let key: RSAKey

    /// Reads the key file of a service account, as Google hands it out: JSON with `client_email` and `private_key`.
    ///
    /// - Throws: `credentials.missing` where it is none.
    public init(keyFile path: String) throws(DubError) {
        struct File: Decodable {
            var account: String
            var key: String

            enum CodingKeys: String, CodingKey {
                case account = "client_email"
                case key = "private_key"
            }
        }
        guard let data = FileManager.default.contents(atPath: path),
            let file = try? JSONDecoder().decode(File.self, from: data)
        else {
            throw DubError(
                .credentialsMissing, "This is no key file of a Google service account.", at: path,
                fix: "Name the JSON file with client_email and private_key.")
        }
        account = file.account
        key = try RSAKey(pem: file.key, at: path)
    }

    /// An address that carries its own permission: for this method and so long.
    ///
    /// - Parameter expires: whole seconds, one to seven days.
    /// - Throws: `object.expiry` for anything else.
    public func presigned(
        _ name: ObjectName, method: String = "GET", expires: Duration, at date: Date = Date()
    ) throws -> String {
        try SigV4.check(expires: expires)
        let time = SigV4.Timestamp(date)
        let scope = "\(time.day)/auto/storage/goog4_request"
        var request = S3Request(
            method, authority: "storage.googleapis.com",
            path: "/\(PercentEncoding.encode(name.bucket))/\(PercentEncoding.encode(name.key, isPath: true))")
        request.query = [
            .init("X-Goog-Algorithm", "GOOG4-RSA-SHA256"), .init("X-Goog-Credential", "\(account)/\(scope)"),
            .init("X-Goog-Date", time.text), .init("X-Goog-Expires", "\(expires.components.seconds)"),
            .init("X-Goog-SignedHeaders", "host"),
        ]
        let canonical = SigV4.Canonical(request, payload: .unsigned)
        let toSign = "GOOG4-RSA-SHA256\n\(time.text)\n\(scope)\n\(Digest.of(canonical.text).hex)"
        return "\(request.url)&X-Goog-Signature=\(SigV4.hex(try key.signature(of: toSign)))"
    }
}
