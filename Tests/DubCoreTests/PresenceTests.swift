import Foundation
import Testing

@testable import DubCore

@Suite struct PresenceTests {
    @Test("a file says that its process lives until that ends, and the next one clears it away")
    func lives() throws {
        let folder = FileManager.default.temporaryDirectory.path + "/dubmill-presence-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let first = try Presence(in: folder)
        var second: Presence? = try Presence(in: folder)
        let name = try #require(second?.name)
        #expect(first.isAlive(name) && first.isAlive(first.name))
        #expect(Set(Presence.living(in: folder)) == [first.name, name])
        second = nil
        #expect(!first.isAlive(name) && !first.isAlive("") && !first.isAlive("../x"))
        try Data().write(to: URL(filePath: folder + "/left-by-a-dead-one"))
        #expect(Presence.living(in: folder) == [first.name])
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == [first.name])
    }

    @Test("many that come and clear away at once never take each other for dead")
    func together() async throws {
        let folder = FileManager.default.temporaryDirectory.path + "/dubmill-presence-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let all = try await withThrowingTaskGroup(of: Presence.self) { group in
            for _ in 0..<200 { group.addTask { @concurrent in try Presence(in: folder) } }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(Set(Presence.living(in: folder)) == Set(all.map(\.name)))
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder).count == 200)
    }
}
