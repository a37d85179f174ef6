import DubCore
import DubTestKit
import Foundation
import Testing

extension EndToEnd {
    /// Disks that are full or may not be written, and ledgers that are damaged.
    @Suite struct Disk {
        /// What says that a disk was at fault: the store, an output, the ledger, or what a worker was to write.
        private static let codes: Set<String> = ["output.unwritable", "ledger.failed", "media.failed"]

        private func check(_ outcome: Outcome, _ what: String) throws {
            #expect(outcome.status == 1, "\(what): \(outcome.stdout) \(outcome.stderr)")
            let error = try #require(try Report(outcome).item.error)
            #expect(Self.codes.contains(error.code) || error.code.hasPrefix("worker."), "\(what): \(error)")
            #expect(!error.message.isEmpty && !error.where.isEmpty && !error.fix.isEmpty, "\(what): \(error)")
        }

        private func inode(_ place: URL) throws -> UInt64? {
            try FileManager.default.attributesOfItem(atPath: place.path)[.systemFileNumber] as? UInt64
        }

        /// Nothing under a final name that is not what it should be, and nothing half-made beside it.
        private func isWhole(_ folder: String, _ wanted: Set<String>) throws -> Bool {
            let names = try FileManager.default.contentsOfDirectory(atPath: folder)
            return try names.allSatisfy {
                guard !$0.hasSuffix(".part") else { return false }
                return wanted.contains(try Digest.of(fileAt: folder + "/" + $0).hex)
            }
        }

        @Test(
            "full at whatever level: told with a remedy, nothing half-made; with room the same command finishes",
            .enabled(if: SmallDisk.isPossible, "only root may mount a small disk"))
        func full() async throws {
            try await withScratch { scratch in
                let clip = try await Clip(seconds: 13).make(in: scratch)
                let unbroken = try Mill(in: scratch.appendingPathComponent("unbroken"))
                let (_, report) = try await unbroken.run(clip, "--to", "es")
                let wanted = Set(try report.item.outputs.map(\.sha256))
                var codes: Set<String> = []
                for part in ["store", "out"] {
                    let levels = part == "store" ? [64, 160, 320, 640, 1024, 1536, 2048] : [4, 64, 160]
                    var failed = 0
                    for level in levels {
                        let mill = try Mill(in: scratch.appendingPathComponent("\(part)-\(level)"))
                        try await SmallDisk.use(at: mill.path("small"), kilobytes: level) { small in
                            let arguments = [
                                "run", clip, "--to", "es", "--format", "json", "--store",
                                part == "store" ? small + "/store" : mill.store, "--out",
                                part == "out" ? small : mill.out,
                            ]
                            let outcome = try await mill.start(arguments).finish()
                            if outcome.status != 0 {
                                failed += 1
                                try check(outcome, "\(part) of \(level) KiB")
                                if let code = try Report(outcome).item.error?.code { codes.insert(code) }
                            }
                            let folder = part == "out" ? small : mill.out
                            #expect(try isWhole(folder, wanted), "\(part) of \(level) KiB")
                            try SmallDisk.remount(small, "size=64m")
                            let (again, finished) = try await mill.start(arguments).report()
                            #expect(again.status == 0, "\(part) of \(level) KiB: \(again.stdout) \(again.stderr)")
                            #expect(Set(try finished.item.outputs.map(\.sha256)) == wanted)
                            #expect(try isWhole(folder, wanted))
                            let store = part == "store" ? small + "/store" : mill.store
                            let verified = try await mill.dubmill("store", "verify", "--store", store)
                            #expect(verified.status == 0, "\(part) of \(level) KiB: \(verified.stdout)")
                        }
                    }
                    #expect(failed >= 2, "\(part): only \(failed) levels were too small")
                }
                #expect(codes.contains("output.unwritable"), "\(codes)")
            }
        }

        @Test(
            "a disk that fails at any one call: told or borne, and the same command finishes",
            .enabled(if: Trouble.isPossible, "there is no C compiler"))
        func failing() async throws {
            try await withScratch { scratch in
                let library = try await Trouble.library(in: scratch)
                let clip = try await Clip(seconds: 6).make(in: scratch)
                let unbroken = try Mill(in: scratch.appendingPathComponent("unbroken"))
                let (_, report) = try await unbroken.run(clip, "--to", "es")
                let wanted = Set(try report.item.outputs.map(\.sha256))
                var hit = 0
                for call in ["write", "rename", "sync", "open"] {
                    for (number, error) in [(1, "EIO"), (3, "ENOSPC"), (12, "EIO"), (30, "ENOSPC")] {
                        let mill = try Mill(in: scratch.appendingPathComponent("\(call)-\(number)"))
                        let trouble = Trouble.failing(
                            library, below: mill.store, call: call, at: number, count: 4, error: error)
                        let (outcome, first) = try await mill.start(
                            ["run", clip, "--to", "es", "--format", "json", "--out", mill.out], trouble
                        ).report()
                        let what = "\(call) \(number) \(error)"
                        if outcome.status != 0 {
                            hit += 1
                            try check(outcome, what)
                        }
                        #expect(try isWhole(mill.out, wanted), "\(what)")
                        let (again, finished) = try await mill.run(clip, "--to", "es")
                        #expect(again.status == 0, "\(what): \(again.stdout) \(again.stderr), after \(first)")
                        #expect(Set(try finished.item.outputs.map(\.sha256)) == wanted, "\(what)")
                        #expect(try await mill.executedTwice().isEmpty, "\(what)")
                    }
                }
                #expect(hit >= 6, "only \(hit) were hit")
            }
        }

        @Test(
            "a store that may not be written is told, and goes on when it may",
            .enabled(if: SmallDisk.isPossible, "only root may mount a small disk"))
        func readOnly() async throws {
            try await withScratch { scratch in
                let mill = try Mill(in: scratch)
                let clip = try await Clip(seconds: 6).make(in: scratch)
                try await SmallDisk.use(at: mill.path("small"), kilobytes: 65_536) { small in
                    let arguments = [
                        "run", clip, "--to", "es", "--format", "json", "--store", small + "/store", "--out", mill.out,
                    ]
                    try SmallDisk.remount(small, "ro")
                    try check(try await mill.start(arguments).finish(), "empty")
                    try SmallDisk.remount(small, "rw")
                    #expect(try await mill.start(arguments).finish().status == 0)
                    try SmallDisk.remount(small, "ro")
                    try check(try await mill.start(arguments).finish(), "filled")
                    let kept = try await mill.dubmill("store", "gc", "--store", small + "/store")
                    #expect(kept.status == 1 && kept.stderr.contains("fix:"), "\(kept.stderr)")
                    try SmallDisk.remount(small, "rw")
                    let (again, report) = try await mill.start(arguments).report()
                    #expect(again.status == 0)
                    #expect(try report.item.nodes.run == 0)
                }
            }
        }

        @Test(
            "a ledger that is damaged is told with what to do, and never replaced",
            arguments: ["head", "pages", "text"])
        func ledger(_ way: String) async throws {
            try await withScratch { scratch in
                let mill = try Mill(in: scratch)
                let clip = try await Clip(seconds: 6).make(in: scratch)
                let arguments = ["run", clip, "--to", "es", "--format", "json", "--out", mill.out]
                #expect(try await mill.start(arguments).finish().status == 0)
                let place = URL(fileURLWithPath: mill.store + "/ledger.sqlite")
                _ = try await mill.ledger("PRAGMA wal_checkpoint(TRUNCATE)")
                var bytes = try Data(contentsOf: place)
                #expect(bytes.count > 16_384)
                switch way {
                case "head": bytes.replaceSubrange(0..<64, with: Data(repeating: 0x5a, count: 64))
                case "pages":
                    bytes.replaceSubrange(4096..<bytes.count, with: Data(repeating: 0x5a, count: bytes.count - 4096))
                default: bytes = Data("this is no ledger\n".utf8)
                }
                try bytes.write(to: place)
                let file = try inode(place)
                let objects = mill.objects
                let outcome = try await mill.start(arguments).finish()
                #expect(outcome.status == 1, "\(outcome.stdout)")
                let error = try #require(try Report(outcome).item.error)
                #expect(error.code == "ledger.failed" && error.where.hasSuffix("ledger.sqlite"), "\(error)")
                #expect(error.fix.contains("away"), "\(error)")
                for command in [["runs"], ["status"], ["store"], ["store", "gc"], ["plan", clip, "--to", "es"]] {
                    let told = try await mill.start(command).finish()
                    #expect(told.status == 1, "\(command): \(told.stdout)")
                    #expect(told.stderr.contains("error[ledger.failed]"), "\(command): \(told.stderr)")
                }
                // A page that was whole may have been written; the file is the one that it was.
                #expect(try way == "pages" || Data(contentsOf: place) == bytes)
                #expect(try inode(place) == file)
                #expect(mill.objects == objects)
                // As the remedy says: moved away, and all is made again.
                for suffix in ["", "-wal", "-shm"] {
                    try? FileManager.default.moveItem(atPath: place.path + suffix, toPath: place.path + suffix + ".bad")
                }
                #expect(try await mill.start(arguments).finish().status == 0)
            }
        }
    }

    /// Clocks that jump while nobody looks, and while somebody does.
    @Suite(.enabled(if: Trouble.isPossible, "there is no C compiler")) struct Clocks {
        @Test("a day back, a year on, between runs and during one: nothing runs again, nothing is lost")
        func jumps() async throws {
            try await withScratch { scratch in
                let library = try await Trouble.library(in: scratch)
                let mill = try Mill(in: scratch)
                let clock = try MovedClock(library, in: scratch)
                let clip = try await Clip(seconds: 8).make(in: scratch)
                var hanging = StubWorker.Behaviour.hearing
                hanging.hang = "hums"
                try mill.stub.become(hanging)
                let running = try mill.start(
                    ["run", clip, "--to", "es", "--format", "json", "--out", mill.out], clock.environment)
                #expect(try await eventually { try mill.stub.events("batch").contains { $0.task == "translate" } })
                for days in [365, -1] {
                    // Meanwhile somebody else opens the store, and clears it out.
                    try clock.move(days: days)
                    let other = try await mill.start(["store", "gc", "--budget", "0"], clock.environment).finish()
                    #expect(other.status == 0, "\(other.stderr)")
                }
                try mill.stub.become(.hearing)
                let (outcome, report) = try await running.report()
                #expect(outcome.status == 0, "\(outcome.stdout) \(outcome.stderr)")
                let objects = mill.objects
                for days in [-1, 365, 0] {
                    try clock.move(days: days)
                    let again = try await mill.start(
                        ["run", clip, "--to", "es", "--format", "json", "--out", mill.out],
                        clock.environment.merging(["DUBMILL_STORE_BUDGET": "1GiB"]) { $1 }
                    ).report()
                    #expect(again.0.status == 0)
                    #expect(try again.1.item.nodes.run == 0, "\(days) days")
                    #expect(try again.1.item.outputs == report.item.outputs)
                    let runs = try await mill.start(["runs"], clock.environment).finish()
                    #expect(runs.status == 0)
                }
                #expect(mill.objects == objects)
                #expect(try await mill.executedTwice().isEmpty)
                let negative = try await mill.ledger("SELECT node, seconds FROM node WHERE seconds < 0")
                #expect(negative.isEmpty, "\(negative)")
                let items = try await mill.ledger(
                    "SELECT record FROM item WHERE json_extract(record, '$.wallSeconds') < 0")
                #expect(items.isEmpty, "\(items)")
            }
        }
    }
}

extension SmallDisk {
    /// Changes a mounted disk: `ro`, `rw`, `size=64m`.
    static func remount(_ folder: String, _ options: String) throws {
        let flags = UInt(MS_REMOUNT) | (options == "ro" ? UInt(MS_RDONLY) : 0)
        guard mount("tmpfs", folder, "tmpfs", flags, options.hasPrefix("size") ? options : "") == 0 else {
            throw Tool.Failed(description: "remount: \(String(cString: strerror(errno)))")
        }
    }
}

extension Running {
    /// Waits for its end, and reads what it printed with `--format json`.
    func report() async throws -> (Outcome, Report) {
        let outcome = try await finish()
        return (outcome, try Report(outcome))
    }
}
