import DubCore
import DubTestKit
import Foundation
import Testing

extension EndToEnd {
    /// The pipeline `loudness`, judged by the ffmpeg program.
    @Suite struct Loudness {
        /// Integrated loudness and true peak of an audio stream, as the ffmpeg program measures them.
        private func judge(_ path: String, stream: Int, in folder: URL) async throws -> (lufs: Double, peak: Double) {
            let log = folder.appendingPathComponent("ebur128-\(UInt32.random(in: .min ... .max)).txt")
            try await Tool.ffmpeg(
                [
                    "-i", "file:" + path, "-map", "0:a:\(stream)", "-af",
                    "ebur128=peak=true:metadata=1,ametadata=print:file=\(log.path)", "-f", "null", "-",
                ], in: folder)
            let lines = try String(contentsOf: log, encoding: .utf8).split(separator: "\n")
            func values(_ key: String) -> [Double] {
                lines.filter { $0.hasPrefix("lavfi.r128.\(key)") }.compactMap {
                    $0.split(separator: "=").last.flatMap { Double($0) }
                }
            }
            let peak = values("true_peaks_ch").max() ?? 0
            return (try #require(values("I=").last), 20 * log10(peak))
        }

        private func hash(_ path: String, _ map: String, in folder: URL) async throws -> String {
            try await Tool.run(
                #require(Tool.ffmpegPath),
                [
                    "-nostdin", "-v", "error", "-i", "file:" + path, "-map", map, "-c", "copy", "-f", "streamhash",
                    "-",
                ],
                in: folder)
        }

        @Test(
            "brings every audio stream of every file to the profile, and copies the picture",
            arguments: [("web", -16.0, -1.0), ("netflix", -27, -2)])
        func batch(profile: String, target: Double, ceiling: Double) async throws {
            try await withScratch { scratch in
                let mill = try Mill(in: scratch)
                // Quiet speech in two languages, the second in 5.1; and a loud track with peaks.
                let quiet = try await Clip(
                    seconds: 14, name: "quiet.mkv",
                    options: [
                        "-map", "1:a", "-filter:a:0", "volume=-12dB", "-c:a:1", "ac3", "-b:a:1", "384k",
                        "-filter:a:1", "pan=5.1|FC=FC|FL=0.2*FC|FR=0.1*FC", "-metadata:s:a:1", "language=fra",
                        "-disposition:a:0", "default", "-disposition:a:1", "0",
                    ]
                ).make(in: scratch)
                try await Tool.ffmpeg(
                    [
                        "-f", "lavfi", "-i", "testsrc=size=64x48:rate=10", "-f", "lavfi", "-i",
                        "aevalsrc='0.55*sin(2*PI*110*t)+0.4*random(0)*lt(mod(t,0.5),0.05)|0.5*sin(2*PI*330*t)':s=44100",
                        "-t", "12", "-c:v", "mpeg4", "-c:a", "aac", "-b:a", "160k", "loud.mp4",
                    ], in: scratch)
                let loud = mill.path("loud.mp4")
                let (outcome, report) = try await mill.run(
                    quiet, loud, "--pipeline", "loudness", "--set", "profile=\(profile)")
                #expect(outcome.status == 0, "\(outcome.stdout)")
                #expect(report.items.map(\.status) == ["passed", "passed"])
                #expect(
                    report.items.map { $0.outputs.map(\.kind).sorted() } == [
                        ["verdict", "video"], ["verdict", "video"],
                    ])
                #expect(
                    mill.delivered == [
                        "loud.mp4", "loud.verdict.json", "quiet.mkv", "quiet.verdict.json",
                    ])
                for (name, source, streams) in [("quiet.mkv", quiet, 2), ("loud.mp4", loud, 1)] {
                    let result = mill.out + "/" + name
                    for stream in 0..<streams {
                        let heard = try await judge(result, stream: stream, in: scratch)
                        #expect(abs(heard.lufs - target) <= 0.5, "\(name) \(stream): \(heard.lufs) LUFS")
                        #expect(heard.peak <= ceiling, "\(name) \(stream): \(heard.peak) dBTP")
                    }
                    let (before, after) = (
                        try await hash(source, "0:v", in: scratch), try await hash(result, "0:v", in: scratch)
                    )
                    #expect(before == after)
                }
                let verdict = try JSONValue.parse(
                    Data(contentsOf: URL(fileURLWithPath: mill.out + "/quiet.verdict.json")))
                #expect(verdict["verdict"] == "pass")
                #expect(verdict["streams"]?.array?.count == 2)
                let stream = verdict["streams"]?.array?.first
                #expect((stream?["before"]?["integrated"]?.double ?? 0) < -20)
                #expect(abs((stream?["after"]?["integrated"]?.double ?? 0) - target) <= 0.5)
                let table = try await mill.dubmill("inspect", mill.out + "/quiet.mkv")
                #expect(table.stdout.contains("5.1"))
                #expect(table.stdout.contains("fr"))

                let (_, again) = try await mill.run(
                    quiet, loud, "--pipeline", "loudness", "--set", "profile=\(profile)")
                #expect(again.items.allSatisfy { $0.nodes.run == 0 })
                let (_, other) = try await mill.run(loud, "--pipeline", "loudness", "--set", "profile=a85")
                #expect(try await mill.status(other.run)["measure"]?.run == 0, "it is measured once for all profiles")
            }
        }

        @Test("of several streams only the default one, where asked; no worker is started for it")
        func defaultStream() async throws {
            try await withScratch { scratch in
                let mill = try Mill(in: scratch)
                let clip = try await Clip(
                    seconds: 8,
                    options: ["-map", "1:a", "-disposition:a:0", "0", "-disposition:a:1", "default"]
                ).make(in: scratch)
                let (outcome, _) = try await mill.run(
                    clip, "--pipeline", "loudness", "--set", "profile=r128", "--set", "streams=default")
                #expect(outcome.status == 0, "\(outcome.stdout)")
                let result = mill.out + "/clip.mp4"
                let (first, second) = (
                    try await hash(clip, "0:a:0", in: scratch), try await hash(result, "0:a:0", in: scratch)
                )
                #expect(first == second)
                #expect(abs(try await judge(result, stream: 1, in: scratch).lufs + 23) <= 0.5)
                #expect(try mill.stub.events("start").isEmpty)
            }
        }

        @Test("silence is told and set aside; an unknown profile is a fault of the command line; plan shows the stages")
        func edges() async throws {
            try await withScratch { scratch in
                let mill = try Mill(in: scratch)
                let clip = try await Clip(seconds: 5, isSilent: true, options: ["-filter:a", "volume=0"]).make(
                    in: scratch)
                let (outcome, report) = try await mill.run(clip, "--pipeline", "loudness")
                #expect(outcome.status == 3)
                #expect(try report.item.status == "review")
                let verdict = try String(contentsOfFile: mill.out + "/clip.verdict.json", encoding: .utf8)
                #expect(verdict.contains("left as it is"))
                let wrong = try await mill.dubmill("run", clip, "--pipeline", "loudness", "--set", "profile=loud")
                #expect(wrong.status == 64)
                #expect(wrong.stdout.contains("web, r128, netflix, a85"))
                let plan = try await mill.dubmill("plan", clip, "--pipeline", "loudness")
                #expect(plan.status == 0)
                for stage in ["probe", "measure", "normalise", "verify"] { #expect(plan.stdout.contains(stage)) }
            }
        }
    }
}
