import DubCore
import DubRunner
import DubStorage
import DubTestKit
import Foundation
import Testing

private func withStore<Value>(_ body: (FileStore) async throws -> Value) async throws -> Value {
    try await withScratch { try await body(FileStore(root: $0.appendingPathComponent("store").path)) }
}

@Suite struct FileStoreTests {
    @Test("keeps bytes under their digest, equal bytes once")
    func puts() async throws {
        try await withStore { store in
            let data = Data("Hello".utf8)
            let artifact = try store.put(data, type: "txt")
            #expect(artifact == Artifact(digest: .of(data), size: 5, type: "txt"))
            #expect(store.holds(artifact))
            #expect(
                store.path(of: artifact).hasSuffix(
                    "/objects/18/5f8db32271fe25f561a6fc938b2e264306ec304eda518007d1764826381969.txt"))
            #expect(try Data(contentsOf: URL(fileURLWithPath: store.path(of: artifact))) == data)
            #expect(try store.put(data, type: "txt") == artifact)
            #expect(try store.put(data, type: "json") != artifact, "the type is part of it")
            let objects = try FileManager.default.subpathsOfDirectory(atPath: store.root + "/objects")
            #expect(objects.filter { $0.contains(".") }.count == 2)
            #expect(try FileManager.default.contentsOfDirectory(atPath: store.root + "/scratch").isEmpty)
        }
    }

    @Test("adopts finished files, and lets nothing behind")
    func adopts() async throws {
        try await withStore { store in
            let scratch = try store.makeScratch()
            let path = scratch + "/take.wav"
            try Data("sound".utf8).write(to: URL(fileURLWithPath: path))
            let artifact = try store.adopt(fileAt: path, type: "wav")
            #expect(store.holds(artifact))
            #expect(!FileManager.default.fileExists(atPath: path))
            let missing = await failure { _ = try store.adopt(fileAt: path, type: "wav") }
            #expect(missing?.code == .inputMissing)
        }
    }

    @Test("sees that bytes are gone, cut or changed")
    func damage() async throws {
        try await withStore { store in
            let small = try store.put(Data("0123456789".utf8), type: "txt")
            let place = URL(fileURLWithPath: store.path(of: small))
            try Data("012345678X".utf8).write(to: place)
            #expect(!store.holds(small), "small artifacts are read again")
            try Data("0123".utf8).write(to: place)
            #expect(!store.holds(small))
            // A put mends it.
            _ = try store.put(Data("0123456789".utf8), type: "txt")
            #expect(store.holds(small))
            try FileManager.default.removeItem(at: place)
            #expect(!store.holds(small))
            let large = try store.put(Data(count: 1 << 20), type: "wav")
            try Data(count: 1 << 19).write(to: URL(fileURLWithPath: store.path(of: large)))
            #expect(!store.holds(large))
        }
    }

    @Test("equal values are equal artifacts; what is no such value is damage")
    func json() async throws {
        try await withStore { store in
            let one = try store.put(json: ["b": 1, "a": 2])
            #expect(try store.put(json: ["a": 2, "b": 1]) == one)
            #expect(try store.read([String: Int].self, from: one) == ["a": 2, "b": 1])
            let error = await failure { _ = try store.read([Int].self, from: one) }
            #expect(error?.code == .storeDamaged)
            #expect(error?.persistence == .transient)
        }
    }

    @Test("many at once may store the same")
    func together() async throws {
        try await withStore { store in
            let data = Data((0..<100_000).map { UInt8($0 & 255) })
            let artifacts = try await withThrowingTaskGroup(of: Artifact.self) { group in
                for _ in 0..<32 { group.addTask { try store.put(data, type: "bin") } }
                return try await group.reduce(into: Set()) { $0.insert($1) }
            }
            #expect(artifacts.count == 1)
            #expect(artifacts.allSatisfy(store.holds))
            #expect(try FileManager.default.contentsOfDirectory(atPath: store.root + "/scratch").isEmpty)
        }
    }

    @Test("sweeps scratch folders that were left behind, and no others")
    func sweeps() async throws {
        try await withStore { store in
            let old = try store.makeScratch()
            try Data("x".utf8).write(to: URL(fileURLWithPath: old + "/x"))
            try FileManager.default.setAttributes(
                [.modificationDate: Date(timeIntervalSinceNow: -90_000)], ofItemAtPath: old)
            let new = try store.makeScratch()
            #expect(old != new)
            store.sweep(before: Date(timeIntervalSinceNow: -86_400))
            #expect(!FileManager.default.fileExists(atPath: old))
            #expect(FileManager.default.fileExists(atPath: new))
        }
    }

    @Test("refuses a place that cannot be written")
    func unwritable() async throws {
        try await withScratch { scratch in
            let file = scratch.appendingPathComponent("file")
            try Data().write(to: file)
            for root in [file.path, file.path + "/below", "/proc/store"] {
                #expect(await failure { _ = try FileStore(root: root) }?.code == .outputUnwritable, "\(root)")
            }
            let store = try FileStore(root: scratch.appendingPathComponent("store").path)
            try FileManager.default.removeItem(atPath: store.root + "/scratch")
            #expect(await failure { _ = try store.makeScratch() }?.code == .outputUnwritable)
            try FileManager.default.removeItem(atPath: store.root + "/objects")
            #expect(await failure { _ = try store.put(Data("x".utf8), type: "txt") }?.code == .outputUnwritable)
            #expect(await failure { try FileSync.sync(scratch.path + "/none") }?.code == .outputUnwritable)
        }
    }
}
