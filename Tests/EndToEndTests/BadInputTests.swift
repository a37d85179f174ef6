import DubCore
import DubTestKit
import Foundation
import Testing

extension EndToEnd {
    /// What cannot be dubbed is refused with a reason, and stops nothing else.
    @Suite struct BadInput {
        @Test("one bad file never stops the others, and each tells code, place and remedy")
        func batch() async throws {
            try await withScratch { scratch in
                let mill = try Mill(in: scratch)
                let good = try await Clip(seconds: 8).make(in: scratch)
                func write(_ name: String, _ data: Data) throws -> String {
                    try data.write(to: scratch.appendingPathComponent(name))
                    return mill.path(name)
                }
                let mute = try await Clip(seconds: 4, name: "mute.mp4", options: ["-an"]).make(in: scratch)
                let silent = try await Clip(seconds: 4, name: "silent.mp4", isSilent: true).make(in: scratch)
                let fast = try await Clip(
                    seconds: 8, name: "fast.mp4", options: ["-movflags", "+faststart"]
                ).make(in: scratch)
                let whole = try Data(contentsOf: URL(fileURLWithPath: good))
                let faststart = try Data(contentsOf: URL(fileURLWithPath: fast))
                let cases: [(file: String, codes: Set<String>)] = [
                    (mill.path("missing.mp4"), ["input.missing"]),
                    (mill.path("user"), ["input.missing"]),
                    (try write("empty.mp4", Data()), ["input.missing"]),
                    (try write("text.mp4", Data("This is no film.\n".utf8)), ["media.unreadable"]),
                    (try write("noise.mkv", Data((0..<9000).map { UInt8($0 &* 31 & 255) })), ["media.unreadable"]),
                    (mute, ["media.no-stream"]),
                    (silent, ["speech.none"]),
                    (try write("headless.mp4", whole.prefix(whole.count / 2)), ["media.unreadable"]),
                    (try write("cut.mp4", faststart.prefix(faststart.count * 2 / 3)), ["media.damaged"]),
                ]
                let outcome = try await mill.start(
                    ["run", "--to", "es", "--format", "json", "--out", mill.out] + cases.map(\.file) + [good]
                ).finish()
                #expect(outcome.status == 1)
                let report = try Report(outcome)
                #expect(report.items.count == cases.count + 1)
                for (item, wanted) in zip(report.items, cases) {
                    #expect(item.source == wanted.file)
                    #expect(item.status == "failed", "\(item.source)")
                    let error = try #require(item.error)
                    #expect(wanted.codes.contains(error.code), "\(item.source): \(error)")
                    #expect(!error.message.isEmpty && !error.where.isEmpty && !error.fix.isEmpty)
                    #expect(item.outputs.isEmpty)
                }
                #expect(report.items.last?.status == "passed")
                #expect(mill.delivered.allSatisfy { $0.hasPrefix("clip.es.") }, "\(mill.delivered)")
                #expect(mill.delivered.count == 6)
            }
        }

        @Test("takes a damaged source where it is told to")
        func accepts() async throws {
            try await withScratch { scratch in
                let mill = try Mill(in: scratch)
                let fast = try await Clip(
                    seconds: 12, name: "fast.mp4", options: ["-movflags", "+faststart"]
                ).make(in: scratch)
                var data = try Data(contentsOf: URL(fileURLWithPath: fast))
                let hole = data.count * 6 / 10..<data.count * 7 / 10
                data.replaceSubrange(hole, with: Data(count: hole.count))
                try data.write(to: scratch.appendingPathComponent("cut.mp4"))
                let (refusal, refused) = try await mill.run(mill.path("cut.mp4"), "--to", "es")
                #expect(refusal.status == 1)
                #expect(try refused.item.error?.code == "media.damaged")
                let (outcome, report) = try await mill.run(
                    mill.path("cut.mp4"), "--to", "es", "--damaged", "accept")
                #expect([0, 3].contains(outcome.status), "\(outcome.stdout)")
                #expect(["passed", "review"].contains(try report.item.status))
            }
        }

        @Test(
            "refuses settings that cannot be",
            arguments: [
                (["--to", "xx"], "language.unknown"), (["--to", "es", "--pipeline", "nope"], "input.missing"),
                (["--to", "es", "--pipeline", "./nope.yaml"], "input.missing"), ([], "parameter.invalid"),
                (["--to", ","], "parameter.invalid"), (["--to", "es", "--set", "colour=red"], "parameter.invalid"),
                (["--to", "es", "--damaged", "maybe"], "parameter.invalid"),
                (["--to", "es", "--translator", "nobody"], "worker.model-missing"),
                (["--to", "es", "--voice-engine", "stub-absent"], "language.unsupported"),
                (["--to", "en"], "language.unsupported"), (["--to", "ja"], "language.unsupported"),
                (["--to", "es", "--script", "nothing.csv"], "input.missing"),
                (["--to", "es", "--script", "lines.txt"], "script.invalid"),
                (["--to", "es", "--out", "/proc/dubbed"], "output.unwritable"),
                (["--to", "es", "--out", "taken/below"], "output.unwritable"),
                (["--to", "es", "--store", "taken/store"], "output.unwritable"),
            ] as [([String], String)])
        func settings(arguments: [String], code: String) async throws {
            try await withScratch { scratch in
                let mill = try Mill(in: scratch)
                let clip = try await Clip(seconds: 4).make(in: scratch)
                try Data().write(to: URL(fileURLWithPath: mill.path("user/taken")))
                let outcome = try await mill.start(
                    ["run", clip, "--format", "json"] + arguments, ["DUBMILL_OUT": mill.out]
                ).finish()
                #expect(outcome.status == (code == "parameter.invalid" ? 64 : 1), "\(outcome.stderr)")
                let error = try #require(try Report(outcome).item.error)
                #expect(error.code == code, "\(error)")
                #expect(!error.message.isEmpty && !error.where.isEmpty && !error.fix.isEmpty)
                #expect(mill.delivered.isEmpty)
            }
        }

        @Test("lists every fault of a pipeline, with file and line")
        func pipeline() async throws {
            try await withScratch { scratch in
                let mill = try Mill(in: scratch)
                let clip = try await Clip(seconds: 4).make(in: scratch)
                let file = mill.path("bad.yaml")
                try """
                version: 1
                name: bad
                stages:
                  probe: {in: {media: itm}}
                  extract: {in: {media: item, info: prob.info}}
                  dance: {in: {media: item}}
                """.write(toFile: file, atomically: true, encoding: .utf8)
                let (outcome, report) = try await mill.run(clip, "--pipeline", file)
                #expect(outcome.status == 64)
                let error = try #require(try report.item.error)
                #expect(error.code == "pipeline.invalid")
                for line in [4, 5, 6] { #expect(error.message.contains("\(file):\(line):"), "\(error.message)") }
            }
        }

        @Test(
            "a wrong command line is a matter of usage",
            arguments: [
                ["run"], ["run", "a.mp4", "--jobs", "0"], ["run", "a.mp4", "--threads", "-1"],
                ["run", "a.mp4", "--nonsense"], ["run", "a.mp4", "--format", "xml"],
                ["run", "a.mp4", "--set", "nothing"], ["run", "a.mp4", "b.mp4", "--script", "s.csv"], ["dance"],
                ["script", "export"], ["inspect"], ["plan"],
            ])
        func usage(arguments: [String]) async throws {
            try await withScratch { scratch in
                let outcome = try await Mill(in: scratch).start(arguments).finish()
                #expect(outcome.status == 64, "\(outcome.stderr)")
                #expect(outcome.stdout.isEmpty)
                #expect(outcome.stderr.contains("Error:"))
            }
        }

        @Test("settings of the environment and of dubmill.yaml hold, and a malformed file is refused")
        func files() async throws {
            try await withScratch { scratch in
                let mill = try Mill(in: scratch)
                let clip = try await Clip(seconds: 6).make(in: scratch)
                let file = URL(fileURLWithPath: mill.path("user/dubmill.yaml"))
                try Data("to: [es, fr]\nout: there\n".utf8).write(to: file)
                let outcome = try await mill.dubmill("run", clip, "--format", "json", environment: ["DUBMILL_TO": "it"])
                #expect(outcome.status == 0, "\(outcome.stdout)")
                let there = try FileManager.default.contentsOfDirectory(atPath: mill.path("user/there"))
                #expect(there.contains("clip.it.mp4") && !there.contains("clip.es.mp4"))
                try Data("too: es\n".utf8).write(to: file)
                let refused = try await mill.dubmill("run", clip, "--format", "json")
                #expect(refused.status == 64)
                #expect(try Report(refused).item.error?.code == "settings.invalid")
            }
        }

        @Test(
            "a full disk is told, and leaves nothing half-made behind",
            .enabled(if: SmallDisk.isPossible, "only root may mount a small disk"))
        func fullDisk() async throws {
            try await withScratch { scratch in
                let mill = try Mill(in: scratch)
                let clip = try await Clip().make(in: scratch)
                try await SmallDisk.use(at: mill.path("small"), kilobytes: 64) { small in
                    let outcome = try await mill.dubmill(
                        "run", clip, "--to", "es", "--format", "json", "--out", small)
                    #expect(outcome.status == 1)
                    #expect(try Report(outcome).item.error?.code == "output.unwritable", "\(outcome.stdout)")
                    let left = try FileManager.default.contentsOfDirectory(atPath: small)
                    #expect(left.allSatisfy { !$0.hasSuffix(".part") && !$0.hasSuffix(".mp4") }, "\(left)")
                }
                try await SmallDisk.use(at: mill.path("tight"), kilobytes: 768) { tight in
                    let outcome = try await mill.dubmill(
                        "run", clip, "--to", "es", "--format", "json", "--store", tight + "/store", "--out",
                        mill.path("other"))
                    #expect(outcome.status == 1)
                    let code = try Report(outcome).item.error?.code
                    #expect(code == "output.unwritable" || code == "ledger.failed", "\(outcome.stdout)")
                    let left = try FileManager.default.contentsOfDirectory(atPath: tight + "/store/scratch")
                    #expect(left.isEmpty, "\(left)")
                }
            }
        }
    }
}

/// A disk in memory that is soon full.
enum SmallDisk {
    static let isPossible: Bool = {
        guard geteuid() == 0 else { return false }
        let folder = "/tmp/dubtest-mount-\(UInt32.random(in: .min ... .max))"
        mkdir(folder, 0o755)
        defer { rmdir(folder) }
        guard mount("tmpfs", folder, "tmpfs", 0, "size=64k") == 0 else { return false }
        return umount(folder) == 0
    }()

    static func use(at folder: String, kilobytes: Int, _ body: (String) async throws -> Void) async throws {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        guard mount("tmpfs", folder, "tmpfs", 0, "size=\(kilobytes)k") == 0 else {
            throw Tool.Failed(description: "mount: \(String(cString: strerror(errno)))")
        }
        defer { umount2(folder, Int32(MNT_DETACH)) }
        try await body(folder)
    }
}
