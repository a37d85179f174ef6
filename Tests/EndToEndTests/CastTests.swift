import DubCore
import DubTestKit
import Foundation
import Testing

extension EndToEnd {
    /// Speakers are told apart, and each has a voice that stays.
    @Suite struct Casting {
        private var voices: StubWorker.Behaviour {
            var behaviour = StubWorker.Behaviour.hearing
            behaviour.voices = true
            return behaviour
        }

        private func lines(_ path: String) throws -> [Line] {
            try JSONDecoder().decode(Script.self, from: Data(contentsOf: URL(fileURLWithPath: path))).lines
        }

        /// The texts that were voiced from a batch on, with the voice that was asked for.
        private func voiced(_ stub: StubWorker, from first: Int = 0) throws -> [(text: String, voice: String?)] {
            try stub.events("batch").filter { $0.task == "synthesize" }.flatMap { $0.items ?? [] }.dropFirst(first)
                .map { ($0["text"]?.string ?? "", $0["voice"]?.string) }
        }

        @Test("lines carry who speaks them, and one voice is cast anew without touching the others")
        func twoSpeakers() async throws {
            try await withScratch { scratch in
                let mill = try Mill(in: scratch, behaviour: voices)
                let clip = try await Clip().make(in: scratch)
                _ = try await mill.run(clip, "--to", "es")
                let heard = try lines(mill.out + "/clip.es.script.json")
                for line in heard {
                    let pitch = try #require(Int(line.text.filter(\.isNumber)))
                    #expect(line.speaker == (pitch > 300 ? "S2" : "S1"), "\(line.text)")
                }
                let second = heard.filter { $0.speaker == "S2" }.count
                #expect(second > 0 && second < heard.count)

                let cast = mill.path("cast.yaml")
                let exported = try await mill.dubmill("cast", "export", mill.out + "/clip.es.cast.json", cast)
                #expect(exported.status == 0, "\(exported.stderr)")
                // The cast says what was chosen: with it, nothing is voiced again.
                var before = try voiced(mill.stub).count
                let (kept, _) = try await mill.run(clip, "--to", "es", "--cast", cast)
                #expect(kept.status == 0, "\(kept.stderr)")
                let again = try voiced(mill.stub).count
                #expect(again == before || again == before + heard.count)
                before = again

                var text = try String(contentsOfFile: cast, encoding: .utf8)
                let place = try #require(text.range(of: "S2:"))
                let voice = try #require(text.range(of: "engine: stub-voice", range: place.upperBound..<text.endIndex))
                text.replaceSubrange(voice, with: "engine: stub-voice\n        voice: other")
                try text.write(toFile: cast, atomically: true, encoding: .utf8)
                let (outcome, report) = try await mill.run(clip, "--to", "es", "--cast", cast)
                #expect(outcome.status == 0, "\(outcome.stderr)")
                #expect(try await mill.status(report.run).ran["synthesize"] == second)
                #expect(try voiced(mill.stub, from: before).allSatisfy { $0.voice == "other" })
                #expect(try await mill.status(report.run).ran["translate"] == nil)
                let (_, last) = try await mill.run(clip, "--to", "es", "--cast", cast)
                #expect(try last.item.nodes.run == 0)
            }
        }

        @Test("the glossary's terms are in the dub, and a new term translates its own chunks alone")
        func glossary() async throws {
            try await withScratch { scratch in
                let mill = try Mill(in: scratch, behaviour: voices)
                let clip = try await Clip().make(in: scratch)
                let cast = mill.path("cast.yaml")
                try Data("version: 1\nglossary: {es: {HERTZ: hercios}, any: {Somebody: Somebody}}\n".utf8).write(
                    to: URL(fileURLWithPath: cast))
                let (outcome, first) = try await mill.run(clip, "--to", "es", "--cast", cast)
                #expect(outcome.status == 0, "\(outcome.stdout)")
                let texts = try lines(mill.out + "/clip.es.script.json").compactMap {
                    $0.translations.values.first?.text
                }
                #expect(!texts.isEmpty && texts.allSatisfy { $0.contains("Somebody") && $0.hasSuffix(" hercios.") })
                let chunks = try #require(try await mill.status(first.run)["translate"]?.run)

                try Data(
                    "version: 1\nglossary: {es: {HERTZ: hercios, hums at 320: canta a 320}, any: {Somebody: Somebody}}\n"
                        .utf8
                ).write(to: URL(fileURLWithPath: cast))
                let (_, second) = try await mill.run(clip, "--to", "es", "--cast", cast)
                let ran = try await mill.status(second.run).ran
                #expect(ran["translate"] == 1 && chunks > 1)
                #expect(ran["transcribe"] == nil)

                try Data("version: 1\nglossary: {spanisch!: {a: b}}\nglosary: {}\n".utf8).write(
                    to: URL(fileURLWithPath: cast))
                let (refused, _) = try await mill.run(clip, "--to", "es", "--cast", cast)
                #expect(refused.stdout.contains("cast.invalid") && refused.stdout.contains("glosary"))
            }
        }

        @Test("a translation that a person wrote without a term of the glossary is for review")
        func missingTerm() async throws {
            try await withScratch { scratch in
                let mill = try Mill(in: scratch, behaviour: voices)
                let clip = try await Clip().make(in: scratch)
                _ = try await mill.run(clip, "--to", "es")
                let script = mill.path("edited.json")
                var edited = try JSONDecoder().decode(
                    Script.self, from: Data(contentsOf: URL(fileURLWithPath: mill.out + "/clip.es.script.json")))
                edited.lines[0].translations = [
                    try Language("es"): Translation(text: "Alguien tararea muy despacio.", origin: .human)
                ]
                try JSONEncoder().encode(edited).write(to: URL(fileURLWithPath: script))
                let cast = mill.path("cast.yaml")
                try Data("version: 1\nglossary: {es: {hertz: hertz}}\n".utf8).write(to: URL(fileURLWithPath: cast))
                let (outcome, _) = try await mill.run(clip, "--to", "es", "--script", script, "--cast", cast)
                #expect(outcome.status == 3, "\(outcome.stdout)")
                let verdict = try String(contentsOfFile: mill.out + "/clip.es.verdict.json", encoding: .utf8)
                #expect(verdict.contains("“hertz” is missing") && verdict.contains("lines.glossary"))
            }
        }

        @Test("a speaker that a person named wins, and nothing is translated again for it")
        func named() async throws {
            try await withScratch { scratch in
                let mill = try Mill(in: scratch, behaviour: voices)
                let clip = try await Clip().make(in: scratch)
                _ = try await mill.run(clip, "--to", "es")
                let script = mill.path("edited.json")
                var edited = try JSONDecoder().decode(
                    Script.self, from: Data(contentsOf: URL(fileURLWithPath: mill.out + "/clip.es.script.json")))
                edited.lines[0].speaker = "Anna"
                try JSONEncoder().encode(edited).write(to: URL(fileURLWithPath: script))
                let (_, report) = try await mill.run(clip, "--to", "es", "--script", script)
                #expect(try lines(mill.out + "/clip.es.script.json").first?.speaker == "Anna")
                #expect(try await mill.status(report.run).ran["translate"] == nil)
            }
        }

        @Test("a lexicon changes how a word is said and not how it is written")
        func lexicon() async throws {
            try await withScratch { scratch in
                let mill = try Mill(in: scratch)
                let clip = try await Clip().make(in: scratch)
                let cast = mill.path("cast.yaml")
                let text = "version: 1\nspeakers:\n  S1:\n    lexicon:\n      es: {hums: 'hams'}\n"
                try text.write(toFile: cast, atomically: true, encoding: .utf8)
                _ = try await mill.run(clip, "--to", "es", "--cast", cast)
                #expect(try voiced(mill.stub).allSatisfy { $0.text.contains(" hams ") })
                #expect(
                    try lines(mill.out + "/clip.es.script.json").allSatisfy {
                        $0.translations.values.contains { $0.text.contains(" hums ") }
                    })
            }
        }

        @Test("an engine that clones speaks as nobody whose consent is not on record")
        func consent() async throws {
            try await withScratch { scratch in
                let mill = try Mill(in: scratch)
                let clip = try await Clip().make(in: scratch)
                let (outcome, refused) = try await mill.run(clip, "--to", "es", "--voice-engine", "stub-clone")
                #expect(outcome.status == 1)
                let fault = try #require(refused.item.error)
                #expect(fault.code == "cast.consent-missing")
                #expect(fault.where == "S1" && fault.fix.contains("consent"))
                #expect(try voiced(mill.stub).isEmpty)

                let cast = mill.path("cast.yaml")
                try "version: 1\nspeakers:\n  S1: {consent: contracts/anna.pdf}\n".write(
                    toFile: cast, atomically: true, encoding: .utf8)
                let (done, _) = try await mill.run(
                    clip, "--to", "es", "--voice-engine", "stub-clone", "--cast", cast)
                #expect(done.status == 0, "\(done.stdout)")
                #expect(try !voiced(mill.stub).isEmpty)
            }
        }

        @Test("a cast with a slip is refused, with what is wrong")
        func slip() async throws {
            try await withScratch { scratch in
                let mill = try Mill(in: scratch)
                let clip = try await Clip(seconds: 4).make(in: scratch)
                let cast = mill.path("cast.yaml")
                try "version: 1\nspeakers:\n  S1: {consents: x}\n  S2: {voices: {es: {pitch: 40}}}\n".write(
                    toFile: cast, atomically: true, encoding: .utf8)
                let outcome = try await mill.dubmill("run", clip, "--to", "es", "--cast", cast)
                #expect(outcome.status != 0)
                #expect(outcome.stdout.contains("consents") && outcome.stdout.contains("40"), "\(outcome.stdout)")
            }
        }
    }
}
