internal import DubCore
internal import Foundation

internal import enum Crypto.Insecure
internal import struct Crypto.SHA256
internal import enum CryptoExtras._RSA

/// A private RSA key that signs addresses. No description of it shows it.
struct RSAKey: Sendable, CustomStringConvertible, CustomReflectable {
    private let key: _RSA.Signing.PrivateKey

    /// Reads a key in PEM, as PKCS #1 or PKCS #8; 2,048 bits or more.
    ///
    /// - Throws: `credentials.missing`.
    init(pem: String, at place: String) throws(DubError) {
        do {
            key = try _RSA.Signing.PrivateKey(pemRepresentation: pem)
        } catch {
            throw DubError(
                .credentialsMissing, "This is no private RSA key of 2,048 bits or more in PEM.", at: place,
                fix:
                    "Name the file that begins with “-----BEGIN PRIVATE KEY-----” or “-----BEGIN RSA PRIVATE KEY-----”."
            )
        }
    }

    var description: String { "RSAKey(redacted)" }
    var customMirror: Mirror { Mirror(self, children: []) }

    /// The RSASSA-PKCS1-v1_5 signature of a text with SHA-256, or SHA-1 where a service knows nothing else.
    func signature(of text: String, sha1: Bool = false) throws -> Data {
        let bytes = Data(text.utf8)
        return sha1
            ? try key.signature(for: Insecure.SHA1.hash(data: bytes), padding: .insecurePKCS1v1_5).rawRepresentation
            : try key.signature(for: SHA256.hash(data: bytes), padding: .insecurePKCS1v1_5).rawRepresentation
    }
}
