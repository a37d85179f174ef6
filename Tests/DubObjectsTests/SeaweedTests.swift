import DubCore
import DubHTTP
import DubTestKit
import Foundation
import Testing

@testable import DubObjects

/// A store in a SeaweedFS of its own, with a bucket `mill`.
private struct Mill {
    let client = HTTPClient()
    let address: String

    func store(_ limits: ObjectStore.Limits = .init(), address: String? = nil, secret: String? = nil) throws
        -> ObjectStore
    {
        ObjectStore(
            try StoreSettings(environment: ["HOME": "/nonexistent"], endpoint: address ?? self.address),
            credentials: CredentialSource(
                Credentials(accessKey: SeaweedFS.accessKey, secretKey: secret ?? SeaweedFS.secretKey)), client: client,
            limits: limits, retries: RetryPolicy(attempts: 8))
    }

    func name(_ key: String) -> ObjectName { ObjectName(bucket: "mill", key: key) }

    func fetch(_ method: String, _ url: String, _ body: String? = nil) async throws -> HTTPResponse {
        try await client.send(HTTPRequest(method, url, body: body.map { .data(Data($0.utf8)) } ?? .none))
    }

    static func run(_ body: @Sendable @escaping (Mill, URL) async throws -> Void) async throws {
        try await SeaweedFS.run { server in
            let mill = Mill(address: server.address)
            let store = try mill.store()
            _ = try await store.exchange(
                store.endpoint.request("PUT", ObjectName(bucket: "mill", key: "")), at: "s3://mill")
            try await withScratch { try await body(mill, $0) }
        }
    }
}

/// `size` bytes that nothing repeats in.
private func write(_ size: Int, to path: String, seed: UInt64 = 1) throws {
    var random = SeededRandom(seed: seed)
    var data = Data(capacity: size + 8)
    while data.count < size { withUnsafeBytes(of: random.next()) { data.append(contentsOf: $0) } }
    try data.prefix(size).write(to: URL(fileURLWithPath: path))
}

@Suite(
    "A real SeaweedFS", .serialized,
    .enabled(if: SeaweedFS.program != nil, "SeaweedFS is not installed: make test-services installs and runs these"))
struct SeaweedTests {
    @Test("what is put is listed, headed, fetched whole, created only once, and deleted")
    func roundTrip() async throws {
        try await Mill.run { mill, scratch in
            let store = try mill.store()
            let file = scratch.appendingPathComponent("f").path
            let back = scratch.appendingPathComponent("b").path
            let keys = ["a b/ñ+~(1)*.mp4", "a/b/.c/..d", "%2F&<>\"'=?#", "漢字", "empty"]
            for (number, key) in keys.enumerated() {
                try write(key == "empty" ? 0 : 100_000 + number, to: file, seed: UInt64(number))
                let put = try await store.put(
                    fileAt: file, to: mill.name(key), options: PutOptions(type: "video/mp4", createOnly: true))
                let there = try await store.head(mill.name(key))
                #expect(there.digest == put.digest && there.size == put.size && there.tag == put.tag)
                try await store.get(mill.name(key), to: back)
                #expect(try Digest.of(fileAt: back) == put.digest)
                let again = await failure {
                    try await store.put(fileAt: file, to: mill.name(key), options: PutOptions(createOnly: true))
                }
                #expect(again?.code == .objectExists)
            }
            var listed: [String] = []
            for try await entry in store.list(bucket: "mill", pageSize: 2) { listed.append(entry.key) }
            #expect(listed.sorted() == keys.sorted())
            for key in keys { try await store.delete(mill.name(key)) }
            try await store.delete(mill.name("never there"))
            #expect(await failure { _ = try await store.head(mill.name("漢字")) }?.code == .objectMissing)
            #expect(await failure { try await store.get(mill.name("漢字"), to: back + "x") }?.code == .objectMissing)
            #expect(!FileManager.default.fileExists(atPath: back + "x"))
            let wrong = try mill.store(secret: "wrong")
            #expect(await failure { _ = try await wrong.put(fileAt: file, to: mill.name("x")) }?.code == .objectDenied)
        }
    }

    @Test("tags, storage class and encryption are kept; a customer's key is needed to read")
    func options() async throws {
        try await Mill.run { mill, scratch in
            var limits = ObjectStore.Limits()
            limits.multipartFrom = 6 << 20
            limits.partSize = 5 << 20
            let store = try mill.store(limits)
            let small = scratch.appendingPathComponent("small").path
            let large = scratch.appendingPathComponent("large").path
            let back = scratch.appendingPathComponent("back").path
            try write(70_000, to: small)
            try write(11 << 20, to: large)
            let key = try #require(CustomerKey(Data((0..<32).map { UInt8($0) })))
            let other = try #require(CustomerKey(Data((1..<33).map { UInt8($0) })))
            for file in [small, large] {
                let digest = try Digest.of(fileAt: file)
                let tagged = PutOptions(
                    encryption: .managed, storageClass: "STANDARD_IA", tags: ["retain": "30d", "a b": "ñ&="])
                try await store.put(fileAt: file, to: mill.name("tagged"), options: tagged)
                if file == small {
                    #expect(try await store.tags(of: mill.name("tagged")) == ["retain": "30d", "a b": "ñ&="])
                }
                try await store.get(mill.name("tagged"), to: back, expecting: digest)

                try await store.put(
                    fileAt: file, to: mill.name("sealed"), options: PutOptions(encryption: .customer(key)))
                try await store.get(mill.name("sealed"), to: back, expecting: digest, key: key)
                #expect(try Digest.of(fileAt: back) == digest)
                #expect(await failure { try await store.get(mill.name("sealed"), to: back + "2") } != nil)
                #expect(await failure { try await store.get(mill.name("sealed"), to: back + "2", key: other) } != nil)
            }
        }
    }

    @Test("a large file goes up in parts side by side and comes back in ranges")
    func multipart() async throws {
        try await Mill.run { mill, scratch in
            var limits = ObjectStore.Limits(journals: scratch.appendingPathComponent("journals").path)
            limits.multipartFrom = 6 << 20
            limits.partSize = 5 << 20
            let store = try mill.store(limits)
            let file = scratch.appendingPathComponent("f").path
            let back = scratch.appendingPathComponent("b").path
            try write((23 << 20) + 17, to: file)
            let put = try await store.put(fileAt: file, to: mill.name("large"), options: PutOptions(createOnly: true))
            #expect(put.tag.hasSuffix("-5"))
            try await store.get(mill.name("large"), to: back)
            #expect(try Digest.of(fileAt: back) == put.digest)
            #expect(try FileManager.default.contentsOfDirectory(atPath: "\(scratch.path)/journals").isEmpty)
            let again = await failure {
                try await store.put(fileAt: file, to: mill.name("large"), options: PutOptions(createOnly: true))
            }
            #expect(again?.code == .objectExists)
            #expect(try await mill.uploads() == 0, "a refused upload leaves no parts")
            let wrong = await failure {
                try await store.get(mill.name("large"), to: back + "2", expecting: .of("something else"))
            }
            #expect(wrong?.code == .objectDamaged)
            #expect(!FileManager.default.fileExists(atPath: back + "2"))
        }
    }

    @Test("an upload whose server went away goes on with the parts that are there; one that is cancelled leaves none")
    func resume() async throws {
        try await Mill.run { mill, scratch in
            var limits = ObjectStore.Limits(journals: scratch.appendingPathComponent("journals").path)
            limits.multipartFrom = 6 << 20
            limits.partSize = 5 << 20
            limits.partsAtOnce = 1
            let file = scratch.appendingPathComponent("f").path
            try write(21 << 20, to: file)
            let proxy = try FaultyProxy(to: mill.address)
            // Parts one and two go through, the third never does.
            proxy.rule = { request in
                request.contains("partNumber=3") || request.contains("partNumber=4") ? .drop : .pass
            }
            var store = try mill.store(limits, address: proxy.address)
            store.retries.attempts = 2
            let interrupted = store
            let error = await failure { try await interrupted.put(fileAt: file, to: mill.name("r")) }
            #expect(error?.persistence == .transient)
            #expect(try await mill.uploads() == 1, "the parts stay for the next try")
            proxy.requests.value = []
            proxy.rule = { _ in .pass }
            let put = try await mill.store(limits, address: proxy.address).put(fileAt: file, to: mill.name("r"))
            let sent = proxy.requests.value.filter { $0.contains("partNumber=") && $0.hasPrefix("PUT") }
            #expect(sent.count == 3, "parts 3 to 5 alone: \(sent)")
            #expect(put.digest == (try Digest.of(fileAt: file)))
            #expect(try await mill.uploads() == 0)

            // The third part hangs; the task is cancelled meanwhile.
            let reached = Box(false)
            proxy.rule = { request in
                guard request.contains("partNumber=3") else { return .pass }
                reached.value = true
                return .hang
            }
            let hanging = store
            let task = Task { try await hanging.put(fileAt: file, to: mill.name("c")) }
            #expect(try await eventually { reached.value })
            task.cancel()
            await #expect(throws: CancellationError.self) { try await task.value }
            #expect(try await mill.uploads() == 0, "a cancelled upload is given up")
            #expect(try FileManager.default.contentsOfDirectory(atPath: "\(scratch.path)/journals").isEmpty)
        }
    }

    @Test("a put whose answers are lost is not reported as a collision with itself")
    func lostAnswer() async throws {
        try await Mill.run { mill, scratch in
            let file = scratch.appendingPathComponent("f").path
            try write(50_000, to: file)
            let proxy = try FaultyProxy(to: mill.address)
            let lost = Box(1)
            proxy.rule = { request in
                guard request.hasPrefix("PUT"), lost.value > 0 else { return .pass }
                lost.value -= 1
                return .loseAnswer
            }
            let store = try mill.store(address: proxy.address)
            let put = try await store.put(fileAt: file, to: mill.name("x"), options: PutOptions(createOnly: true))
            #expect(put.digest == (try Digest.of(fileAt: file)))
            #expect(proxy.requests.value.filter { $0.hasPrefix("PUT") }.count == 2)
        }
    }

    @Test("bytes that are changed on the way are refused by the store, and by us on the way back")
    func changedBytes() async throws {
        try await Mill.run { mill, scratch in
            let file = scratch.appendingPathComponent("f").path
            let back = scratch.appendingPathComponent("b").path
            try write(50_000, to: file)
            let proxy = try FaultyProxy(to: mill.address)
            let store = try mill.store(address: proxy.address)
            proxy.rule = { $0.hasPrefix("PUT") ? .flipBody : .pass }
            #expect(await failure { try await store.put(fileAt: file, to: mill.name("x")) }?.code == .objectDamaged)
            #expect(await failure { _ = try await store.head(mill.name("x")) }?.code == .objectMissing)
            proxy.rule = { _ in .pass }
            try await store.put(fileAt: file, to: mill.name("x"))
            proxy.rule = { $0.hasPrefix("GET") ? .flipAnswer : .pass }
            #expect(await failure { try await store.get(mill.name("x"), to: back) }?.code == .objectDamaged)
            #expect(!FileManager.default.fileExists(atPath: back))
        }
    }

    @Test("signed addresses are accepted; tampered, expired, of another method or over seven days refused")
    func presigned() async throws {
        try await Mill.run { mill, scratch in
            let store = try mill.store()
            let name = mill.name("a b/ñ+~(1)*.mp4")
            let put = try await store.presigned(name, method: "PUT", expires: .seconds(60))
            #expect(try await mill.fetch("PUT", put, "grist").status == 200)
            let get = try await store.presigned(name, expires: .seconds(604_800))
            let answer = try await mill.fetch("GET", get)
            #expect(answer.status == 200 && answer.body == Data("grist".utf8))
            #expect(try await mill.fetch("DELETE", get).status == 403)
            #expect(try await mill.fetch("PUT", get, "x").status == 403)
            #expect(try await mill.fetch("GET", get.replacing("mp4", with: "mp3")).status == 403)
            #expect(try await mill.fetch("GET", get.replacing("Expires=604800", with: "Expires=604799")).status == 403)
            let last = try #require(get.last)
            #expect(try await mill.fetch("GET", get.dropLast() + (last == "0" ? "1" : "0")).status == 403)
            let old = try await store.presigned(name, expires: .seconds(60), at: Date(timeIntervalSinceNow: -120))
            #expect(try await mill.fetch("GET", old).status == 403)
            let wrong = try await mill.store(secret: "wrong").presigned(name, expires: .seconds(60))
            #expect(try await mill.fetch("GET", wrong).status == 403)
            // By a stranger's signer that allows it: the store does not.
            let long = get.replacing("Expires=604800", with: "Expires=604801")
            #expect([400, 403].contains(try await mill.fetch("GET", long).status))
        }
    }

    @Test("an object as an input comes in pieces, once, and is refused where it is replaced meanwhile")
    func input() async throws {
        try await Mill.run { mill, scratch in
            let proxy = try FaultyProxy(to: mill.address)
            let (store, plain) = (try mill.store(address: proxy.address), try mill.store())
            let file = scratch.appendingPathComponent("f").path
            let cache = InputCache(folder: scratch.appendingPathComponent("inputs").path, pieceSize: 100_000)
            try write(950_000, to: file)
            let digest = try await plain.put(fileAt: file, to: mill.name("in/film.mp4")).digest
            let input = BucketFile(mill.name("in/film.mp4"), in: store)
            let path = try await cache.fetch(input)
            #expect(path.hasSuffix("/inputs/\(digest?.hex ?? "")/film.mp4"))
            #expect(try Digest.of(fileAt: path) == digest)
            proxy.requests.value = []
            #expect(try await cache.fetch(input) == path)
            #expect(proxy.requests.value.allSatisfy { $0.hasPrefix("HEAD") })
            try write(950_000, to: file, seed: 2)
            _ = try await plain.put(fileAt: file, to: mill.name("in/film.mp4"))
            let count = Box(0)
            let isReplaced = Box(false)
            // What comes behind the fourth is asked for again until it is another object.
            proxy.rule = { request in
                guard request.hasPrefix("GET") else { return .pass }
                count.update { $0 += 1 }
                return count.value >= 5 && !isReplaced.value ? .drop : .pass
            }
            let fetching = Task { try await cache.fetch(input) }
            #expect(try await eventually { count.value >= 5 })
            try write(950_000, to: file, seed: 3)
            let last = try await plain.put(fileAt: file, to: mill.name("in/film.mp4")).digest
            isReplaced.value = true
            let result = await fetching.result
            proxy.rule = { _ in .pass }
            #expect(await failure { _ = try result.get() }?.code == .inputChanged)
            #expect(try Digest.of(fileAt: try await cache.fetch(input)) == last)
        }
    }

    @Test("lifecycle rules are written and read back")
    func lifecycle() async throws {
        try await Mill.run { mill, _ in
            let store = try mill.store()
            #expect(try await store.lifecycle(bucket: "mill").isEmpty)
            let rules = [
                LifecycleRule("all", expireOldVersionDays: 3, abortUploadDays: 7),
                LifecycleRule("tag", tags: ["retain": "30d"], expireDays: 30),
                LifecycleRule("both", prefix: "p/<&>", tags: ["a": "b", "c": "d"], expireDays: 1, isEnabled: false),
            ]
            try await store.setLifecycle(rules, bucket: "mill")
            #expect(try await store.lifecycle(bucket: "mill") == rules)
            try await store.setLifecycle([], bucket: "mill")
            #expect(try await store.lifecycle(bucket: "mill").isEmpty)
        }
    }
}

extension Mill {
    /// How many uploads in parts are under way.
    fileprivate func uploads() async throws -> Int {
        let store = try store()
        let request = store.endpoint.request("GET", name(""), query: [.init("uploads")])
        let reply = ReplyReader.read(try await store.exchange(request, at: "s3://mill").response.body)
        return reply.children.first?.children.filter { $0.name == "Upload" }.count ?? 0
    }
}
