import DubCore
import DubTestKit
import Foundation
import Testing

extension EndToEnd {
    /// Two runs at once on the same files and one store.
    @Suite struct Together {
        private static let count = 20

        /// Short files that differ.
        private func clips(in folder: URL) async throws -> [String] {
            var clips: [String] = []
            for number in 0..<Self.count {
                clips.append(
                    try await Clip(seconds: 4 + 0.1 * Double(number), name: "clip\(number).mp4").make(in: folder))
            }
            return clips
        }

        /// How many nodes one run alone executes.
        private func alone(_ clips: [String], in folder: URL) async throws -> (nodes: Int, outputs: Set<String>) {
            let mill = try Mill(in: folder)
            let (outcome, report) = try await mill.start(arguments(clips, mill.out)).report()
            #expect(outcome.status == 0, "\(outcome.stdout)")
            return (report.items.map(\.nodes.run).reduce(0, +), outputs(report))
        }

        private func arguments(_ clips: [String], _ out: String) -> [String] {
            ["run"] + clips + ["--pipeline", "transcribe", "--format", "json", "--quiet", "--out", out]
        }

        private func outputs(_ report: Report) -> Set<String> {
            Set(report.items.flatMap { item in item.outputs.map { "\(item.source) \($0.kind) \($0.sha256)" } })
        }

        @Test("each node is executed once in all, and both deliver everything")
        func once() async throws {
            try await withScratch { scratch in
                let clips = try await clips(in: scratch)
                let alone = try await alone(clips, in: scratch.appendingPathComponent("alone"))
                let mill = try Mill(in: scratch)
                let both = try ["one", "two"].map { try mill.start(arguments(clips, mill.path($0))) }
                var run = 0
                for one in both {
                    let (outcome, report) = try await one.report()
                    #expect(outcome.status == 0, "\(outcome.stdout) \(outcome.stderr)")
                    #expect(outputs(report) == alone.outputs)
                    run += report.items.map(\.nodes.run).reduce(0, +)
                }
                #expect(run == alone.nodes)
                #expect(try await mill.executedTwice().isEmpty)
            }
        }

        @Test("one is killed in the middle: the other finishes, and what was recorded is not executed again")
        func killed() async throws {
            try await withScratch { scratch in
                let clips = try await clips(in: scratch)
                let alone = try await alone(clips, in: scratch.appendingPathComponent("alone"))
                var slow = StubWorker.Behaviour.hearing
                slow.delay = 0.02
                let mill = try Mill(in: scratch, behaviour: slow)
                let survivor = try mill.start(arguments(clips, mill.path("one")))
                let victim = try mill.start(arguments(clips, mill.path("two")), ["LLVM_PROFILE_FILE": "/dev/null"])
                // In the middle: half of what there is to do is done.
                #expect(
                    try await eventually(within: .seconds(60)) {
                        let rows = try? await mill.ledger("SELECT count(*) FROM node WHERE state = 'done'")
                        return Int(rows?.first?.first ?? "") ?? 0 >= alone.nodes / 2
                    })
                victim.signal(SIGKILL)
                #expect(try await victim.finish().status == 128 + SIGKILL)
                let (outcome, report) = try await survivor.report()
                #expect(outcome.status == 0, "\(outcome.stdout) \(outcome.stderr)")
                #expect(outputs(report) == alone.outputs)
                #expect(try await mill.executedTwice().isEmpty)
                let done = try await mill.ledger("SELECT count(*) FROM node WHERE state = 'done'")
                #expect(done == [["\(alone.nodes)"]])
                #expect(
                    try await eventually {
                        try mill.stub.events("start").compactMap(\.pid).allSatisfy { kill($0, 0) != 0 }
                    })
            }
        }
    }
}
