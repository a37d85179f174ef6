import DubCore
import DubTestKit
import Foundation
import Testing

@testable import DubService

@Suite struct Tokens {
    private func with(_ body: (TokenFile, String) async throws -> Void) async throws {
        try await withScratch { scratch in
            let path = scratch.appendingPathComponent("config/tokens.json").path
            try await body(TokenFile(path: path), path)
        }
    }

    @Test("a token is known by its digest until it is removed; the file holds no token, and is its owner's alone")
    func life() async throws {
        try await with { file, path in
            #expect(try file.read().isEmpty)
            let token = try file.add("ci", scope: .write)
            let other = try file.add("grafana", scope: .read)
            #expect(token.hasPrefix("dubmill_") && token.utf8.count == 8 + 43 && token != other)
            let text = try String(contentsOfFile: path, encoding: .utf8)
            #expect(!text.contains(token.dropFirst(8)) && text.contains(TokenFile.digest(token)))
            let rights = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
            #expect(rights == 0o600)
            let door = Doorkeeper(file)
            #expect(try door.token(token)?.name == "ci")
            #expect(try door.token(other)?.scope == .read)
            for guess in ["", "dubmill_", String(token.dropLast()), token + "A", token.uppercased()] {
                #expect(try door.token(guess) == nil, "\(guess)")
            }
            try file.remove("ci")
            #expect(try door.token(token) == nil)
            #expect(try door.token(other) != nil)
        }
    }

    @Test("names are told apart and sound; what is not there cannot be removed")
    func names() async throws {
        try await with { file, _ in
            _ = try file.add("ci", scope: .write)
            for name in ["ci", "", "a b", "ä", "a/b", String(repeating: "x", count: 65)] {
                #expect(throws: DubError.self, "\(name)") { try file.add(name, scope: .read) }
            }
            #expect(throws: DubError.self) { try file.remove("none") }
            #expect(try file.read().map(\.name) == ["ci"])
        }
    }

    @Test("a file that others may read, or that is none of tokens, opens nothing and says why")
    func unsound() async throws {
        try await with { file, path in
            let token = try file.add("ci", scope: .write)
            let door = Doorkeeper(file)
            chmod(path, 0o640)
            #expect(throws: DubError.self) { try door.token(token) }
            chmod(path, 0o600)
            #expect(try door.token(token) != nil)
            try Data("[]".utf8).write(to: URL(fileURLWithPath: path))
            chmod(path, 0o600)
            #expect(await failure { _ = try door.token(token) }?.code == .tokenInvalid)
        }
    }
}
