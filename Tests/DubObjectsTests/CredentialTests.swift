import DubCore
import DubHTTP
import DubTestKit
import Foundation
import Testing

@testable import DubObjects

@Suite("Credentials")
struct CredentialTests {
    let client = HTTPClient()

    /// A service that answers by path, and notes what it was asked.
    private func service(
        _ asked: Box<[LoopbackConnection.Request]>, _ answers: [String: String]
    ) throws -> LoopbackServer {
        try LoopbackServer { connection in
            while let request = connection.readRequest() {
                asked.update { $0.append(request) }
                let path = String(request.head[0].split(separator: " ")[1])
                if let answer = answers[path] {
                    connection.answer(answer)
                } else {
                    connection.answer(status: "404 Not Found")
                }
            }
        }
    }

    private func lent(_ name: String, expires: String = "2099-01-01T00:00:00Z") -> String {
        #"{"AccessKeyId":"\#(name)","SecretAccessKey":"s","Token":"t","Expiration":"\#(expires)","Code":"Success"}"#
    }

    private static let sts = """
        <AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
        <AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>ASIAWEB</AccessKeyId>
        <SecretAccessKey>websecret</SecretAccessKey><SessionToken>websession</SessionToken>
        <Expiration>2099-01-01T00:00:00.123Z</Expiration></Credentials></AssumeRoleWithWebIdentityResult>
        </AssumeRoleWithWebIdentityResponse>
        """

    @Test("come from the first place that has them: environment, web identity, files, container, machine")
    func order() async throws {
        try await withScratch { scratch in
            let asked = Box<[LoopbackConnection.Request]>([])
            let server = try service(
                asked,
                [
                    "/": Self.sts, "/container": lent("ASIABOX"), "/latest/api/token": "imds-token",
                    "/latest/meta-data/iam/security-credentials/": "mill role",
                    "/latest/meta-data/iam/security-credentials/mill%20role": lent("ASIAMACHINE"),
                ])
            let root = "http://127.0.0.1:\(server.port)"
            let token = scratch.appendingPathComponent("token")
            try Data("web token\n".utf8).write(to: token)
            try Data("[default]\naws_access_key_id = AKIAFILE\naws_secret_access_key=filesecret\n".utf8)
                .write(to: scratch.appendingPathComponent("credentials"))
            var environment = [
                "HOME": scratch.path, "AWS_ACCESS_KEY_ID": "AKIAENV", "AWS_SECRET_ACCESS_KEY": "envsecret",
                "AWS_SESSION_TOKEN": "envsession",
                "AWS_WEB_IDENTITY_TOKEN_FILE": token.path, "AWS_ROLE_ARN": "arn:aws:iam::1:role/mill",
                "AWS_ENDPOINT_URL_STS": root,
                "AWS_SHARED_CREDENTIALS_FILE": scratch.appendingPathComponent("credentials").path,
                "AWS_CONTAINER_CREDENTIALS_FULL_URI": root + "/container",
                "AWS_CONTAINER_AUTHORIZATION_TOKEN": "Bearer x", "AWS_EC2_METADATA_SERVICE_ENDPOINT": root,
            ]
            func found() async throws -> Credentials {
                try await CredentialSource(environment: environment, client: client).credentials()
            }
            let first = try await found()
            #expect(first.accessKey == "AKIAENV" && first.sessionToken == "envsession" && first.expires == nil)

            environment["AWS_ACCESS_KEY_ID"] = nil
            let second = try await found()
            #expect(second.accessKey == "ASIAWEB" && second.secretKey == "websecret" && second.expires != nil)
            let form = try #require(asked.value.last.map { String(decoding: $0.body, as: UTF8.self) })
            #expect(form.contains("Action=AssumeRoleWithWebIdentity") && form.contains("WebIdentityToken=web%20token"))

            environment["AWS_ROLE_ARN"] = nil
            #expect(try await found().accessKey == "AKIAFILE")

            environment["AWS_SHARED_CREDENTIALS_FILE"] = scratch.appendingPathComponent("none").path
            #expect(try await found().accessKey == "ASIABOX")
            #expect(asked.value.last?.head.contains("Authorization: Bearer x") == true)

            environment["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = nil
            let last = try await found()
            #expect(last.accessKey == "ASIAMACHINE" && last.sessionToken == "t")
            #expect(asked.value.last?.head.contains("X-aws-ec2-metadata-token: imds-token") == true)
            let tokenRequest = asked.value.first { $0.head[0].hasPrefix("PUT /latest/api/token") }
            #expect(tokenRequest?.head.contains("X-aws-ec2-metadata-token-ttl-seconds: 21600") == true)

            environment["AWS_EC2_METADATA_DISABLED"] = "true"
            let missing = await failure { _ = try await found() }
            #expect(missing?.code == .credentialsMissing)
            #expect(missing?.fix.contains("AWS_ACCESS_KEY_ID") == true)
        }
    }

    @Test("profiles are found in either file, and say what they lack")
    func profiles() async throws {
        try await withScratch { scratch in
            let folder = scratch.appendingPathComponent(".aws")
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: false)
            try Data(
                """
                # comment
                [default]
                aws_access_key_id=AKIADEFAULT
                aws_secret_access_key=a=b+c
                [studio]
                aws_access_key_id = AKIASTUDIO
                aws_secret_access_key = s
                aws_session_token = t
                [half]
                aws_access_key_id = AKIAHALF
                """.utf8
            ).write(to: folder.appendingPathComponent("credentials"))
            try Data(
                """
                [profile studio]
                region = eu-north-1
                endpoint_url = http://127.0.0.1:9
                s3 =
                    addressing_style = path
                [profile role]
                role_arn = arn:aws:iam::1:role/x
                source_profile = default
                """.utf8
            ).write(to: folder.appendingPathComponent("config"))
            let home = ["HOME": scratch.path, "AWS_ACCESS_KEY_ID": "AKIAENV", "AWS_SECRET_ACCESS_KEY": "e"]
            func found(_ profile: String) async throws -> Credentials {
                try await CredentialSource(environment: home, profile: profile, client: client).credentials()
            }
            #expect(try await found("default").secretKey == "a=b+c")
            #expect(try await found("studio").sessionToken == "t")
            let settings = try StoreSettings(environment: home, profile: "studio")
            #expect(settings.region == "eu-north-1" && settings.endpoint.authority == "127.0.0.1:9")
            for (profile, said) in [("half", "half"), ("role", "role_arn"), ("nobody", "no such profile")] {
                let error = await failure { _ = try await found(profile) }
                #expect(error?.code == .credentialsMissing)
                #expect(error?.what.contains(said) == true)
            }
        }
    }

    @Test("are asked for again before they expire, and kept until then")
    func renewal() async throws {
        let asked = Box<[LoopbackConnection.Request]>([])
        let soon = Date(timeIntervalSinceNow: 60).formatted(.iso8601)
        let server = try LoopbackServer { connection in
            while let request = connection.readRequest() {
                asked.update { $0.append(request) }
                connection.answer(
                    lent("ASIA\(asked.value.count)", expires: asked.value.count == 1 ? soon : "2099-01-01T00:00:00Z"))
            }
        }
        let source = CredentialSource(
            environment: [
                "HOME": "/nonexistent",
                "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:\(server.port)/c",
            ], client: client)
        #expect(try await source.credentials().accessKey == "ASIA1")
        #expect(try await source.credentials().accessKey == "ASIA2")
        #expect(try await source.credentials().accessKey == "ASIA2")
        #expect(asked.value.count == 2)
    }

    @Test("are never asked for in clear from a host that is not this one")
    func farContainer() async throws {
        let source = CredentialSource(
            environment: ["HOME": "/nonexistent", "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://example.com/c"],
            client: client)
        #expect(await failure { _ = try await source.credentials() }?.code == .credentialsMissing)
    }
}
