import DubCore
import DubHTTP
import DubLedger
import DubRunner
import DubTestKit
import Foundation
import Testing

@testable import DubObjects
@testable import DubPublish

/// Publishing into a SeaweedFS, behind a proxy that spoils what passes.
@Suite(
    .serialized,
    .enabled(if: SeaweedFS.program != nil, "SeaweedFS is not installed: make test-services installs and runs these"))
struct PublishSeaweedTests {
    private func store(_ address: String) throws -> ObjectStore {
        ObjectStore(
            try StoreSettings(environment: ["HOME": "/nonexistent"], endpoint: address),
            credentials: CredentialSource(
                Credentials(accessKey: SeaweedFS.accessKey, secretKey: SeaweedFS.secretKey)),
            client: HTTPClient(), retries: RetryPolicy(attempts: 4, first: .milliseconds(5)))
    }

    private func with(
        _ body: @Sendable @escaping (Made, FaultyProxy, ObjectStore) async throws -> Void
    ) async throws {
        try await SeaweedFS.run { server in
            try await withScratch { scratch in
                let proxy = try FaultyProxy(to: server.address)
                try await body(try Made(in: scratch), proxy, try store(proxy.address))
            }
        }
    }

    @Test("goes up with its types and tags, and is found the next time; for longer, it is marked anew")
    func publishes() async throws {
        try await with { made, proxy, store in
            let bucket = BucketDestination(store, bucket: "films")
            let publication = try await made.ledger.intend(made.draft(to: "s3://films/p", retain: 30).publication)
            #expect(try await made.publisher(bucket).publish(publication) == .init(sent: 4, found: 0))
            #expect(try await faults(of: publication, at: bucket, in: "p/") == [])
            let key = try #require(publication.files.first { $0.kind == "video" }?.key)
            let tags = try await store.tags(of: ObjectName(bucket: "films", key: key))
            #expect(tags == ["dubmill-retain": "30d", "dubmill-expires": "2027-02-14"])
            #expect(try await bucket.look(at: key)?.expires == "2027-02-14")
            proxy.requests.value = []
            let again = try await made.ledger.intend(made.draft(to: "s3://films/p", retain: 30).publication)
            #expect(try await made.publisher(bucket).publish(again) == .init(sent: 0, found: 4))
            #expect(proxy.requests.value.allSatisfy { $0.hasPrefix("HEAD") }, "\(proxy.requests.value)")
            let longer = try await made.ledger.intend(made.draft(to: "s3://films/p", retain: 60).publication)
            #expect(try await made.publisher(bucket).publish(longer) == .init(sent: 4, found: 0))
            #expect(try await faults(of: longer, at: bucket, in: "p/") == [])
            #expect(try await bucket.look(at: key)?.expires == longer.expires)
        }
    }

    @Test("503, lost answers and broken connections are gone through, and nothing is there twice", arguments: 1...6)
    func troubles(seed: UInt64) async throws {
        try await with { made, proxy, store in
            let bucket = BucketDestination(store, bucket: "films")
            let random = Box(SeededRandom(seed: seed))
            proxy.rule = { _ in
                var drawn = 0
                random.update { drawn = Int.random(in: 0..<10, using: &$0) }
                return drawn < 2 ? .drop : drawn < 4 ? .loseAnswer : .pass
            }
            let publication = try await made.ledger.intend(made.draft(to: "s3://films").publication)
            for _ in 0..<20 {
                let error = await failure { try await made.publisher(bucket).publish(publication) }
                guard let error else { break }
                #expect(error.persistence == .transient, "\(error)")
            }
            proxy.rule = { _ in .pass }
            #expect(try await made.written(publication)?.state == .done)
            #expect(try await faults(of: publication, at: bucket) == [])
        }
    }

    @Test("bytes that are spoiled on the way never get a manifest")
    func spoiled() async throws {
        try await with { made, proxy, store in
            let bucket = BucketDestination(store, bucket: "films")
            proxy.rule = { $0.hasPrefix("PUT") ? .flipBody : .pass }
            let publication = try await made.ledger.intend(made.draft(to: "s3://films").publication)
            let error = await failure { try await made.publisher(bucket).publish(publication) }
            #expect(error != nil)
            proxy.rule = { _ in .pass }
            #expect(try await bucket.look(at: publication.manifestKey) == nil)
            #expect(try await made.written(publication)?.state == .pending)
            try await made.publisher(bucket).publish(publication)
            #expect(try await faults(of: publication, at: bucket) == [])
        }
    }

    @Test("in a bucket that keeps versions each file is there once, and erased with every version")
    func versions() async throws {
        try await with { made, _, store in
            let bucket = BucketDestination(store, bucket: "films")
            let whole = ObjectName(bucket: "films", key: "")
            _ = try await store.exchange(store.endpoint.request("PUT", whole), at: "films")
            let text = Data("<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>".utf8)
            _ = try await store.exchange(
                store.endpoint.request("PUT", whole, query: [.init("versioning")]), body: .data(text),
                payload: .digest(.of(text)), at: "films")
            func versions(_ publication: Publication) async throws -> [Int] {
                var counts: [Int] = []
                for key in publication.files.map(\.key) + [publication.manifestKey] {
                    counts.append(try await store.versions(of: ObjectName(bucket: "films", key: key)).count)
                }
                return counts
            }
            let publication = try await made.ledger.intend(made.draft(to: "s3://films/p", retain: 2).publication)
            try await made.publisher(bucket).publish(publication)
            try await made.publisher(bucket).publish(publication)
            #expect(try await versions(publication) == [1, 1, 1, 1])
            let longer = try await made.ledger.intend(made.draft(to: "s3://films/p", retain: 9).publication)
            try await made.publisher(bucket).publish(longer)
            #expect(try await versions(longer) == [2, 2, 2, 2])
            // A mark of a removal is a version too.
            try await store.delete(ObjectName(bucket: "films", key: longer.files[0].key))
            let eraser = Eraser(bucket)
            let removed = try await eraser.carryOut(try await eraser.plan(longer, others: []))
            #expect(removed.map(\.versions) == [2, 2, 2, 2])
            #expect(try await versions(longer) == [0, 0, 0, 0])
            #expect(try await bucket.keys(under: "").isEmpty)
        }
    }

    @Test("a rule lets go of what is tagged, is set once, and leaves other rules as they are")
    func rule() async throws {
        try await with { made, _, store in
            let bucket = BucketDestination(store, bucket: "films")
            let publication = try await made.ledger.intend(made.draft(to: "s3://films/p", retain: 3).publication)
            try await made.publisher(bucket).publish(publication)
            let other = LifecycleRule("other", prefix: "x/", expireDays: 1)
            try await store.setLifecycle([other], bucket: "films")
            #expect(await RetentionRule.ensure(days: 3, prefix: "p/", bucket: "films", in: store) == .set)
            #expect(await RetentionRule.ensure(days: 3, prefix: "p/", bucket: "films", in: store) == .there)
            let rules = try await store.lifecycle(bucket: "films")
            #expect(Set(rules) == [other, RetentionRule.rule(days: 3, prefix: "p/")])
        }
    }
}

/// A store that lies.
@Suite struct LyingStoreTests {
    @Test("a store that says it received something else, or answers 503 for ever, gets no manifest")
    func lies() async throws {
        for (status, code) in [(200, "object.damaged"), (503, "object.unavailable")] {
            let asked = Box<[String]>([])
            let server = try LoopbackServer { connection in
                while let request = connection.readRequest() {
                    asked.update { $0.append(request.head[0]) }
                    let isHead = request.head[0].hasPrefix("HEAD")
                    let lie = "x-amz-checksum-sha256: \(Digest.of("lie").bytes.base64EncodedString())\r\n"
                    let answer = isHead ? "404 Missing" : status == 200 ? "200 OK" : "503 Slow"
                    connection.write("HTTP/1.1 \(answer)\r\n\(isHead ? "" : lie)Content-Length: 0\r\n\r\n".utf8)
                }
            }
            try await withScratch { scratch in
                let made = try Made(in: scratch)
                let store = ObjectStore(
                    try StoreSettings(
                        environment: ["HOME": "/nonexistent"], endpoint: "http://127.0.0.1:\(server.port)"),
                    credentials: CredentialSource(Credentials(accessKey: "a", secretKey: "s")), client: HTTPClient(),
                    retries: RetryPolicy(attempts: 2, first: .milliseconds(1)))
                let publication = try await made.ledger.intend(made.draft(to: "s3://films").publication)
                let error = await failure {
                    try await made.publisher(BucketDestination(store, bucket: "films")).publish(publication)
                }
                #expect(error?.code.name == code, "\(String(describing: error))")
                #expect(!asked.value.contains { $0.contains("manifest.json") }, "\(asked.value)")
                #expect(try await made.written(publication)?.state == .pending)
            }
        }
    }
}
