import DubCore
import DubTestKit
import Foundation
import Testing

@testable import DubObjects

/// What google-cloud-storage and botocore sign: Tests/Fixtures/sigv4/generate-cdn writes it.
private struct Golden: Decodable {
    struct Google: Decodable {
        var t: Double
        var m: String
        var bucket: String
        var key: String
        var e: Int
        var url: String
    }

    struct CloudFront: Decodable {
        var base: String
        var end: Double
        var from: Double?
        var ip: String?
        var resource: String?
        var url: String
    }

    var google: [Google]
    var cloudfront: [CloudFront]

    static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("Fixtures/sigv4")
    static let account = folder.appendingPathComponent("service-account.json").path

    static func read() throws -> Golden {
        try JSONDecoder().decode(Golden.self, from: Data(contentsOf: folder.appendingPathComponent("cdn.json")))
    }

    /// The key of the account, in a file of its own.
    static func pem(in scratch: URL) throws -> String {
        let account = try #require(
            try JSONSerialization.jsonObject(with: Data(contentsOf: URL(fileURLWithPath: account))) as? [String: String]
        )
        let path = scratch.appendingPathComponent("key.pem").path
        try #require(account["private_key"]).write(toFile: path, atomically: true, encoding: .utf8)
        return path
    }
}

@Suite("Signatures for delivery")
struct DeliverySignerTests {
    @Test("Google's are byte for byte those of google-cloud-storage")
    func google() async throws {
        let golden = try Golden.read()
        #expect(golden.google.count == 100)
        let signer = try GoogleSigner(keyFile: Golden.account)
        for one in golden.google {
            let url = try signer.presigned(
                ObjectName(bucket: one.bucket, key: one.key), method: one.m, expires: .seconds(one.e),
                at: Date(timeIntervalSince1970: one.t))
            #expect(url == one.url)
        }
        let name = ObjectName(bucket: "mill", key: "a")
        let long = await failure { _ = try signer.presigned(name, expires: .seconds(604_801)) }
        #expect(long?.code == .objectExpiry)
    }

    @Test("CloudFront's are byte for byte those of botocore, with canned and custom policies")
    func cloudFront() async throws {
        try await withScratch { scratch in
            let golden = try Golden.read()
            #expect(golden.cloudfront.count == 100)
            let signer = try CloudFrontSigner(keyFile: Golden.pem(in: scratch), keyID: "K2JCJMDEHXQW5F")
            for one in golden.cloudfront {
                let limits = CloudFrontSigner.Limits(
                    from: one.from.map { Date(timeIntervalSince1970: $0) }, address: one.ip, resource: one.resource)
                let url = try signer.signed(one.base, until: Date(timeIntervalSince1970: one.end), limits: limits)
                #expect(url == one.url)
            }
        }
    }

    @Test("what could break out of a policy, and what is no key, is refused")
    func refused() async throws {
        try await withScratch { scratch in
            let pem = try Golden.pem(in: scratch)
            let signer = try CloudFrontSigner(keyFile: pem, keyID: "K2JCJMDEHXQW5F")
            for wrong in [
                "https://a/\"},{", "https://a/b c", "ftp://a/b", "https://a/ñ", "https://a/b#c", "https://a/\\",
            ] {
                let error = await failure { _ = try signer.signed(wrong, until: Date()) }
                #expect(error?.code == .objectAddress)
            }
            for wrong in ["", "K2\"", "k2&x"] {
                let error = await failure { _ = try CloudFrontSigner(keyFile: pem, keyID: wrong) }
                #expect(error?.code == .credentialsMissing)
            }
            let noKey = await failure { _ = try CloudFrontSigner(keyFile: Golden.account, keyID: "K2") }
            #expect(noKey?.code == .credentialsMissing)
            let noAccount = await failure { _ = try GoogleSigner(keyFile: pem) }
            #expect(noAccount?.code == .credentialsMissing)
            var dumped = ""
            dump(signer, to: &dumped)
            #expect(!"\(signer) \(dumped)".contains("BEGIN"))
        }
    }
}
