import DubCore
import DubHTTP
import DubTestKit
import Foundation
import Testing

@testable import DubObjects

/// What botocore signs: Tests/Fixtures/sigv4/generate writes it.
private struct Golden: Decodable {
    struct Key: Decodable {
        var access: String
        var secret: String
        var token: String?

        var credentials: Credentials { Credentials(accessKey: access, secretKey: secret, sessionToken: token) }
    }

    struct Case: Decodable {
        var k: Int
        var r: String
        var t: Double
        var m: String
        var s: String?
        var h: String?
        var p: String?
        var q: [[String]]?
        var f: [String: String]?
        var b: String?
        var e: Int?
        var auth: String?
        var sha: String?
        var url: String?
        var endpoint: String?
        var style: String?
        var bucket: String?
        var key: String?

        var request: S3Request {
            S3Request(
                m, scheme: s ?? "", authority: h ?? "", path: p ?? "",
                query: (q ?? []).map { .init($0[0], $0[1]) },
                headers: HTTPHeaders((f ?? [:]).map { .init(name: $0, value: $1) }))
        }
    }

    var keys: [Key]
    var headers: [Case]
    var presigned: [Case]
    var client: [Case]

    static func read() throws -> Golden {
        let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("Fixtures/sigv4/golden.json")
        return try JSONDecoder().decode(Golden.self, from: Data(contentsOf: file))
    }
}

@Suite("Signatures")
struct SigV4Tests {
    @Test("header fields are signed byte for byte as botocore signs them")
    func headers() throws {
        let golden = try Golden.read()
        #expect(golden.headers.count == 200)
        for one in golden.headers {
            let signer = SigV4(credentials: golden.keys[one.k].credentials, region: one.r)
            let signed = signer.headers(
                for: one.request, payload: .digest(.of(one.b ?? "")), at: Date(timeIntervalSince1970: one.t))
            #expect(signed["Authorization"] == one.auth)
            #expect(signed["X-Amz-Content-SHA256"] == one.sha)
        }
    }

    @Test("addresses are signed byte for byte as botocore signs them")
    func presigned() throws {
        let golden = try Golden.read()
        #expect(golden.presigned.count == 150)
        for one in golden.presigned {
            let signer = SigV4(credentials: golden.keys[one.k].credentials, region: one.r)
            let url = try signer.presigned(
                one.request, expires: .seconds(one.e ?? 0), at: Date(timeIntervalSince1970: one.t))
            #expect(url == one.url)
        }
    }

    @Test("addresses of buckets and keys are those of botocore's client, in both styles")
    func client() throws {
        let golden = try Golden.read()
        #expect(golden.client.count == 150)
        for one in golden.client {
            let style = try #require(Endpoint.Style(rawValue: one.style ?? ""))
            let endpoint =
                try one.endpoint.map { try Endpoint($0, style: style) } ?? .amazon(region: one.r, style: style)
            let signer = SigV4(credentials: golden.keys[one.k].credentials, region: one.r)
            let name = ObjectName(bucket: one.bucket ?? "", key: one.key ?? "")
            let url = try signer.presigned(
                endpoint.request(one.m, name), expires: .seconds(one.e ?? 0), at: Date(timeIntervalSince1970: one.t))
            #expect(url == one.url)
        }
    }

    @Test("an address is good for one second to seven days, in whole seconds")
    func expiry() async throws {
        let signer = SigV4(credentials: Credentials(accessKey: "A", secretKey: "S"), region: "us-east-1")
        let request = Endpoint.amazon(region: "us-east-1").request("GET", try ObjectName("s3://mill/a"))
        for wrong in [Duration.zero, .milliseconds(1500), .seconds(604_801), .seconds(-1)] {
            let error = await failure { _ = try signer.presigned(request, expires: wrong) }
            #expect(error?.code == .objectExpiry)
            #expect(error?.fix.contains("7d") == true)
        }
        #expect(try signer.presigned(request, expires: .seconds(604_800)).contains("X-Amz-Expires=604800&"))
    }

    @Test("names of objects are read to the letter, and refused where they are none")
    func names() async throws {
        #expect(try ObjectName("s3://mill/a b//ñ?x#y").key == "a b//ñ?x#y")
        for wrong in ["mill/a", "s3://mill", "s3://mill/", "s3:///a", "s3://m i/a", "http://mill/a"] {
            #expect(await failure { _ = try ObjectName(wrong) }?.code == .objectAddress)
        }
    }

    @Test("no description of credentials or keys shows a secret")
    func secrets() throws {
        let credentials = Credentials(accessKey: "AKID", secretKey: "hushhush", sessionToken: "tokentoken")
        let key = try #require(CustomerKey(Data(repeating: 97, count: 32)))
        var dumped = ""
        dump(credentials, to: &dumped)
        dump(PutOptions(encryption: .customer(key)), to: &dumped)
        let shown =
            "\(credentials) \(String(reflecting: credentials)) \(PutOptions(encryption: .customer(key))) \(dumped)"
        #expect(!shown.contains("hush") && !shown.contains("tokentoken") && !shown.contains("aaaa"))
        #expect(!shown.contains("97"))
    }
}
