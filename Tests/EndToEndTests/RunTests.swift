import DubCore
import DubTestKit
import Foundation
import Testing

extension EndToEnd {
    /// `run`: what it prints, and what it need not do again.
    @Suite struct Run {
        @Test("prints one JSON object of the promised shape, and every file it names is there")
        func shape() async throws {
            try await withScratch { scratch in
                let mill = try Mill(in: scratch)
                let clip = try await Clip().make(in: scratch)
                let outcome = try await mill.dubmill(
                    "run", clip, "--to", "es", "--format", "json", "--quiet", "--out", mill.out)
                #expect(outcome.status == 0, "\(outcome.stdout) \(outcome.stderr)")
                #expect(outcome.stderr == "", "--quiet says nothing where all goes well")
                let document = try JSONValue.parse(Data(outcome.stdout.utf8))
                #expect(Set(document.object?.keys.map(\.self) ?? []) == ["run", "items"])
                let item = try #require(document["items"]?.array?.first)
                #expect(
                    Set(item.object?.keys.map(\.self) ?? [])
                        == ["source", "status", "outputs", "nodes", "seconds", "error"])
                #expect(item["error"] == .null)
                #expect(item["status"] == "passed")
                #expect(item["source"]?.string == clip)
                #expect(Set(item["nodes"]?.object?.keys.map(\.self) ?? []) == ["run", "cached"])
                #expect(Set(item["seconds"]?.object?.keys.map(\.self) ?? []) == ["wall", "media"])
                #expect(abs((item["seconds"]?["media"]?.double ?? 0) - 38) < 0.2)
                for output in item["outputs"]?.array ?? [] {
                    #expect(Set(output.object?.keys.map(\.self) ?? []) == ["kind", "language", "path", "sha256"])
                }
                let report = try Report(outcome)
                let outputs = try report.item.outputs
                #expect(
                    outputs.map(\.kind).sorted() == ["cast", "script", "subtitles", "subtitles", "verdict", "video"])
                for output in outputs {
                    #expect(try Digest.of(fileAt: output.path).hex == output.sha256)
                    #expect(output.language == "es")
                }
                #expect(
                    mill.delivered == [
                        "clip.es.cast.json", "clip.es.mp4", "clip.es.script.json", "clip.es.srt",
                        "clip.es.verdict.json", "clip.es.vtt",
                    ])
            }
        }

        @Test("tells where no language is known with an explicit null")
        func transcribe() async throws {
            try await withScratch { scratch in
                let mill = try Mill(in: scratch)
                let clip = try await Clip(seconds: 10).make(in: scratch)
                let (outcome, report) = try await mill.run(clip, "--pipeline", "transcribe")
                #expect(outcome.status == 0, "\(outcome.stdout)")
                #expect(try report.item.outputs.map(\.kind).sorted() == ["script", "subtitles", "subtitles"])
                let document = try JSONValue.parse(Data(outcome.stdout.utf8))
                let output = try #require(document["items"]?.array?.first?["outputs"]?.array?.first)
                #expect(output["language"] == .null)
            }
        }

        @Test("prints a table for people, and plain lines of progress where no terminal is")
        func table() async throws {
            try await withScratch { scratch in
                let mill = try Mill(in: scratch)
                let clip = try await Clip(seconds: 10).make(in: scratch)
                let outcome = try await mill.dubmill("run", clip, "--to", "es", "--out", mill.out)
                #expect(outcome.status == 0)
                #expect(outcome.stdout.hasPrefix("passed    clip.mp4  "))
                #expect(outcome.stdout.contains("  video     \(mill.out)/clip.es.mp4"))
                #expect(outcome.stderr.contains("clip.mp4: started"))
                #expect(outcome.stderr.contains("clip.mp4: transcribe done"))
                #expect(!outcome.stderr.contains("\u{1b}"), "escape sequences belong on terminals")
            }
        }

        @Test("the same command again runs nothing, starts no worker and takes under a second")
        func again() async throws {
            try await withScratch { scratch in
                let mill = try Mill(in: scratch)
                let clip = try await Clip().make(in: scratch)
                let (_, first) = try await mill.run(clip, "--to", "es")
                let starts = try mill.stub.events("start").count
                let (outcome, second) = try await mill.run(clip, "--to", "es")
                #expect(outcome.status == 0)
                #expect(try second.item.nodes.run == 0)
                #expect(try second.item.nodes.cached == first.item.nodes.run + first.item.nodes.cached)
                #expect(try second.item.outputs == first.item.outputs)
                #expect(try mill.stub.events("start").count == starts)
                #expect(outcome.elapsed < .seconds(1))
                let (_, third) = try await mill.run(clip, "--to", "es", "--force")
                #expect(try third.item.nodes.run >= first.item.nodes.run)
                #expect(try third.item.outputs == first.item.outputs)
            }
        }

        @Test("a delivered file that is gone or changed is put back, and nothing is run for it")
        func redelivers() async throws {
            try await withScratch { scratch in
                let mill = try Mill(in: scratch)
                let clip = try await Clip(seconds: 10).make(in: scratch)
                let (_, first) = try await mill.run(clip, "--to", "es")
                try FileManager.default.removeItem(atPath: mill.out + "/clip.es.mp4")
                try Data("other".utf8).write(to: URL(fileURLWithPath: mill.out + "/clip.es.srt"))
                let (_, second) = try await mill.run(clip, "--to", "es")
                #expect(try second.item.nodes.run == 0)
                for output in try first.item.outputs {
                    #expect(try Digest.of(fileAt: output.path).hex == output.sha256)
                }
            }
        }

        @Test("a second language re-uses what was recognised")
        func secondLanguage() async throws {
            try await withScratch { scratch in
                let mill = try Mill(in: scratch)
                let clip = try await Clip().make(in: scratch)
                _ = try await mill.run(clip, "--to", "es")
                let (outcome, report) = try await mill.run(clip, "--to", "es,fr")
                #expect(outcome.status == 0, "\(outcome.stdout)")
                let status = try await mill.status(report.run)
                for stage in ["probe", "extract", "chunk", "detect", "transcribe", "edits", "merge"] {
                    #expect(status[stage]?.run == 0, "\(stage)")
                    #expect((status[stage]?.cached ?? 0) > 0, "\(stage)")
                }
                #expect(status["fit"]?.run == 1)
                #expect(status["fit"]?.cached == 1)
                #expect(mill.delivered.contains("clip.fr.mp4") && mill.delivered.contains("clip.es.mp4"))
            }
        }

        @Test("a file that is cut shorter re-uses the chunks it shares")
        func shorter() async throws {
            try await withScratch { scratch in
                let mill = try Mill(in: scratch)
                let long = try await Clip(seconds: 70, name: "long.mp4").make(in: scratch)
                try await Tool.ffmpeg(
                    ["-i", long, "-map", "0", "-c", "copy", "-t", "48", "short.mp4"], in: scratch)
                let (_, first) = try await mill.run(long, "--to", "es")
                let chunks = try await mill.status(first.run)["transcribe"]?.run ?? 0
                #expect(chunks >= 3)
                let (outcome, second) = try await mill.run(mill.path("short.mp4"), "--to", "es")
                #expect(outcome.status == 0, "\(outcome.stdout)")
                let status = try await mill.status(second.run)
                #expect((status["transcribe"]?.cached ?? 0) >= 1)
                #expect((status["transcribe"]?.run ?? 9) <= 1, "only the chunk at the cut is new")
                #expect((status["translate"]?.run ?? 9) <= 1)
                #expect((status["synthesize"]?.cached ?? 0) >= 5)
            }
        }

        @Test("a second file with the same sound elsewhere is not recognised again")
        func sameBytes() async throws {
            try await withScratch { scratch in
                let mill = try Mill(in: scratch)
                let clip = try await Clip(seconds: 10).make(in: scratch)
                _ = try await mill.run(clip, "--to", "es")
                try FileManager.default.copyItem(atPath: clip, toPath: mill.path("copy.mp4"))
                let (_, report) = try await mill.run(mill.path("copy.mp4"), "--to", "es")
                #expect(try report.item.nodes.run == 0)
                #expect(mill.delivered.contains("copy.es.mp4"))
            }
        }

        @Test("a line that no engine translates is told, and sets the dub aside")
        func review() async throws {
            try await withScratch { scratch in
                var behaviour = StubWorker.Behaviour.hearing
                behaviour.errors = ["at 240 hertz": "rejected_output"]
                let mill = try Mill(in: scratch, behaviour: behaviour)
                let clip = try await Clip().make(in: scratch)
                let (outcome, report) = try await mill.run(clip, "--to", "es")
                #expect(outcome.status == 3, "\(outcome.stdout)")
                #expect(try report.item.status == "review")
                #expect(try report.item.error == nil)
                let verdict = try JSONValue.parse(
                    Data(contentsOf: URL(fileURLWithPath: mill.out + "/clip.es.verdict.json")))
                #expect(verdict["lines"]?["notVoiced"] == 1)
                #expect(verdict["notes"]?.array?.contains { $0.string?.contains("not translated") == true } == true)
            }
        }

        @Test("takes hostile names as they are")
        func names() async throws {
            try await withScratch { scratch in
                let mill = try Mill(in: scratch)
                let clip = try await Clip(seconds: 6).make(in: scratch)
                let names = [
                    "a b.mp4", "quo\"te's.mp4", "new\nline.mp4", "-x.mp4", "Ünï ✓ 日本.mp4", "{language}.mp4",
                    "%03d.mp4", "semi;$(touch x)`y`.mp4", "two.dots.es.mp4", "\u{1b}[31mred.mp4", "no-suffix",
                ]
                for name in names {
                    try FileManager.default.copyItem(atPath: clip, toPath: mill.path("user/" + name))
                }
                let arguments = names.map { $0.hasPrefix("-") ? "./" + $0 : $0 }
                let outcome = try await mill.start(
                    ["run", "--to", "es", "--format", "json", "--out", mill.out] + arguments
                ).finish()
                #expect(outcome.status == 0, "\(outcome.stdout)")
                let report = try Report(outcome)
                #expect(report.items.map(\.status) == names.map { _ in "passed" })
                for (name, item) in zip(names, report.items) {
                    let stem = name.hasSuffix(".mp4") ? String(name.dropLast(4)) : name
                    let video = try #require(item.outputs.first { $0.kind == "video" })
                    #expect(video.path == mill.out + "/\(stem).es.mp4")
                    #expect(FileManager.default.fileExists(atPath: video.path))
                }
                #expect(!outcome.stderr.contains("\u{1b}"), "names are escaped before they reach the terminal")
                #expect(!FileManager.default.fileExists(atPath: mill.path("user/x")))
            }
        }

        @Test("files of one name from two folders do not overwrite each other, and no source is overwritten")
        func collisions() async throws {
            try await withScratch { scratch in
                let mill = try Mill(in: scratch)
                let clip = try await Clip(seconds: 6).make(in: scratch)
                for folder in ["a", "b"] {
                    try FileManager.default.createDirectory(
                        atPath: mill.path(folder), withIntermediateDirectories: true)
                    try FileManager.default.copyItem(atPath: clip, toPath: mill.path("\(folder)/clip.mp4"))
                }
                let (outcome, report) = try await mill.run(
                    mill.path("a/clip.mp4"), mill.path("b/clip.mp4"), "--to", "es")
                #expect(outcome.status == 0)
                let videos = report.items.flatMap(\.outputs).filter { $0.kind == "video" }.map(\.path)
                #expect(Set(videos).count == 2)
                // A source whose name is what its dub would be called.
                let trap = mill.out + "/trap.es.mp4"
                try FileManager.default.copyItem(atPath: clip, toPath: trap)
                let link = mill.path("trap.mp4")
                try FileManager.default.linkItem(atPath: trap, toPath: link)
                let before = try Digest.of(fileAt: trap)
                let (refused, second) = try await mill.run(link, "--to", "es")
                #expect(refused.status == 1)
                #expect(try second.item.error?.code == "output.unwritable")
                #expect(try Digest.of(fileAt: trap) == before)
            }
        }
    }
}
