import DubCore
import DubRunner
import DubTestKit
import Foundation
import Testing

@testable import DubLedger

@Suite struct Backups {
    private func run(_ number: Int) -> RunRecord {
        RunRecord(
            id: "run-\(number)", pipeline: "dub", parameters: [:], started: Date(timeIntervalSince1970: Double(number)),
            state: .running, process: 1)
    }

    @Test("a copy made while runs are written is sound, and holds all that was answered before")
    func live() async throws {
        try await withScratch { scratch in
            let ledger = try SQLiteLedger(path: scratch.appendingPathComponent("ledger.sqlite").path)
            for number in 0..<50 { try await ledger.begin(run(number)) }
            let copy = scratch.appendingPathComponent("copy.sqlite").path
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { for number in 50..<400 { try await ledger.begin(run(number)) } }
                group.addTask { try await ledger.backUp(to: copy) }
                try await group.waitForAll()
            }
            let place = scratch.appendingPathComponent("else/ledger.sqlite").path
            #expect(try SQLiteLedger.restore(copy, to: place) == nil)
            let names = Set(try await SQLiteLedger(path: place).runs(limit: 1000).map(\.id))
            #expect(names.isSuperset(of: (0..<50).map { "run-\($0)" }))
            let left = try FileManager.default.contentsOfDirectory(atPath: scratch.path).filter {
                $0.hasSuffix(".part")
            }
            #expect(left.isEmpty)
        }
    }

    @Test(
        "going back keeps what was there, and is refused while somebody uses it, for damage and for what is no ledger")
    func restore() async throws {
        try await withScratch { scratch in
            let path = scratch.appendingPathComponent("ledger.sqlite").path
            let copy = scratch.appendingPathComponent("copy.sqlite").path
            do {
                let ledger = try SQLiteLedger(path: path)
                try await ledger.begin(run(1))
                try await ledger.backUp(to: copy)
                try await ledger.begin(run(2))
                #expect(await failure { _ = try SQLiteLedger.restore(copy, to: path) }?.what.contains("use") == true)
                withExtendedLifetime(ledger) {}
            }
            let old = try #require(try SQLiteLedger.restore(copy, to: path))
            #expect(try await SQLiteLedger(path: path).runs().map(\.id) == ["run-1"])
            let before = scratch.appendingPathComponent("before", isDirectory: true)
            try FileManager.default.createDirectory(at: before, withIntermediateDirectories: true)
            try FileManager.default.copyItem(atPath: old, toPath: before.path + "/ledger.sqlite")
            #expect(
                try await SQLiteLedger(path: before.path + "/ledger.sqlite").runs().map(\.id) == ["run-2", "run-1"])
            var bytes = try Data(contentsOf: URL(fileURLWithPath: copy))
            bytes.replaceSubrange(4096..<12288, with: Data(repeating: 0x5a, count: 8192))
            let damaged = scratch.appendingPathComponent("damaged.sqlite")
            try bytes.write(to: damaged)
            let text = scratch.appendingPathComponent("text.sqlite")
            try Data("no ledger".utf8).write(to: text)
            for file in [damaged.path, text.path, "/none"] {
                #expect(
                    await failure { _ = try SQLiteLedger.restore(file, to: path) }?.code == .ledgerFailed, "\(file)")
            }
            #expect(try await SQLiteLedger(path: path).runs().map(\.id) == ["run-1"], "it is as it was")
        }
    }
}
