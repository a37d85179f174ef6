import DubCore
import DubTestKit
import Foundation
import Testing

@testable import DubLedger

/// Files and starts that daemons take from each other.
@Suite struct Takings {
    private let file = Digest.of("content")
    private let profile = Digest.of("es")

    private func with(_ body: (SQLiteLedger, String) async throws -> Void) async throws {
        try await withScratch { scratch in
            let path = scratch.appendingPathComponent("ledger.sqlite").path
            try await body(try SQLiteLedger(path: path), path)
        }
    }

    @Test("a file is one's own until it is settled; done, it is nobody's; another profile is another file")
    func files() async throws {
        try await with { ledger, path in
            let other = try SQLiteLedger(path: path)
            #expect(try await ledger.take(file, profile: profile, path: "/a") == .taken)
            #expect(try await ledger.take(file, profile: profile, path: "/b") == .busy)
            #expect(try await other.take(file, profile: profile, path: "/a") == .busy)
            #expect(try await other.take(file, profile: Digest.of("fr"), path: "/a") == .taken)
            // Not the other's to settle.
            try await other.settle(file, profile: profile, run: "r-0", isDone: true)
            #expect(try await other.take(file, profile: profile, path: "/a") == .busy)
            try await ledger.settle(file, profile: profile, run: "r-1", isDone: true)
            #expect(try await other.take(file, profile: profile, path: "/a") == .done(run: "r-1"))
        }
    }

    @Test("what failed, was let go of, or is a dead one's may be taken")
    func again() async throws {
        try await with { ledger, path in
            #expect(try await ledger.take(file, profile: profile, path: "/a") == .taken)
            try await ledger.settle(file, profile: profile, run: "r-1", isDone: false)
            #expect(try await ledger.take(file, profile: profile, path: "/a") == .taken)
            try await ledger.settle(file, profile: profile, run: nil, isDone: false)
            do {
                let passing = try SQLiteLedger(path: path)
                #expect(try await passing.take(file, profile: profile, path: "/a") == .taken)
                #expect(try await ledger.take(file, profile: profile, path: "/a") == .busy)
            }
            #expect(try await ledger.take(file, profile: profile, path: "/a") == .taken)
        }
    }

    @Test("a start is taken once among all, remembered, and a dead one's is taken up")
    func starts() async throws {
        try await with { ledger, path in
            func time(_ seconds: Double) -> Date { Date(timeIntervalSince1970: seconds) }
            #expect(try await ledger.lastTime(of: "n", now: time(100)) == time(100))
            #expect(try await ledger.lastTime(of: "n", now: time(200)) == time(100))
            #expect(try await ledger.takeStart(of: "n", due: time(160)))
            do {
                let passing = try SQLiteLedger(path: path)
                #expect(try await !passing.takeStart(of: "n", due: time(160)))
                #expect(try await passing.takeStart(of: "n", due: time(220)))
                #expect(try await ledger.runningStarts(of: "n") == 2)
                #expect(try await ledger.abandonedStarts(of: "n").isEmpty)
            }
            #expect(try await ledger.runningStarts(of: "n") == 1)
            #expect(try await ledger.abandonedStarts(of: "n") == [time(220)])
            #expect(try await ledger.abandonedStarts(of: "n").isEmpty)
            try await ledger.leaveStart(of: "n", due: time(220))
            #expect(try await ledger.abandonedStarts(of: "n") == [time(220)])
            try await ledger.endStart(of: "n", due: time(160))
            try await ledger.endStart(of: "n", due: time(220))
            #expect(try await ledger.runningStarts(of: "n") == 0)
            #expect(try await ledger.lastTime(of: "n", now: time(300)) == time(220))
            #expect(try await ledger.takeStart(of: "n", due: time(280), isSkipped: true))
            #expect(try await ledger.runningStarts(of: "n") == 0)
            #expect(try await ledger.lastTime(of: "n", now: time(300)) == time(280))
        }
    }
}
