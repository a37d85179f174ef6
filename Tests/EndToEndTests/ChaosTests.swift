import DubCore
import DubTestKit
import Foundation
import Testing

/// What `scripts/chaos` asks for.
private enum ChaosPlan {
    static let environment = ProcessInfo.processInfo.environment
    static let runs = environment["DUBMILL_CHAOS_RUNS"].flatMap(Int.init) ?? 30
    static let seed = environment["DUBMILL_CHAOS_SEED"].flatMap(UInt64.init) ?? 1
    /// Where a line is added for each run.
    static let log = environment["DUBMILL_CHAOS_LOG"]
    /// Runs that share an unbroken one.
    static let batch = 10

    static var batches: [Range<Int>] {
        stride(from: 0, to: runs, by: batch).map { $0..<min(runs, $0 + batch) }
    }
}

extension EndToEnd {
    /// Runs that are killed at random moments, and whose disks fail, and which then have to end as if nothing had been.
    @Suite(.enabled(if: Trouble.isPossible, "there is no C compiler")) struct Chaos {
        /// What befalls a run.
        private enum Blow: CustomStringConvertible {
            case kill(runner: Bool, worker: Bool, share: Double)
            case disk(call: String, at: Int, count: Int, error: String)
            case memory(pitch: Int)

            init(_ number: Int, using random: inout SeededRandom) {
                guard number % 4 == 3 else {
                    let whom = Int.random(in: 0..<3, using: &random)
                    self = .kill(
                        runner: whom != 1, worker: whom != 0, share: Double.random(in: 0.02...1, using: &random))
                    return
                }
                if Int.random(in: 0..<5, using: &random) == 0 {
                    self = .memory(pitch: [160, 200][Int.random(in: 0..<2, using: &random)])
                    return
                }
                self = .disk(
                    call: ["write", "rename", "sync", "open", "any"].randomElement(using: &random) ?? "any",
                    at: Int.random(in: 1...120, using: &random),
                    count: [1, 1, 5, 1000].randomElement(using: &random) ?? 1,
                    error: ["ENOSPC", "EIO"].randomElement(using: &random) ?? "EIO")
            }

            var description: String {
                switch self {
                case .kill(let runner, let worker, let share):
                    "\([runner ? "runner" : nil, worker ? "worker" : nil].compactMap(\.self).joined(separator: "+")) killed"
                        + String(format: " at %.2f", share)
                case .disk(let call, let at, let count, let error): "\(call) \(at) fails \(count) times with \(error)"
                case .memory(let pitch): "out of memory at \(pitch)"
                }
            }
        }

        /// What an unbroken run leaves.
        private struct Whole {
            var clip: String
            var elapsed: Duration
            var outputs: Set<Report.Output>
            var names: [String]
            var objects: Set<String>
            var library: String
        }

        private func arguments(_ clip: String, _ out: String) -> [String] {
            ["run", clip, "--to", "es", "--format", "json", "--quiet", "--out", out]
        }

        /// Outputs by what they are and their name in the folder.
        private func outputs(_ report: Report) throws -> Set<Report.Output> {
            Set(
                try report.item.outputs.map {
                    Report.Output(
                        kind: $0.kind, language: $0.language, path: ($0.path as NSString).lastPathComponent,
                        sha256: $0.sha256)
                })
        }

        private func unbroken(in scratch: URL) async throws -> Whole {
            let clip = try await Clip(seconds: 9).make(in: scratch)
            let mill = try Mill(in: scratch.appendingPathComponent("whole"))
            let (outcome, report) = try await mill.start(arguments(clip, mill.out)).report()
            #expect(outcome.status == 0, "\(outcome.stdout)")
            let (kept, _) = try await mill.keep("gc")
            #expect(kept.status == 0)
            return Whole(
                clip: clip, elapsed: outcome.elapsed, outputs: try outputs(report), names: mill.delivered,
                objects: mill.objects, library: try await Trouble.library(in: scratch))
        }

        /// Starts a run and strikes.
        ///
        /// - Returns: whether it was hit.
        private func strike(_ blow: Blow, _ mill: Mill, _ whole: Whole) async throws -> Bool {
            let quiet = ["LLVM_PROFILE_FILE": "/dev/null"]
            switch blow {
            case .kill(let runner, let worker, let share):
                let running = try mill.start(arguments(whole.clip, mill.out), quiet)
                try await Task.sleep(for: whole.elapsed * share)
                let pids = worker ? try living(mill) : []
                if runner { running.signal(SIGKILL) }
                for pid in pids { kill(pid, SIGKILL) }
                let outcome = try await running.finish()
                return outcome.status == 128 + SIGKILL || !runner && !pids.isEmpty
            case .disk(let call, let at, let count, let error):
                let outcome = try await mill.start(
                    arguments(whole.clip, mill.out),
                    Trouble.failing(
                        whole.library, below: mill.store, call: call, at: at, count: count, error: error)
                ).finish()
                return outcome.status != 0
            case .memory(let pitch):
                var behaviour = StubWorker.Behaviour.hearing
                behaviour.errors = ["at \(pitch) hertz": "out_of_memory"]
                try mill.stub.become(behaviour)
                let outcome = try await mill.start(arguments(whole.clip, mill.out), quiet).finish()
                try mill.stub.become(.hearing)
                return outcome.status != 0
            }
        }

        private func living(_ mill: Mill) throws -> [Int32] {
            try mill.stub.events("start").compactMap(\.pid).filter { kill($0, 0) == 0 }
        }

        @Test("struck anywhere, it ends as if nothing had been", arguments: ChaosPlan.batches)
        func chaos(batch: Range<Int>) async throws {
            try await withScratch { scratch in
                let whole = try await unbroken(in: scratch)
                for number in batch {
                    var random = SeededRandom(seed: ChaosPlan.seed &* 1_000_003 &+ UInt64(number))
                    let blow = Blow(number, using: &random)
                    let what: Comment = "run \(number) of seed \(ChaosPlan.seed): \(blow)"
                    let mill = try Mill(in: scratch.appendingPathComponent("\(number)"))
                    let isHit = try await strike(blow, mill, whole)
                    // Whole or not at all, also before it is finished.
                    let digests = Set(whole.outputs.map(\.sha256))
                    for name in mill.delivered where !name.hasPrefix(".") {
                        #expect(digests.contains(try Digest.of(fileAt: mill.out + "/" + name).hex), "\(what) \(name)")
                    }
                    let (outcome, report) = try await mill.start(arguments(whole.clip, mill.out)).report()
                    #expect(outcome.status == 0, "\(what): \(outcome.stdout) \(outcome.stderr)")
                    #expect(try outputs(report) == whole.outputs, what)
                    for output in try report.item.outputs {
                        #expect(try Digest.of(fileAt: output.path).hex == output.sha256, what)
                    }
                    #expect(mill.delivered.filter { !$0.hasPrefix(".") } == whole.names, what)
                    let twice = try await mill.executedTwice()
                    #expect(twice.isEmpty, "\(what): \(twice)")
                    #expect(try await eventually { try living(mill).isEmpty }, what)
                    let (verified, _) = try await mill.keep("verify")
                    #expect(verified.status == 0, "\(what): \(verified.stdout)")
                    let (kept, _) = try await mill.keep("gc")
                    #expect(kept.status == 0, "\(what): \(kept.stderr)")
                    #expect(mill.objects == whole.objects, what)
                    let left = try FileManager.default.contentsOfDirectory(atPath: mill.store + "/scratch")
                    #expect(left.isEmpty, "\(what): \(left)")
                    let nodes = try report.item.nodes
                    try log("\(number)\t\(isHit ? "hit" : "missed")\t\(nodes.run)\t\(nodes.cached)\t\(blow)\n")
                    try FileManager.default.removeItem(at: mill.folder)
                }
            }
        }

        private func log(_ line: String) throws {
            guard let path = ChaosPlan.log else { return }
            let file = fopen(path, "a")
            defer { if let file { fclose(file) } }
            guard let file, fputs(line, file) >= 0 else { throw Tool.Failed(description: "cannot write \(path)") }
        }
    }
}
