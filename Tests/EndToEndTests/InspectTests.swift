import DubCore
import DubTestKit
import Foundation
import Testing

extension EndToEnd {
    /// `inspect`: a sound dub passes, a broken one does not.
    @Suite struct Inspect {
        private struct Checked: Decodable {
            struct Verdict: Decodable {
                struct Check: Decodable {
                    var name: String
                    var grade: String
                }
                var verdict: String
                var checks: [Check]
                var complaints: [String] { checks.filter { $0.grade != "pass" }.map(\.name) }
            }
            var verdict: Verdict
        }

        private func inspect(
            _ mill: Mill, _ file: String, of source: String
        ) async throws -> (status: Int32, Checked.Verdict) {
            let outcome = try await mill.dubmill(
                "inspect", file, "--source", source, "--language", "es", "--format", "json")
            let report = try JSONDecoder().decode(Checked.self, from: Data(outcome.stdout.utf8))
            return (outcome.status, report.verdict)
        }

        @Test("passes a sound dub, and refuses one that is late, silent, or whose picture is another")
        func verdicts() async throws {
            try await withScratch { scratch in
                let mill = try Mill(in: scratch)
                let clip = try await Clip(seconds: 12, name: "clip.mkv").make(in: scratch)
                let (made, _) = try await mill.run(clip, "--to", "es")
                #expect(made.status == 0, "\(made.stdout)")
                let dub = mill.out + "/clip.es.mkv"
                let good = try await inspect(mill, dub, of: clip)
                #expect(good.status == 0)
                #expect(good.1.verdict == "pass", "\(good.1.complaints)")

                let keep = ["-map", "0:v", "-map", "0:a:0"]
                func bad(_ name: String, _ arguments: [String]) async throws -> String {
                    try await Tool.ffmpeg(arguments + [name], in: scratch)
                    return mill.path(name)
                }
                let late = try await inspect(
                    mill,
                    bad(
                        "late.mkv", ["-i", dub, "-itsoffset", "2", "-i", dub] + keep + ["-map", "1:a:1", "-c", "copy"]),
                    of: clip)
                #expect(late.status == 1)
                #expect(late.1.complaints.contains("start.offset.change"))
                let slightly = try await inspect(
                    mill,
                    bad(
                        "slightly.mkv",
                        ["-i", dub, "-itsoffset", "0.02", "-i", dub] + keep + ["-map", "1:a:1", "-c", "copy"]), of: clip
                )
                #expect(slightly.status == 3, "\(slightly.1.complaints)")
                #expect(slightly.1.complaints == ["start.offset.change"])
                let silent = try await inspect(
                    mill,
                    bad(
                        "silent.mkv",
                        ["-i", dub] + keep + [
                            "-map", "0:a:1", "-c", "copy", "-c:a:1", "aac", "-filter:a:1", "volume=0",
                        ]
                    ), of: clip)
                #expect(silent.status == 1)
                #expect(silent.1.complaints.contains("loudness.integrated"))
                let picture = try await inspect(
                    mill,
                    bad("picture.mkv", ["-i", dub] + keep + ["-map", "0:a:1", "-c", "copy", "-c:v", "mjpeg"]), of: clip)
                #expect(picture.status == 1)
                #expect(picture.1.complaints.contains("picture.identical"))
                let shorn = try await inspect(
                    mill, bad("shorn.mkv", ["-i", dub, "-map", "0:v", "-map", "0:a:1", "-c", "copy"]), of: clip)
                #expect(shorn.status == 1)
                #expect(shorn.1.complaints.contains("streams.kept"))
            }
        }

        @Test(
            "thresholds of one's own refuse what they refuse; it is kept apart with the reason, and nothing else runs anew"
        )
        func quarantine() async throws {
            try await withScratch { scratch in
                let mill = try Mill(in: scratch)
                let clip = try await Clip(seconds: 10).make(in: scratch)
                _ = try await mill.run(clip, "--to", "es")
                try FileManager.default.removeItem(atPath: mill.out)
                let strict = mill.path("strict.yaml")
                try Data("version: 1\nchecks: {speech.iou: {least: 1.1, review: 1.1}}\n".utf8).write(
                    to: URL(fileURLWithPath: strict))
                let (outcome, report) = try await mill.run(
                    clip, "--to", "es", "--gate", strict, "--quarantine", mill.path("held"))
                #expect(outcome.status == 1)
                #expect(try await mill.status(report.run).ran == ["inspect": 1])
                #expect(mill.delivered == ["clip.es.cast.json", "clip.es.script.json", "clip.es.verdict.json"])
                let held = try FileManager.default.contentsOfDirectory(atPath: mill.path("held")).sorted()
                #expect(
                    held == [
                        "clip.es.cast.json", "clip.es.mp4", "clip.es.refused.txt", "clip.es.script.json",
                        "clip.es.srt", "clip.es.verdict.json", "clip.es.vtt",
                    ])
                let reason = try String(contentsOfFile: mill.path("held/clip.es.refused.txt"), encoding: .utf8)
                #expect(reason.contains("speech.iou is"))
                #expect(try report.item.outputs.contains { $0.kind == "quarantined-video" })
                let broken = try await mill.dubmill("run", clip, "--to", "es", "--gate", clip)
                #expect(broken.stdout.contains("error[gate.invalid]"), "\(broken.stdout)")
            }
        }

        @Test("tells what a file holds, without a source")
        func table() async throws {
            try await withScratch { scratch in
                let mill = try Mill(in: scratch)
                let clip = try await Clip(seconds: 5).make(in: scratch)
                let outcome = try await mill.dubmill("inspect", clip)
                #expect(outcome.status == 0, "\(outcome.stdout) \(outcome.stderr)")
                for part in ["mpeg4", "64×48", "aac", "48000 Hz mono", "en", "pass"] {
                    #expect(outcome.stdout.contains(part), "\(part) in \(outcome.stdout)")
                }
                let missing = try await mill.dubmill("inspect", mill.path("none.mp4"))
                #expect(missing.status == 1)
                #expect(missing.stderr.contains("error[input.missing]"))
            }
        }
    }

    /// The words that the program explains itself with.
    @Suite struct Help {
        @Test(
            "help reads as it did; DUBMILL_RECORD=1 takes new snapshots",
            arguments: [
                [], ["run"], ["plan"], ["runs"], ["status"], ["report"], ["logs"],
                ["cancel"], ["retry"], ["trace"], ["script"], ["script", "export"], ["script", "import"],
                ["inspect"], ["models"], ["models", "list"], ["models", "pull"], ["models", "verify"], ["doctor"],
                ["sign"], ["copy"], ["publish"], ["publications"], ["erase"], ["ledger"], ["ledger", "backup"],
                ["ledger", "restore"],
                ["token"], ["token", "add"], ["token", "list"], ["token", "remove"],
                ["worker"],
                ["worker", "check"], ["worker", "serve"],
                ["daemon"], ["schedule"], ["schedule", "next"],
            ])
        func snapshot(command: [String]) async throws {
            try await withScratch { scratch in
                let outcome = try await Mill(in: scratch).start(command + ["--help"]).finish()
                #expect(outcome.status == 0)
                #expect(outcome.stderr.isEmpty)
                let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent(
                    "Snapshots/\((["dubmill"] + command).joined(separator: "-")).txt")
                if ProcessInfo.processInfo.environment["DUBMILL_RECORD"] == "1" {
                    try outcome.stdout.write(to: file, atomically: true, encoding: .utf8)
                }
                let known = try String(contentsOf: file, encoding: .utf8)
                #expect(outcome.stdout == known)
            }
        }

        @Test("knows its version, and completes for every shell", arguments: ["bash", "zsh", "fish"])
        func completions(shell: String) async throws {
            try await withScratch { scratch in
                let mill = try Mill(in: scratch)
                let script = try await mill.dubmill("--generate-completion-script", shell)
                #expect(script.status == 0)
                #expect(script.stdout.contains("voice-engine"))
                let version = try await mill.dubmill("--version")
                #expect(version.stdout.wholeMatch(of: /\d+\.\d+\.\d+\n/) != nil)
            }
        }
    }
}
