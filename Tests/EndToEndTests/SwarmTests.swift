import DubCore
import DubTestKit
import Foundation
import Testing

extension EndToEnd {
    /// Many files at once, and daemons that die.
    @Suite struct Swarm {
        private static func number(_ name: String, _ fallback: Int) -> Int {
            ProcessInfo.processInfo.environment[name].flatMap(Int.init) ?? fallback
        }

        /// How many files; the figure is 1,000.
        private static let files = number("DUBMILL_SWARM_FILES", 150)
        /// How often a daemon is killed.
        private static let kills = number("DUBMILL_SWARM_KILLS", 8)

        /// Puts a file there in one of the ways in which files come.
        private static func drop(_ number: Int, _ kit: DaemonKit) async throws {
            let content = "content \(number)"
            let name = "f\(number).mp4"
            switch number % 3 {
            case 0: try kit.drop(name, content)
            case 1:
                let part = kit.incoming + "/" + name + ".part"
                try Data((content + "\n").utf8).write(to: URL(fileURLWithPath: part))
                guard rename(part, kit.incoming + "/" + name) == 0 else { throw Tool.Failed(description: part) }
            default:
                let file = URL(fileURLWithPath: kit.incoming + "/" + name)
                try Data(content.prefix(4).utf8).write(to: file)
                let writer = try FileHandle(forWritingTo: file)
                try writer.seekToEnd()
                try await Task.sleep(for: .milliseconds(20))
                try writer.write(contentsOf: Data((content.dropFirst(4) + "\n").utf8))
                try writer.close()
            }
        }

        @Test("three writers, two daemons on one folder that are killed again and again: each file is delivered once")
        func swarm() async throws {
            try await withScratch { scratch in
                let kit = try DaemonKit(in: scratch)
                try kit.configure("after: move")
                let names = (0..<Self.files).map { "f\($0).mp4" }
                let writers = Task {
                    try await withThrowingTaskGroup(of: Void.self) { group in
                        for writer in 0..<3 {
                            group.addTask {
                                for number in stride(from: writer, to: Self.files, by: 3) {
                                    try await Self.drop(number, kit)
                                }
                            }
                        }
                        try await group.waitForAll()
                    }
                }
                var daemons = [try await kit.start(), try await kit.start()]
                var random = SeededRandom(seed: 9)
                for kill in 0..<Self.kills {
                    try await Task.sleep(for: .milliseconds(Int.random(in: 5...900, using: &random)))
                    let victim = kill % 2
                    daemons[victim].signal(SIGKILL)
                    _ = try await daemons[victim].finish()
                    daemons[victim] = try await kit.start()
                }
                try await writers.value
                #expect(
                    try await eventually(within: .seconds(240)) { kit.names("in/done").count >= Self.files })
                for daemon in daemons { #expect(try await kit.stop(daemon).status == 0) }
                #expect(kit.names("in/done") == names.sorted())
                #expect(kit.names("in").count == Self.files, "nothing is left behind")
                #expect(kit.names("out") == names.map { $0.replacing(".mp4", with: ".txt") }.sorted())
                for number in 0..<Self.files {
                    let made = try String(contentsOfFile: "\(kit.mill.out)/f\(number).txt", encoding: .utf8)
                    #expect(made == "content \(number)\n")
                }
                // None was seen half written; what was begun twice is what a death cut off.
                let executed = kit.executed
                #expect(Set(executed) == Set((0..<Self.files).map { "content \($0)" }))
                #expect(executed.count - Self.files <= 2 * Self.kills, "\(executed.count)")
                #expect(try await kit.mill.executedTwice().isEmpty)
                let states = try await kit.mill.ledger("SELECT state, count(*) FROM taken GROUP BY state")
                #expect(states == [["done", "\(Self.files)"]])
            }
        }
    }
}
