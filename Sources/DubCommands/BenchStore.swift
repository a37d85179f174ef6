internal import ArgumentParser
internal import DubCore
internal import DubRunner
internal import DubStorage
internal import Foundation

/// `dubmill bench store`: what it costs to put an object, to find it again, and to take a file in.
struct BenchStore: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "store")

    @Option var objects = 10_000
    @Option var bytes = 600
    @Option var store: String

    private struct Result: Encodable {
        var objects: Int
        var bytes: Int
        var putMicroseconds: Double
        var holdsMicroseconds: Double
        var adoptMicroseconds: Double
    }

    func run() async throws {
        let store = try FileStore(root: RunPaths.absolute(self.store))
        let salt = UUID().uuidString
        var artifacts: [Artifact] = []
        let put = try time { index in
            artifacts.append(try store.put(content(index, salt), type: "json"))
        }
        var held = 0
        let holds = time { index in if store.holds(artifacts[index]) { held += 1 } }
        precondition(held == objects, "what was put is held")
        let scratch = try store.makeScratch()
        defer { try? FileManager.default.removeItem(atPath: scratch) }
        for index in 0..<objects {
            try content(index, salt + "a").write(to: URL(filePath: "\(scratch)/\(index)"))
        }
        let adopt = try time { index in _ = try store.adopt(fileAt: "\(scratch)/\(index)", type: "json") }
        Console.result(
            try Console.json(
                Result(
                    objects: objects, bytes: bytes, putMicroseconds: put, holdsMicroseconds: holds,
                    adoptMicroseconds: adopt)))
    }

    private func content(_ index: Int, _ salt: String) -> Data {
        var data = Data("\(salt) \(index)\n".utf8)
        data.append(Data(repeating: 97, count: max(0, bytes - data.count)))
        return data
    }

    /// Microseconds for each object.
    private func time(_ body: (Int) throws -> Void) rethrows -> Double {
        let began = ContinuousClock.now
        for index in 0..<objects { try body(index) }
        return (ContinuousClock.now - began).seconds * 1e6 / Double(max(1, objects))
    }
}
