import DubTestKit
import Foundation
import Testing

extension EndToEnd {
    /// Pipelines of one's own.
    @Suite struct Custom {
        private static let example = Tool.repository.appendingPathComponent("Pipelines/examples/contact-sheet.yaml")
            .path

        @Test("the worked example makes its pictures with the ffmpeg program, and once")
        func example() async throws {
            try await withScratch { scratch in
                let mill = try Mill(in: scratch)
                let clip = try await Clip(seconds: 6).make(in: scratch)
                func run() async throws -> (Outcome, Report) {
                    try await mill.run(
                        clip, "--pipeline", Self.example, "--set", "every=2", "--set", "widths=64,96")
                }
                let (outcome, report) = try await run()
                #expect(outcome.status == 0, "\(outcome.stderr)")
                #expect(mill.delivered == ["clip.sheet-64.png", "clip.sheet-96.png", "clip.waveform.png"])
                #expect(try report.item.outputs.map(\.kind).sorted() == ["sheet", "sheet", "waveform"])
                let (_, again) = try await run()
                #expect(try again.item.nodes.run == 0)
                let quick = try await mill.start(
                    ["plan", "--format", "json", clip, "--pipeline", Self.example, "--profile", "quick"]
                ).finish()
                #expect(quick.status == 0 && quick.stdout.contains("fps=1/60"), "\(quick.stdout)")
                #expect(!quick.stdout.contains("waveform"), "what is not needed is not planned")
                let wrong = try await mill.dubmill("run", clip, "--pipeline", Self.example, "--profile", "quik")
                #expect(wrong.status == 64)
                #expect(wrong.stderr.contains("quick") || wrong.stdout.contains("quick"))
            }
        }

        @Test("killed, it takes a program of somebody else's with it, though that minds no signal")
        func orphans() async throws {
            try await withScratch { scratch in
                let mill = try Mill(in: scratch)
                let clip = try await Clip(seconds: 2).make(in: scratch)
                let told = mill.path("told")
                let script =
                    "trap '' TERM INT HUP; sleep 600 & echo $$ > \(told).part; echo $! >> \(told).part; "
                    + "mv \(told).part \(told); wait"
                let file = mill.path("long.yaml")
                try Data(
                    """
                    version: 1
                    name: long
                    stages:
                      wait:
                        uses: exec
                        in: {media: item}
                        out: {text: txt}
                        with: {command: [/bin/sh, -c, "\(script)"]}
                    deliver:
                      - {kind: text, from: wait.text, name: "{stem}"}
                    """.utf8
                ).write(to: URL(fileURLWithPath: file))
                let running = try mill.start(["run", clip, "--pipeline", file, "--quiet", "--out", mill.out])
                #expect(try await eventually { FileManager.default.fileExists(atPath: told) })
                let pids = try String(contentsOfFile: told, encoding: .utf8).split(separator: "\n")
                    .compactMap { pid_t($0) }
                #expect(pids.count == 2 && pids.allSatisfy { kill($0, 0) == 0 })
                running.signal(SIGKILL)
                _ = try await running.finish()
                #expect(try await eventually { pids.allSatisfy { kill($0, 0) != 0 } })
            }
        }

        @Test("a program beside the pipeline is part of the key, and what is tolerated is taken up by retry")
        func beside() async throws {
            try await withScratch { scratch in
                let mill = try Mill(in: scratch)
                let clip = try await Clip(seconds: 2).make(in: scratch)
                let file = mill.path("own.yaml")
                func write(_ text: String, _ name: String) throws {
                    try Data(text.utf8).write(to: URL(fileURLWithPath: mill.path(name)))
                }
                try write(
                    """
                    version: 1
                    name: own
                    parameters: {sizes: {type: list, default: [1, 2]}}
                    axes: {size: sizes}
                    stages:
                      count:
                        uses: exec
                        for_each: size
                        in: {media: item, program: ./count.sh}
                        out: {text: txt}
                        tolerate: 1
                        with: {command: [sh, "{in.program}", "${size}", "{out.text}"]}
                      all:
                        uses: exec
                        in: {parts: count.text}
                        out: {text: txt}
                        with: {command: [sh, -c, 'out=$1; shift; cat "$@" > "$out"', sh, "{out.text}", "{in.parts}"]}
                    deliver:
                      - {kind: text, from: all.text, name: "{stem}"}
                    """, "own.yaml")
                let missing = try await mill.dubmill("run", clip, "--pipeline", file, "--out", mill.out)
                #expect(missing.status == 1 && missing.stdout.contains("count.sh"), "\(missing.stdout)")
                #expect(mill.delivered == [])
                try write("test $1 = 1 || exit 7; echo $1 > $2", "count.sh")
                let (_, first) = try await mill.run(clip, "--pipeline", file)
                #expect(try first.item.status == "review")
                #expect(try String(contentsOfFile: mill.out + "/clip.txt", encoding: .utf8) == "1\n")
                let (_, again) = try await mill.run(clip, "--pipeline", file, "--set", "sizes=1")
                #expect(try again.item.nodes.run == 0, "what it wrote is kept")
                try write("echo number $1 > $2", "count.sh")
                let retried = try await mill.dubmill("retry", try #require(first.run), "--format", "json")
                #expect(retried.status == 0, "\(retried.stderr)")
                #expect(try Report(retried).item.status == "passed")
                #expect(
                    try String(contentsOfFile: mill.out + "/clip.txt", encoding: .utf8) == "number 1\nnumber 2\n")
                #expect(try await mill.dubmill("retry", try #require(first.run)).stderr.contains("Nothing to retry"))
            }
        }

        @Test("pipeline check tells every fault and ends with 64; show and schema print")
        func commands() async throws {
            try await withScratch { scratch in
                let mill = try Mill(in: scratch)
                let bad = mill.path("bad.yaml")
                try Data("version: 1\nname: bad\nstages:\n  prob: {in: {media: item}}\n  chunk: {retry: 0}\n".utf8)
                    .write(to: URL(fileURLWithPath: bad))
                let checked = try await mill.dubmill("pipeline", "check", bad, "dub", mill.path("none.yaml"))
                #expect(checked.status == 64)
                let lines = checked.stdout.split(separator: "\n")
                #expect(lines.count == 4, "\(checked.stdout)")
                #expect(lines.first == "\(bad):4:9: There is no stage `prob`. Did you mean `probe`?")
                #expect(try await mill.dubmill("pipeline", "check", "dub", "subtitle", Self.example).status == 0)
                let own = mill.path("own.yaml")
                try Data("version: 1\ninclude: dub\nparameters: {to: {default: [es]}}\n".utf8)
                    .write(to: URL(fileURLWithPath: own))
                #expect(try await mill.dubmill("pipeline", "check", own).status == 0)
                let shown = try await mill.dubmill("pipeline", "show", "dub")
                #expect(shown.status == 0 && shown.stdout.contains("PARAMETER") && shown.stdout.contains("synthesize"))
                let schema = try await mill.dubmill("pipeline", "schema")
                #expect(schema.status == 0 && schema.stdout.hasPrefix("{"))
            }
        }
    }
}
