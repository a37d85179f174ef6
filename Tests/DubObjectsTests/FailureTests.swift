import DubCore
import DubHTTP
import DubTestKit
import Foundation
import Testing

@testable import DubObjects

/// What a store says that fails, is busy, or lies.
@Suite("A store that fails")
struct FailureTests {
    /// A store that answers by a script, and a client that notes its waits instead of waiting.
    private struct Stage {
        let requests = Box<[LoopbackConnection.Request]>([])
        let waits = Box<[Duration]>([])
        let server: LoopbackServer
        let store: ObjectStore

        init(
            limits: ObjectStore.Limits = .init(),
            _ answer: @escaping @Sendable (Int, LoopbackConnection.Request, LoopbackConnection) -> Bool
        ) throws {
            let requests = requests
            let waits = waits
            server = try LoopbackServer { connection in
                while let request = connection.readRequest() {
                    requests.update { $0.append(request) }
                    guard answer(requests.value.count, request, connection) else { return }
                }
            }
            var retries = RetryPolicy()
            retries.wait = { pause in waits.update { $0.append(pause) } }
            store = ObjectStore(
                try StoreSettings(environment: ["HOME": "/nonexistent"], endpoint: "http://127.0.0.1:\(server.port)"),
                credentials: CredentialSource(Credentials(accessKey: "A", secretKey: "S")), client: HTTPClient(),
                limits: limits, retries: retries)
        }

        static func error(_ code: String) -> String { "<?xml version=\"1.0\"?><Error><Code>\(code)</Code></Error>" }
    }

    private let name = ObjectName(bucket: "mill", key: "k")

    @Test("a busy store is asked again as late as it says, and else with doubling bounds")
    func slowDown() async throws {
        let stage = try Stage { count, _, connection in
            switch count {
            case 1:
                connection.answer(Stage.error("SlowDown"), status: "503 Slow Down", headers: ["Retry-After: 7"])
            case 2, 3: connection.answer(Stage.error("SlowDown"), status: "503 Slow Down")
            default: connection.answer("", headers: ["ETag: \"t\""])
            }
        }
        try await withScratch { scratch in
            let file = scratch.appendingPathComponent("f")
            try Data("grist".utf8).write(to: file)
            #expect(try await stage.store.put(fileAt: file.path, to: name).tag == "t")
        }
        let waits = stage.waits.value
        #expect(waits.count == 3 && waits[0] == .seconds(7))
        #expect(waits[1] <= .milliseconds(400) && waits[2] <= .milliseconds(800))
        #expect(stage.requests.value.allSatisfy { $0.body == Data("grist".utf8) }, "each try sends all of it")
    }

    @Test(
        "what can help is tried five times, what cannot once",
        arguments: [
            ("500 Internal Server Error", "InternalError", 5, DubError.Code.objectUnavailable),
            ("503 Slow Down", "SlowDown", 5, .objectUnavailable), ("429 Too Many", "", 5, .objectUnavailable),
            ("400 Bad Request", "RequestTimeout", 5, .objectUnavailable),
            ("403 Forbidden", "SignatureDoesNotMatch", 1, .objectDenied),
            ("403 Forbidden", "RequestTimeTooSkewed", 1, .objectDenied),
            ("404 Not Found", "NoSuchBucket", 1, .objectMissing),
            ("400 Bad Request", "BadDigest", 1, .objectDamaged),
            ("412 Precondition Failed", "PreconditionFailed", 1, .objectExists),
            ("301 Moved", "PermanentRedirect", 1, .objectRefused),
            ("501 Not Implemented", "NotImplemented", 1, .objectRefused),
        ])
    func classes(status: String, code: String, tries: Int, expected: DubError.Code) async throws {
        let stage = try Stage { _, _, connection in connection.answer(Stage.error(code), status: status) }
        let error = await failure { _ = try await stage.store.lifecycle(bucket: "mill") }
        #expect(error?.code == expected)
        #expect(stage.requests.value.count == tries)
        #expect(error?.persistence == (tries > 1 ? .transient : .permanent))
    }

    @Test("connections that drop are made again; a store that is gone is an error that may pass")
    func drops() async throws {
        let stage = try Stage { count, _, connection in
            count >= 3 && connection.answer("", headers: ["ETag: \"t\"", "Content-Type: a/b"])
        }
        #expect(try await stage.store.head(name).tag == "t")
        let gone = try Stage { _, _, _ in false }
        let error = await failure { _ = try await gone.store.head(name) }
        #expect(error?.persistence == .transient && gone.requests.value.count == 5)
    }

    @Test("a store that says it received other bytes is not believed")
    func lyingChecksum() async throws {
        let stage = try Stage { _, _, connection in
            connection.answer(
                "", headers: ["ETag: \"t\"", "x-amz-checksum-sha256: \(Digest.of("x").bytes.base64EncodedString())"])
        }
        try await withScratch { scratch in
            let file = scratch.appendingPathComponent("f")
            try Data("grist".utf8).write(to: file)
            #expect(await failure { try await stage.store.put(fileAt: file.path, to: name) }?.code == .objectDamaged)
        }
    }

    @Test("an object that is shorter or other than the store says is fetched twice, then refused")
    func lyingObject() async throws {
        let kept = "x-amz-meta-dubmill-sha256: \(Digest.of("grist").hex)"
        try await withScratch { scratch in
            let path = scratch.appendingPathComponent("f").path
            let other = try Stage { _, request, connection in
                if request.head[0].hasPrefix("HEAD") {
                    return connection.write("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\(kept)\r\n\r\n")
                }
                return connection.answer("flour", headers: [kept])
            }
            #expect(await failure { try await other.store.get(name, to: path) }?.code == .objectDamaged)
            #expect(other.requests.value.filter { $0.head[0].hasPrefix("GET") }.count == 2)
            let short = try Stage { _, request, connection in
                if request.head[0].hasPrefix("HEAD") {
                    return connection.write("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\(kept)\r\n\r\n")
                }
                connection.write("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\(kept)\r\n\r\ngri")
                return false
            }
            #expect(await failure { try await short.store.get(name, to: path) }?.persistence == .transient)
            #expect(try FileManager.default.contentsOfDirectory(atPath: scratch.path).isEmpty)
        }
    }

    @Test("a completion that begins with 200 and ends with an error is an error; its parts are given up")
    func lateError() async throws {
        var limits = ObjectStore.Limits()
        limits.multipartFrom = 4
        limits.partSize = 1 << 20
        let stage = try Stage(limits: limits) { _, request, connection in
            let line = request.head[0]
            if line.hasPrefix("POST"), line.contains("uploads=") {
                return connection.answer(
                    "<InitiateMultipartUploadResult><UploadId>u1</UploadId></InitiateMultipartUploadResult>")
            }
            if line.hasPrefix("POST") { return connection.answer(Stage.error("InvalidPart")) }
            return connection.answer("", headers: ["ETag: \"p\""])
        }
        try await withScratch { scratch in
            let file = scratch.appendingPathComponent("f")
            try Data("grist".utf8).write(to: file)
            #expect(await failure { try await stage.store.put(fileAt: file.path, to: name) }?.code == .objectRefused)
        }
        #expect(stage.requests.value.last?.head[0].hasPrefix("DELETE /mill/k?uploadId=u1 ") == true)
    }

    @Test("a store that knows no ranges gives the whole")
    func noRanges() async throws {
        var limits = ObjectStore.Limits()
        limits.multipartFrom = 4
        let stage = try Stage(limits: limits) { _, request, connection in
            if request.head[0].hasPrefix("HEAD") {
                return connection.write("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nETag: \"t\"\r\n\r\n")
            }
            return connection.answer("grist", headers: ["ETag: \"t\""])
        }
        try await withScratch { scratch in
            let path = scratch.appendingPathComponent("f").path
            let entry = try await stage.store.get(name, to: path)
            #expect(entry.size == 5)
            #expect(FileManager.default.contents(atPath: path) == Data("grist".utf8))
        }
    }

    @Test("an object that is replaced while its ranges are fetched is fetched anew, never mixed")
    func replaced() async throws {
        var limits = ObjectStore.Limits()
        limits.multipartFrom = 4
        limits.partSize = 1 << 20
        limits.partsAtOnce = 1
        let old = String(repeating: "o", count: (1 << 20) + 5)
        let new = String(repeating: "n", count: (1 << 20) + 5)
        let gets = Box(0)
        let stage = try Stage(limits: limits) { _, request, connection in
            let isNew = gets.value >= 1
            if request.head[0].hasPrefix("HEAD") {
                return connection.write(
                    "HTTP/1.1 200 OK\r\nContent-Length: \(old.count)\r\nETag: \"\(isNew ? "n" : "o")\"\r\n\r\n")
            }
            gets.update { $0 += 1 }
            guard request.head.contains("If-Match: \"\(isNew ? "n" : "o")\"") else {
                return connection.answer(Stage.error("PreconditionFailed"), status: "412 Precondition Failed")
            }
            let range = request.head.first { $0.hasPrefix("Range: bytes=") }?.dropFirst(13).split(separator: "-") ?? []
            let (first, last) = (Int(range[0]) ?? 0, Int(range[1]) ?? 0)
            let body = (isNew ? new : old).dropFirst(first).prefix(last - first + 1)
            return connection.answer(
                String(body), status: "206 Partial Content",
                headers: ["Content-Range: bytes \(first)-\(last)/\(old.count)"])
        }
        try await withScratch { scratch in
            let path = scratch.appendingPathComponent("f").path
            try await stage.store.get(name, to: path)
            #expect(try String(contentsOfFile: path, encoding: .utf8) == new)
        }
    }
}
