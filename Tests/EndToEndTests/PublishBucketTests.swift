import DubCore
import DubObjects
import DubTestKit
import Foundation
import Testing

extension EndToEnd {
    /// Publishing into a bucket, by a program that is killed.
    @Suite(
        .enabled(if: SeaweedFS.program != nil, "SeaweedFS is not installed: make test-services installs and runs these")
    )
    struct PublishBuckets {
        /// How a program is struck.
        private enum Blow: CustomStringConvertible {
            /// At a request: the store does it all the same, or never hears of it.
            case request(Int, isHeard: Bool)
            /// After a share of the time that it takes.
            case time(Double)

            init(_ number: Int, using random: inout SeededRandom) {
                self =
                    number % 2 == 0
                    ? .request(Int.random(in: 1...8, using: &random), isHeard: Bool.random(using: &random))
                    : .time(Double.random(in: 0.02...1, using: &random))
            }

            var isAtRequest: Bool { if case .request = self { true } else { false } }

            var description: String {
                switch self {
                case .request(let number, let isHeard): "request \(number), \(isHeard ? "heard" : "not heard")"
                case .time(let share): String(format: "at %.2f", share)
                }
            }
        }

        @Test("killed at 100 points and begun again: every object once, no manifest without its files, done once")
        func killed() async throws {
            try await SeaweedFS.run { server in
                try await withScratch { scratch in
                    let grist = try Grist(in: scratch)
                    let proxy = try FaultyProxy(to: server.address)
                    let environment = Grist.environment(proxy.address)
                    let store = try Grist.store(server.address)
                    let (ground, report) = try await grist.run(
                        try grist.grain("a.mp4", "grist"), "--out", grist.mill.out)
                    #expect(ground.status == 0, "\(ground.stderr)")
                    let run = try #require(report["run"]?.string)
                    // The first makes the bucket, which takes its time.
                    var elapsed = Duration.seconds(10)
                    for name in ["first", "second", "third"] {
                        let whole = try await grist.mill.start(
                            ["publish", run, "--to", "s3://films/\(name)"], environment
                        ).finish()
                        #expect(whole.status == 0, "\(whole.stderr)")
                        let shelf = try await Shelf(store, "films", name + "/", scratch: scratch)
                        #expect(shelf.digests.count == 4 && shelf.manifests.count == 1 && shelf.lost.isEmpty)
                        elapsed = min(elapsed, whole.elapsed)
                    }
                    var (hits, number) = (0, 0)
                    while hits < 100, number < 160 {
                        defer { number += 1 }
                        var random = SeededRandom(seed: 7_000_003 &+ UInt64(number))
                        let blow = Blow(number, using: &random)
                        let what: Comment = "\(number): \(blow)"
                        let place = "s3://films/p\(number)"
                        let command = ["publish", run, "--to", place]
                        if try await strike(blow, grist, command, environment, proxy, elapsed) { hits += 1 }
                        let struck = try await Shelf(store, "films", "p\(number)/", scratch: scratch)
                        #expect(struck.lost.isEmpty, what)
                        // Before the first request it is written down, and that is enough.
                        let again = try await grist.mill.start(
                            blow.isAtRequest ? ["publish", "--pending"] : command, environment
                        ).finish()
                        #expect(again.status == 0, "\(what) \(again.stderr)")
                        let mended = try await Shelf(store, "films", "p\(number)/", scratch: scratch)
                        #expect(
                            Set(mended.digests.values).count == 4 && mended.digests.count == 4
                                && mended.manifests.count == 1 && mended.lost.isEmpty, "\(what) \(mended)")
                    }
                    #expect(hits == 100, "struck \(hits) times of \(number)")
                    let (_, listed) = try await grist.json(["publications", "--limit", "1000"])
                    let places = (listed.array ?? []).compactMap { $0["to"]?.string }
                    #expect(
                        places.sorted()
                            == (["first", "second", "third"] + (0..<number).map { "p\($0)" }).map { "s3://films/\($0)" }
                            .sorted())
                    #expect(listed.array?.allSatisfy { $0["state"] == "done" } == true)
                    // Done is done.
                    proxy.requests.value = []
                    let more = try await grist.mill.start(["publish", "--pending"], environment).finish()
                    #expect(more.status == 0 && proxy.requests.value.isEmpty)
                    #expect(grist.executed == 1)
                }
            }
        }

        /// - Returns: whether it was hit.
        private func strike(
            _ blow: Blow, _ grist: Grist, _ command: [String], _ environment: [String: String], _ proxy: FaultyProxy,
            _ elapsed: Duration
        ) async throws -> Bool {
            let struck = Box<Running?>(nil)
            let count = Box(0)
            if case .request(let wanted, let isHeard) = blow {
                proxy.rule = { _ in
                    var number = 0
                    count.update {
                        $0 += 1
                        number = $0
                    }
                    if number > wanted { return .drop }
                    guard number == wanted else { return .pass }
                    struck.value?.signal(SIGKILL)
                    return isHeard ? .loseAnswer : .drop
                }
            }
            let running = try grist.mill.start(command, environment)
            struck.value = running
            if case .time(let share) = blow {
                try await Task.sleep(for: elapsed * share)
                running.signal(SIGKILL)
            }
            let outcome = try await running.finish()
            proxy.rule = { _ in .pass }
            return outcome.status == 128 + SIGKILL
        }

        @Test("a store that is away: it stays written down, exit 75; --pending does it, and a run publishes too")
        func away() async throws {
            try await SeaweedFS.run { server in
                try await withScratch { scratch in
                    let grist = try Grist(in: scratch)
                    let proxy = try FaultyProxy(to: server.address)
                    proxy.rule = { _ in .drop }
                    let environment = Grist.environment(proxy.address)
                    let (first, report) = try await grist.run(
                        try grist.grain("a.mp4", "grist"), "--out", grist.mill.out, "--publish", "s3://films/x",
                        "--retain", "30d", environment: environment)
                    #expect(first.status == 75, "\(first.stderr)")
                    let item = try #require(report["items"]?.array?.first)
                    #expect(item["status"] == "passed" && item["publication"]?["state"] == "pending")
                    #expect(item["publication"]?["error"]?["code"]?.string?.hasPrefix("http.") == true)
                    proxy.rule = { _ in .pass }
                    let (second, taken) = try await grist.json(["publish", "--pending"], environment)
                    #expect(second.status == 0, "\(second.stderr)")
                    #expect(taken["publications"]?.array?.map { $0["state"] } == ["done"])
                    let store = try Grist.store(server.address)
                    let shelf = try await Shelf(store, "films", "x/", scratch: scratch)
                    #expect(shelf.digests.count == 4 && shelf.lost.isEmpty && shelf.manifests.count == 1)
                    #expect(try await store.lifecycle(bucket: "films").map(\.expireDays) == [30])
                    // Nothing is run and nothing is sent for the same again.
                    proxy.requests.value = []
                    let (third, again) = try await grist.run(
                        grist.mill.path("a.mp4"), "--out", grist.mill.out, "--publish", "s3://films/x",
                        "--retain", "30d", environment: environment)
                    #expect(third.status == 0 && grist.executed == 1)
                    #expect(again["items"]?.array?.first?["publication"]?["state"] == "done")
                    #expect(!proxy.requests.value.contains { $0.hasPrefix("PUT") }, "\(proxy.requests.value)")
                    let secret = try await secrets(in: grist.mill.store)
                    #expect(secret.isEmpty, "\(secret)")
                }
            }
        }

        @Test("from a bucket, and from a signed address, into a bucket: no folder of one's own, nothing twice")
        func elsewhere() async throws {
            try await SeaweedFS.run { server in
                try await withScratch { scratch in
                    let grist = try Grist(in: scratch)
                    let environment = Grist.environment(server.address)
                    let grain = try grist.grain("grain.mp4", "grist")
                    let up = try await grist.mill.start(["copy", grain, "s3://films/in/film.mp4"], environment).finish()
                    #expect(up.status == 0, "\(up.stderr)")
                    let (first, report) = try await grist.run(
                        "s3://films/in/film.mp4", "--out", "s3://films/out/", environment: environment)
                    #expect(first.status == 0, "\(first.stderr)")
                    let item = try #require(report["items"]?.array?.first)
                    let paths = item["outputs"]?.array?.compactMap { $0["path"]?.string } ?? []
                    #expect(paths.count == 3 && paths.allSatisfy { $0.hasPrefix("s3://films/out/film-") }, "\(paths)")
                    let store = try Grist.store(server.address)
                    let shelf = try await Shelf(store, "films", "out/", scratch: scratch)
                    #expect(shelf.digests.count == 4 && shelf.lost.isEmpty && shelf.manifests.count == 1)
                    #expect(shelf.manifests.first?["source"]?["name"] == "film.mp4")
                    let signed = try await grist.mill.start(["sign", "s3://films/in/film.mp4"], environment).finish()
                    let address = signed.stdout.trimmingCharacters(in: .whitespacesAndNewlines)
                    let refused = try await grist.mill.start(
                        ["run", address, "--pipeline", grist.pipeline, "--format", "json"], environment
                    ).finish()
                    #expect(refused.status == 1 && refused.stdout.contains("object.address"), "\(refused)")
                    let (second, again) = try await grist.run(
                        address, "--out", "s3://films/out", "--allow-private-urls", environment: environment)
                    #expect(second.status == 0, "\(second.stderr)")
                    #expect(again["items"]?.array?.first?["publication"]?["id"] == item["publication"]?["id"])
                    #expect(grist.executed == 1)
                    #expect(try await Shelf(store, "films", "out/", scratch: scratch).digests == shelf.digests)
                    let id = try #require(item["publication"]?["id"]?.string)
                    let (erased, receipt) = try await grist.json(["erase", id, "--yes"], environment)
                    #expect(erased.status == 0, "\(erased.stderr)")
                    #expect(receipt["local"]?.array?.count == 4 && receipt["left"] == [], "\(receipt)")
                    #expect(try await Shelf(store, "films", "out/", scratch: scratch).digests.isEmpty)
                    #expect(
                        !(refused.stdout + refused.stderr + second.stdout + second.stderr).contains("X-Amz-Signature"))
                    let secret = try await secrets(in: grist.mill.store)
                    #expect(secret.isEmpty, "\(secret)")
                    // Erased, it is made anew; and what was fetched for it can be let go of.
                    let (third, _) = try await grist.run(
                        "s3://films/in/film.mp4", "--out", "s3://films/out", environment: environment)
                    #expect(third.status == 0 && grist.executed == 2, "\(third.stderr)")
                    let film = "\(grist.mill.store)/inputs/\(Digest.of("grist").hex)/film.mp4"
                    #expect(FileManager.default.fileExists(atPath: film))
                    let (_, kept) = try await grist.json(["store", "gc", "--older-than", "1d"])
                    #expect(kept["inputs"]?["count"] == 0 && FileManager.default.fileExists(atPath: film))
                    let (_, gone) = try await grist.json(["store", "gc", "--older-than", "0s"])
                    #expect((gone["inputs"]?["count"]?.integer ?? 0) >= 4, "\(gone)")
                    #expect(!FileManager.default.fileExists(atPath: film))
                }
            }
        }

        @Test("a watched prefix: each content once, through a kill and a restart, published elsewhere")
        func watched() async throws {
            try await SeaweedFS.run { server in
                try await withScratch { scratch in
                    let kit = try DaemonKit(in: scratch)
                    let environment = Grist.environment(server.address)
                    let store = try Grist.store(server.address)
                    func put(_ name: String, _ content: String) async throws {
                        let path = kit.mill.path("up")
                        try Data((content + "\n").utf8).write(to: URL(fileURLWithPath: path))
                        try await store.put(fileAt: path, to: ObjectName(bucket: "films", key: name))
                    }
                    try kit.write(
                        "dubmill.yaml",
                        """
                        watch:
                          - {folder: s3://films/in/, pipeline: cheap.yaml, publish: s3://films/out, rescan: 1s}
                        """)
                    try await put("in/a.mp4", "grist")
                    try await put("in/notes.txt", "no film")
                    let first = try await kit.start(environment)
                    #expect(try await kit.said("publication.done", by: first))
                    // Another name for the same, another content under the same name.
                    try await put("in/b.mp4", "grist")
                    try await put("in/a.mp4", "more")
                    #expect(try await kit.said("publication.done", by: first, times: 2))
                    #expect(try await kit.said("file.known", by: first))
                    first.signal(SIGKILL)
                    _ = try await first.finish()
                    try await put("in/c.mp4", "last")
                    let second = try await kit.start(environment)
                    #expect(try await kit.said("publication.done", by: second))
                    #expect(try await kit.stop(second).status == 0)
                    #expect(kit.executed == ["grist", "more", "last"])
                    let shelf = try await Shelf(store, "films", "out/", scratch: scratch)
                    #expect(shelf.manifests.count == 3 && shelf.lost.isEmpty, "\(shelf)")
                }
            }
        }

        /// Files below a folder that hold a key or a signature.
        private func secrets(in folder: String) async throws -> [String] {
            let names = FileManager.default.enumerator(atPath: folder)?.compactMap { $0 as? String } ?? []
            return names.filter { name in
                let data = FileManager.default.contents(atPath: "\(folder)/\(name)") ?? Data()
                return data.range(of: Data(SeaweedFS.secretKey.utf8)) != nil
                    || data.range(of: Data("X-Amz-Signature".utf8)) != nil
            }
        }
    }
}
