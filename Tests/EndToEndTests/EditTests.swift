import DubCore
import DubTestKit
import Foundation
import Testing

extension EndToEnd {
    /// `script`: lines go out, are edited, come back, and only what changed is done.
    @Suite struct Edit {
        private func lines(_ path: String) throws -> Script {
            try JSONDecoder().decode(Script.self, from: Data(contentsOf: URL(fileURLWithPath: path)))
        }

        private func replace(_ old: String, by new: String, in path: String) throws {
            let text = try String(contentsOfFile: path, encoding: .utf8)
            #expect(text.contains(old))
            try text.replacingOccurrences(of: old, with: new).write(toFile: path, atomically: true, encoding: .utf8)
        }

        @Test("--review stops behind the translation, and what a person read goes on from there")
        func review() async throws {
            try await withScratch { scratch in
                let mill = try Mill(in: scratch)
                let clip = try await Clip().make(in: scratch)
                let (outcome, first) = try await mill.run(clip, "--to", "es", "--review")
                #expect(outcome.status == 3, "\(outcome.stdout)")
                #expect(mill.delivered == ["clip.es.cast.json", "clip.es.script.json", "clip.es.srt"])
                let ran = try await mill.status(first.run).ran
                #expect(ran["translate"] != nil && ran["synthesize"] == nil && ran["mix"] == nil && ran["fit"] == nil)

                let script = mill.path("read.json")
                try FileManager.default.copyItem(atPath: mill.out + "/clip.es.script.json", toPath: script)
                try replace("[es] Somebody hums at 240 hertz.", by: "Alguien canta y mucho más.", in: script)
                let (voiced, second) = try await mill.run(clip, "--to", "es", "--script", script)
                #expect(voiced.status == 0, "\(voiced.stdout)")
                let later = try await mill.status(second.run).ran
                #expect(later["transcribe"] == nil && later["translate"] == nil && later["synthesize"] != nil)
                #expect(mill.delivered.contains("clip.es.mp4") && mill.delivered.contains("clip.es.vtt"))
            }
        }

        @Test("one translation edited voices that line alone")
        func oneLine() async throws {
            try await withScratch { scratch in
                let mill = try Mill(in: scratch)
                let clip = try await Clip().make(in: scratch)
                let (_, first) = try await mill.run(clip, "--to", "es")
                let chunks = try #require(try await mill.status(first.run)["merge"]?.run)
                #expect(chunks >= 2)
                let script = mill.path("clip.es.script.json")
                try FileManager.default.copyItem(atPath: mill.out + "/clip.es.script.json", toPath: script)
                let table = mill.path("clip.csv")
                #expect(try await mill.dubmill("script", "export", script, table).status == 0)
                try replace(
                    "[es] Somebody hums at 240 hertz.", by: "\"Alguien canta, \"\"la la la\"\" y más.\"",
                    in: table)
                let imported = try await mill.dubmill("script", "import", table, "--into", script)
                #expect(imported.status == 0)
                #expect(imported.stderr.hasPrefix("1 of "))

                let (outcome, second) = try await mill.run(clip, "--to", "es", "--script", script)
                #expect(outcome.status == 0, "\(outcome.stdout)")
                let status = try await mill.status(second.run)
                let once = [
                    "edits": 1, "cast": 1, "synthesize": 1, "fit": 1, "mix": 1, "remux": 1, "recut": 1, "inspect": 1,
                ]
                let pieces = ["hear", "rate"]
                #expect(status.ran.filter { !(["merge", "lines"] + pieces).contains($0.key) } == once)
                // The piece that the line is in, and the next, which begins elsewhere now.
                for stage in pieces { #expect((1...2).contains(status.ran[stage] ?? 0), "\(stage)") }
                #expect((status.ran["merge"] ?? 0) <= chunks && (status.ran["lines"] ?? 0) <= chunks)
                let texts = try lines(mill.out + "/clip.es.script.json").lines.map { $0.translations.values.first }
                let edited = texts.compactMap(\.self).filter { $0.origin != .machine }
                #expect(edited.map(\.text) == ["Alguien canta, \"la la la\" y más."])
                let subtitles = try String(contentsOfFile: mill.out + "/clip.es.srt", encoding: .utf8)
                #expect(subtitles.contains("Alguien canta"))

                // From here on a script is in force: an edit touches its own chunk alone.
                try replace("[es] Somebody hums at 320 hertz.", by: "Otra línea nueva, más o menos.", in: script)
                let (_, third) = try await mill.run(clip, "--to", "es", "--script", script)
                let touched = try await mill.status(third.run).ran
                #expect(touched.filter { !pieces.contains($0.key) } == once.merging(["merge": 1, "lines": 1]) { $1 })
                for stage in pieces { #expect((1...2).contains(touched[stage] ?? 0), "\(stage)") }
                let (_, fourth) = try await mill.run(clip, "--to", "es", "--script", script)
                #expect(try fourth.item.nodes.run == 0)
            }
        }

        @Test("a source text edited is translated again, in its chunk alone")
        func sourceText() async throws {
            try await withScratch { scratch in
                let mill = try Mill(in: scratch)
                let clip = try await Clip().make(in: scratch)
                _ = try await mill.run(clip, "--to", "es")
                let script = mill.path("edited.json")
                try FileManager.default.copyItem(atPath: mill.out + "/clip.es.script.json", toPath: script)
                let table = mill.path("clip.csv")
                #expect(try await mill.dubmill("script", "export", script, table).status == 0)
                try replace(",Somebody hums at 240 hertz.", by: ",Nobody hums at all here.", in: table)
                let imported = try await mill.dubmill("script", "import", table, "--into", script)
                #expect(imported.stderr.hasPrefix("1 of "), "\(imported.stderr)")
                let (_, report) = try await mill.run(clip, "--to", "es", "--script", script)
                let ran = try await mill.status(report.run).ran
                #expect(ran["translate"] == 1)
                #expect(ran["synthesize"] == 1)
                #expect(ran["transcribe"] == nil)
                let said = try lines(mill.out + "/clip.es.script.json").lines.flatMap(\.translations.values).map(\.text)
                #expect(said.contains("[es] Nobody hums at all here."))
            }
        }

        @Test("goes to every format and back without a loss", arguments: ["json", "csv", "srt", "vtt"])
        func roundTrip(format: String) async throws {
            try await withScratch { scratch in
                let mill = try Mill(in: scratch)
                let clip = try await Clip(seconds: 16).make(in: scratch)
                _ = try await mill.run(clip, "--to", "es")
                let original = mill.out + "/clip.es.script.json"
                let script = mill.path("script.json")
                try FileManager.default.copyItem(atPath: original, toPath: script)
                let exported = mill.path("exported.\(format)")
                let out = try await mill.dubmill("script", "export", script, exported, "--language", "es")
                #expect(out.status == 0, "\(out.stderr)")
                #expect(out.stdout == exported + "\n")
                let back = try await mill.dubmill("script", "import", exported, "--into", script)
                #expect(back.status == 0, "\(back.stderr)")
                #expect(back.stderr.hasPrefix("0 of 5 lines"), "\(back.stderr)")
                #expect(try lines(script) == lines(original))
            }
        }

        @Test("refuses a table with a fault, and says in which row")
        func malformed() async throws {
            try await withScratch { scratch in
                let mill = try Mill(in: scratch)
                let table = mill.path("bad.csv")
                try "id,start,end,text,es\na,0,1,Hello,Hola\nb,one,2,World,Mundo\n".write(
                    toFile: table, atomically: true, encoding: .utf8)
                let clip = try await Clip(seconds: 6).make(in: scratch)
                let (outcome, report) = try await mill.run(clip, "--to", "es", "--script", table)
                #expect(outcome.status == 1)
                #expect(try report.item.error?.code == "script.invalid")
                #expect(try report.item.error?.where.hasSuffix("bad.csv, row 3") == true)
                #expect(mill.delivered.isEmpty)
            }
        }
    }
}
