import DubCore
import DubRunner
import DubTestKit
import Foundation
import Testing

@testable import DubStorage

private func withFolder<Value>(_ body: (String) async throws -> Value) async throws -> Value {
    try await withScratch { try await body($0.appendingPathComponent("store").path) }
}

private func stored(_ artifact: Artifact) -> StoredObject {
    StoredObject(digest: artifact.digest, type: artifact.type, size: artifact.size)
}

@Suite struct RemovalTests {
    @Test("removes what nobody relies on, and nothing that a living process has put or looked at")
    func pins() async throws {
        try await withFolder { root in
            var dead: FileStore? = try FileStore(root: root)
            let put = ["a", "b", "c"].map { Data($0.utf8) }
            let artifacts = try put.compactMap { try dead?.put($0, type: "txt") }
            dead = nil
            let living = try FileStore(root: root)
            #expect(living.holds(artifacts[0]))
            let own = try living.put(Data("d".utf8), type: "txt")
            let keeper = try FileStore(root: root)
            let objects = keeper.objects()
            #expect(Set(objects) == Set((artifacts + [own]).map(stored)))
            let gone = try Removal(in: keeper).remove(objects)
            #expect(Set(gone) == Set(artifacts.dropFirst().map(stored)))
            #expect(Set(keeper.objects()) == [stored(artifacts[0]), stored(own)])
            // Its own count, unless it says that it is done.
            #expect(try Removal(in: living).remove(living.objects()).isEmpty)
            #expect(try Removal(in: living, isDone: true).remove(living.objects()).count == 2)
            #expect(keeper.objects().isEmpty)
        }
    }

    @Test("while objects are removed, what is put or held is there afterwards")
    func together() async throws {
        try await withFolder { root in
            let contents = (0..<200).map { Data("object \($0)".utf8) }
            let seed = try FileStore(root: root)
            for data in contents { _ = try seed.put(data, type: "txt") }
            let keeper = try FileStore(root: root)
            let removal = try Removal(in: keeper)
            for round in 0..<20 {
                // A process of each round; it relies on what it puts until the round is over.
                let user = try FileStore(root: root)
                let relied = Locked<[Artifact]>([])
                await withTaskGroup(of: Void.self) { group in
                    group.addTask { @concurrent in _ = try? removal.remove(keeper.objects().shuffled()) }
                    group.addTask { @concurrent in
                        for data in contents.shuffled().prefix(100) {
                            guard let artifact = try? user.put(data, type: "txt") else { continue }
                            relied.withLock { $0.append(artifact) }
                        }
                    }
                }
                let artifacts = relied.withLock { $0 }
                #expect(artifacts.count == 100)
                #expect(artifacts.allSatisfy(user.holds), "round \(round)")
            }
        }
    }

    @Test("one at a time; what a killed one left half-done is undone by the next")
    func interrupted() async throws {
        try await withFolder { root in
            let store = try FileStore(root: root)
            let artifact = try store.put(Data("x".utf8), type: "txt")
            let path = store.path(of: artifact)
            try FileManager.default.moveItem(atPath: path, toPath: path + FileStore.removing)
            #expect(!store.holds(artifact) && store.objects().isEmpty)
            let first = try Removal(in: store)
            #expect(store.holds(artifact))
            #expect(await failure { _ = try Removal(in: store) }?.code == .storeBusy)
            withExtendedLifetime(first) {}
        }
    }

    @Test("a process that cannot write down what it relies on has everything pinned")
    func full() async throws {
        try await withFolder { root in
            let store = try FileStore(root: root)
            let artifact = try store.put(Data("x".utf8), type: "txt")
            chmod(root + "/pins/" + store.pins.name, 0o444)
            let keeper = try FileStore(root: root)
            #expect(keeper.pinned()(.of("anything")))
            #expect(try Removal(in: keeper).remove([stored(artifact)]).isEmpty)
            #expect(store.holds(artifact))
        }
    }

    @Test("removes damaged objects, whoever relies on them, and no others")
    func damaged() async throws {
        try await withFolder { root in
            let store = try FileStore(root: root)
            let large = try store.put(Data(count: 1 << 20), type: "wav")
            let good = try store.put(Data("good".utf8), type: "txt")
            let handle = try #require(FileHandle(forUpdatingAtPath: store.path(of: large)))
            try handle.seek(toOffset: 700_000)
            try handle.write(contentsOf: Data([1]))
            try handle.close()
            #expect(store.holds(large), "a quick look does not read it")
            #expect(try !store.isWhole(stored(large)) && store.isWhole(stored(good)))
            #expect(try Removal(in: store).removeDamaged([stored(large), stored(good)]) == [stored(large)])
            #expect(store.state(of: large) == .missing && store.holds(good))
        }
    }
}

@Suite struct EvictionTests {
    private func object(_ name: String, _ size: Int64) -> StoredObject {
        StoredObject(digest: .of(name), type: "x", size: size)
    }

    private func result(_ name: String, _ objects: [StoredObject], run: Int64, at seconds: Double = 0) -> StoredResult {
        StoredResult(
            key: .of(name), stage: "s",
            artifacts: objects.map { Artifact(digest: $0.digest, size: $0.size, type: $0.type) }, made: seconds,
            lastRun: run, lastUse: Date(timeIntervalSince1970: seconds))
    }

    @Test("gives up what was used longest ago by the order of runs, whatever the clocks said, until it is enough")
    func order() {
        let objects = [object("a", 10), object("b", 20), object("c", 30)]
        let results = [
            result("a", [objects[0]], run: 1, at: 9000), result("b", [objects[1]], run: 3, at: 1),
            result("c", [objects[2]], run: 2, at: 5),
        ]
        func evicted(_ budget: Int64) -> [StoredObject] {
            Eviction(of: objects, results: results, limits: .init(budget: budget)) { _ in false }.evicted
        }
        #expect(evicted(60).isEmpty)
        #expect(evicted(59) == [objects[0]])
        #expect(evicted(49) == [objects[0], objects[2]])
        #expect(evicted(0).count == 3)
        let old = Eviction(
            of: objects, results: results, limits: .init(unusedSince: Date(timeIntervalSince1970: 5))
        ) { _ in false }
        #expect(old.evicted == [objects[1]] && old.bytesLeft == 40)
    }

    @Test("an object stays while one result that stays names it, or somebody relies on it; orphans go first")
    func shared() {
        let both = object("both", 10), one = object("one", 10), orphan = object("orphan", 5), used = object("used", 7)
        let results = [result("1", [both, one], run: 1), result("2", [both], run: 2)]
        let some = Eviction(of: [both, one, orphan, used], results: results, limits: .init(budget: 17)) {
            $0 == used.digest
        }
        #expect(some.orphans == [orphan] && some.evicted == [one] && some.bytesLeft == 17)
        let all = Eviction(of: [both, one], results: results, limits: .init(budget: 0)) { _ in false }
        #expect(Set(all.evicted) == [both, one] && all.bytesLeft == 0)
        #expect(all.forgettable(gone: [one], before: [both, one]).map(\.key) == [.of("1")])
        #expect(all.forgettable(gone: [], before: [both, one]).isEmpty)
        let none = Eviction(of: [both, one], results: results, limits: .init(budget: 0)) { $0 == both.digest }
        #expect(none.evicted.isEmpty)
    }
}
