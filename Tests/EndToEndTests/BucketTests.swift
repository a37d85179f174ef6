import DubCore
import DubTestKit
import Foundation
import Testing

extension EndToEnd {
    /// `dubmill sign` and `dubmill copy`.
    @Suite struct Buckets {
        private static let keys = ["AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "hushhush"]

        @Test("sign prints the address alone, in the styles that there are")
        func sign() async throws {
            try await withScratch { scratch in
                let mill = try Mill(in: scratch)
                let amazon = try await mill.dubmill(
                    "sign", "s3://films/a b/ñ.mp4", "--expires", "7d", "--region", "eu-west-1", environment: Self.keys)
                #expect(amazon.status == 0 && amazon.stderr.isEmpty)
                let url = "https://films.s3.eu-west-1.amazonaws.com/a%20b/%C3%B1.mp4?X-Amz-Algorithm=AWS4-HMAC-SHA256"
                #expect(amazon.stdout.hasPrefix(url) && amazon.stdout.contains("X-Amz-Expires=604800&"))
                #expect(amazon.stdout.split(separator: "\n").count == 1 && !amazon.stdout.contains("hush"))
                let own = try await mill.dubmill(
                    "sign", "s3://films/a", "--expires", "12h", "--endpoint", "http://127.0.0.1:9000/",
                    environment: Self.keys)
                #expect(own.stdout.hasPrefix("http://127.0.0.1:9000/films/a?") && own.stdout.contains("=43200&"))
            }
        }

        @Test("sign makes addresses for Google and CloudFront with keys of their own")
        func delivery() async throws {
            try await withScratch { scratch in
                let mill = try Mill(in: scratch)
                let account = Tool.repository.appendingPathComponent("Tests/Fixtures/sigv4/service-account.json")
                let google = try await mill.dubmill(
                    "sign", "gs://films/a b", "--expires", "12h",
                    environment: ["GOOGLE_APPLICATION_CREDENTIALS": account.path])
                #expect(google.status == 0, "\(google.stderr)")
                #expect(google.stdout.hasPrefix("https://storage.googleapis.com/films/a%20b?X-Goog-Algorithm=GOOG4-"))
                let fields = try #require(
                    try JSONSerialization.jsonObject(with: Data(contentsOf: account)) as? [String: String])
                try fields["private_key"]?.write(toFile: mill.path("pem"), atomically: true, encoding: .utf8)
                let front = try await mill.dubmill(
                    "sign", "https://d1.cloudfront.net/a.mp4", "--expires", "30d", "--key", mill.path("pem"),
                    "--key-id", "K2JCJMDEHXQW5F", "--from", "192.0.2.7")
                #expect(front.status == 0, "\(front.stderr)")
                #expect(front.stdout.hasPrefix("https://d1.cloudfront.net/a.mp4?Policy="))
                #expect(front.stdout.hasSuffix("&Key-Pair-Id=K2JCJMDEHXQW5F\n"))
                let without = try await mill.dubmill("sign", "gs://films/a")
                #expect(without.status == 1 && without.stderr.contains("client_email"))
            }
        }

        @Test(
            "what cannot be signed is refused with what to do",
            arguments: [
                (["s3://films/a", "--expires", "8d"], Int32(64), "seven days"),
                (["s3://films/a", "--expires", "1.5s"], 64, "whole seconds"),
                (["s3://films/a", "--expires", "soon"], 64, "3600s"),
                (["films/a"], 1, "s3://bucket/key"), (["s3://films/a", "--method", "PATCH"], 64, "GET, HEAD"),
                (["s3://films/a", "--profile", "nobody"], 1, "~/.aws/credentials"),
            ])
        func refused(arguments: [String], status: Int32, fix: String) async throws {
            try await withScratch { scratch in
                let outcome = try await Mill(in: scratch).start(["sign"] + arguments, Self.keys).finish()
                #expect(outcome.status == status, "\(outcome.stderr)")
                #expect(outcome.stdout.isEmpty && outcome.stderr.contains(fix), "\(outcome.stderr)")
                #expect(!outcome.stderr.contains("hush"))
            }
        }

        @Test(
            "copy, killed in the middle of a large file, goes on where it was; ^C leaves nothing behind",
            .enabled(if: SeaweedFS.program != nil, "SeaweedFS is not installed: make test-services installs it"))
        func copy() async throws {
            try await SeaweedFS.run { server in
                try await withScratch { scratch in
                    let mill = try Mill(in: scratch)
                    let proxy = try FaultyProxy(to: server.address)
                    let environment = [
                        "AWS_ACCESS_KEY_ID": SeaweedFS.accessKey, "AWS_SECRET_ACCESS_KEY": SeaweedFS.secretKey,
                        "AWS_ENDPOINT_URL_S3": proxy.address,
                    ]
                    // SeaweedFS makes a bucket of the first object that is put there by its owner.
                    let small = mill.path("small")
                    try Data("grist".utf8).write(to: URL(fileURLWithPath: small))
                    let first = try await mill.dubmill("copy", small, "s3://films/", environment: environment)
                    #expect(first.status == 0, "\(first.stderr)")
                    #expect(first.stdout == "s3://films/small\t5\t\(Digest.of("grist").hex)\n")

                    let large = mill.path("large")
                    try Data("film".utf8).write(to: URL(fileURLWithPath: large))
                    try #require(FileHandle(forWritingAtPath: large)).truncate(atOffset: 90 << 20)
                    let arrived = Box<Set<String>>([])
                    proxy.rule = { request in
                        guard request.contains("partNumber=") else { return .pass }
                        let part = String(request.split(separator: "partNumber=")[1].prefix(1))
                        arrived.update { $0.insert(part) }
                        return ["1", "2"].contains(part) ? .pass : .hang
                    }
                    let running = try mill.start(["copy", large, "s3://films/large"], environment)
                    #expect(try await eventually { arrived.value.count >= 6 })
                    #expect(try await eventually { mill.notes == 3 }, "two parts are noted")
                    running.signal(SIGKILL)
                    #expect(try await running.finish().status == 128 + SIGKILL)

                    proxy.requests.value = []
                    proxy.rule = { _ in .pass }
                    let second = try await mill.dubmill("copy", large, "s3://films/large", environment: environment)
                    #expect(second.status == 0, "\(second.stderr)")
                    let sent = proxy.requests.value.filter { $0.hasPrefix("PUT") }
                    #expect(sent.count == 4, "parts 3 to 6 alone: \(sent)")
                    #expect(mill.notes == 0)
                    let back = try await mill.dubmill(
                        "copy", "s3://films/large", mill.path("back"), environment: environment)
                    #expect(back.status == 0, "\(back.stderr)")
                    #expect(try Digest.of(fileAt: mill.path("back")) == Digest.of(fileAt: large))
                    let again = try await mill.dubmill(
                        "copy", large, "s3://films/large", "--create-only", environment: environment)
                    #expect(again.status == 1 && again.stderr.contains("object.exists"), "\(again.stderr)")

                    arrived.value = []
                    proxy.requests.value = []
                    proxy.rule = { request in
                        guard request.contains("partNumber=3") else { return .pass }
                        arrived.update { $0.insert("3") }
                        return .hang
                    }
                    let other = try mill.start(["copy", large, "s3://films/other"], environment)
                    #expect(try await eventually { !arrived.value.isEmpty })
                    other.signal(SIGINT)
                    #expect(try await other.finish().status == 130)
                    #expect(proxy.requests.value.last?.hasPrefix("DELETE /films/other?uploadId=") == true)
                    #expect(mill.notes == 0)
                }
            }
        }
    }
}

extension Mill {
    /// Whole lines in all journals of uploads.
    fileprivate var notes: Int {
        let folder = path("user/.local/state/dubmill/uploads")
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return names.reduce(0) { total, name in
            total + (FileManager.default.contents(atPath: "\(folder)/\(name)")?.count { $0 == UInt8(ascii: "\n") } ?? 0)
        }
    }
}
