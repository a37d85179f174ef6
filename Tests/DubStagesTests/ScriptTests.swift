import DubCore
import DubTestKit
import Foundation
import Testing

@testable import DubStages

/// A script of four lines: plain, awkward, with a speaker, in two languages.
private func sample() throws -> Script {
    let (english, spanish, french) = (try Language("en"), try Language("es"), try Language("fr"))
    func line(_ number: Int, _ text: String, _ es: String, speaker: String? = nil) -> Line {
        Line(
            id: "c-\(number)", start: MediaTime(seconds: Double(number) * 4),
            end: MediaTime(seconds: Double(number) * 4 + 2.5), speaker: speaker, text: text,
            translations: [
                spanish: Translation(text: es, origin: .imported),
                french: Translation(text: "fr \(number)", origin: .imported),
            ])
    }
    return Script(
        language: english, duration: MediaTime(seconds: 40),
        lines: [
            line(1, "Hello there.", "Hola."), line(2, "He said “no”, \"twice\", and left.", "Dijo, \"no\"."),
            line(3, "Two\nrows; here", "Dos\nfilas", speaker: "Ann, the first"), line(4, "#1 — done", "#1 — hecho"),
        ])
}

@Suite struct ScriptFileTests {
    @Test("JSON and CSV give back what they were given", arguments: ["json", "csv"])
    func roundTrip(format: String) async throws {
        try await withScratch { scratch in
            let path = scratch.appendingPathComponent("script.\(format)").path
            let script = try sample()
            try await ScriptFile.write(script, to: path, target: nil)
            #expect(try await ScriptFile.read(path, target: nil) == script)
        }
    }

    @Test("JSON keeps words, notes and origins")
    func everything() async throws {
        try await withScratch { scratch in
            let path = scratch.appendingPathComponent("script.json").path
            let spanish = try Language("es")
            var script = try sample()
            script.lines[0].words = [Word(text: "Hello", start: MediaTime(seconds: 4), end: MediaTime(seconds: 4.5))]
            script.lines[0].translations[spanish] = Translation(
                text: "Hola", origin: .machine, engine: "stub", notes: ["draft engine"])
            try await ScriptFile.write(script, to: path, target: nil)
            #expect(try await ScriptFile.read(path, target: nil) == script)
        }
    }

    @Test(
        "a text that a spreadsheet would run is written as text, and read back as it was",
        arguments: [
            "=HYPERLINK(\"http://x\")", "+1+1", "-2+3", "@SUM(A1)", "\tTab first", "'quoted'", "'=A1", "''=A1", "-5",
            "– dash", "'", "#head", "\"",
        ])
    func formulas(text: String) async throws {
        try await withScratch { scratch in
            let path = scratch.appendingPathComponent("script.csv").path
            var script = try sample()
            script.lines[0].text = text
            try await ScriptFile.write(script, to: path, target: nil)
            let written = try String(contentsOfFile: path, encoding: .utf8)
            if let first = text.first, "=+@\t".contains(first) || text == "-2+3" {
                #expect(written.contains(",'\(first)") || written.contains(",\"'\(first)"), "\(written)")
            }
            #expect(try await ScriptFile.read(path, target: nil).lines[0].text == text)
        }
    }

    @Test("reads what spreadsheets make of it: byte order mark, CR LF, semicolons, missing columns")
    func spreadsheets() async throws {
        try await withScratch { scratch in
            let path = scratch.appendingPathComponent("script.csv").path
            let spanish = try Language("es")
            for text in [
                "\u{feff}id,start,end,speaker,text,es\r\na,1,2.5,,Hello,\"Hola, tú\"\r\n",
                "id;start;end;text;es\na;1;2.5;Hello;Hola, tú\n", "start,end,es,text,id\n1,2.5,\"Hola, tú\",Hello,a",
            ] {
                try text.write(toFile: path, atomically: true, encoding: .utf8)
                let line = try #require(try await ScriptFile.read(path, target: nil).lines.first)
                #expect(line.id == "a" && line.text == "Hello" && line.speaker == nil, "\(text)")
                #expect(line.start.seconds == 1 && line.end.seconds == 2.5)
                #expect(line.translations[spanish]?.text == "Hola, tú", "\(text)")
            }
        }
    }

    @Test(
        "refuses what is malformed, and says where",
        arguments: [
            ("id,start,end\na,0,1\nb,x,2\n", "row 3", "seconds"),
            ("# language: en, duration: 9\nid,start,end\na,0,1\nb,x,2\n", "row 4", "seconds"),
            ("id,begin,end\na,0,1\n", "script.csv", "no column `start`"), ("", "script.csv", "no column"),
            ("id,start,end\na,2,1\n", "script.csv", "Line a ends before it starts"),
            ("id,start,end\na,-1,1\n", "script.csv", "Line a"),
            ("id,start,end\na,0,1\na,2,3\n", "script.csv", "Two lines have the id a"),
            ("id,start,end\na,0,1e99\n", "row 2", "seconds"), ("id,start,end\na,nan,1\n", "row 2", "seconds"),
        ])
    func malformed(text: String, place: String, what: String) async throws {
        try await withScratch { scratch in
            let path = scratch.appendingPathComponent("script.csv").path
            try text.write(toFile: path, atomically: true, encoding: .utf8)
            let error = try #require(await failure { _ = try await ScriptFile.read(path, target: nil) })
            #expect(error.code == .scriptInvalid)
            #expect(error.place.hasSuffix(place), "\(error)")
            #expect(error.what.contains(what), "\(error)")
        }
    }

    @Test("refuses bytes that are no text, JSON of another shape, unknown formats and languages")
    func foreign() async throws {
        try await withScratch { scratch in
            let cases: [(name: String, data: Data, code: String?)] = [
                ("a.csv", Data([0xff, 0xfe, 0x00, 0xd8]), "script.invalid"),
                ("a.json", Data("{\"lines\": 3}".utf8), "script.invalid"),
                ("a.json", Data("nothing".utf8), "script.invalid"), ("a.docx", Data(), "script.invalid"),
                ("a.csv", Data("start,end,klingon\n0,1,Qapla\n".utf8), "language.unknown"),
                ("a.srt", Data("no subtitles at all\n".utf8), "script.invalid"),
            ]
            for one in cases {
                let path = scratch.appendingPathComponent(one.name)
                try one.data.write(to: path)
                let error = await failure { _ = try await ScriptFile.read(path.path, target: nil) }
                #expect(error?.code.name == one.code, "\(one.name)")
            }
            let missing = await failure { _ = try await ScriptFile.read("/nowhere/a.csv", target: nil) }
            #expect(missing?.code == .inputMissing)
            let unwritable = await failure {
                try await ScriptFile.write(try sample(), to: "/proc/a.csv", target: nil)
            }
            #expect(unwritable?.code == .outputUnwritable)
        }
    }

    @Test("subtitles hold one language, with the times of the lines", arguments: ["srt", "vtt"])
    func subtitles(format: String) async throws {
        try await withScratch { scratch in
            let path = scratch.appendingPathComponent("script.\(format)").path
            let spanish = try Language("es")
            let script = try sample()
            try await ScriptFile.write(script, to: path, target: spanish)
            let read = try await ScriptFile.read(path, target: spanish)
            #expect(read.lines.count == 4)
            #expect(
                read.lines.map { $0.translations[spanish]?.text } == [
                    "Hola.", "Dijo, \"no\".", "Dos filas", "#1 — hecho",
                ])
            #expect(read.lines.allSatisfy { $0.text.isEmpty && $0.id.isEmpty })
            for (line, old) in zip(read.lines, script.lines) {
                #expect(abs(line.start.seconds - old.start.seconds) < 0.01)
            }
            try await ScriptFile.write(script, to: path, target: nil)
            let original = try await ScriptFile.read(path, target: nil)
            #expect(original.lines.first?.text == "Hello there.")
        }
    }
}

@Suite struct ScriptTakeTests {
    @Test("an edit that changes nothing changes nothing")
    func nothing() throws {
        var script = try sample()
        let before = script
        #expect(script.take(before) == 0)
        #expect(script == before)
    }

    @Test("a changed translation becomes the person's, and only that one")
    func translation() throws {
        let (spanish, french) = (try Language("es"), try Language("fr"))
        var script = try sample()
        var edited = script
        edited.lines[1].translations[spanish] = Translation(text: "Nuevo.", origin: .machine, engine: "stub")
        let before = script
        #expect(script.take(edited) == 1)
        #expect(script.lines[1].translations[spanish] == Translation(text: "Nuevo.", origin: .human))
        #expect(script.lines[1].translations[french] == before.lines[1].translations[french])
        #expect(script.lines[0] == before.lines[0] && script.lines[2...] == before.lines[2...])
    }

    @Test("a changed source text takes the stale translations away, but not the one that changed with it")
    func text() throws {
        let (spanish, french) = (try Language("es"), try Language("fr"))
        var script = try sample()
        var edited = script
        edited.lines[0].text = "Good-bye."
        edited.lines[0].translations[spanish] = Translation(text: "Adiós.", origin: .imported)
        #expect(script.take(edited) == 1)
        #expect(script.lines[0].text == "Good-bye.")
        #expect(script.lines[0].translations[spanish]?.text == "Adiós.")
        #expect(script.lines[0].translations[french] == nil)
    }

    @Test("lines that come and go are counted, in the order of their times")
    func comeAndGo() throws {
        var script = try sample()
        var edited = script
        edited.lines.remove(at: 2)
        edited.lines.append(
            Line(id: "", start: MediaTime(seconds: 1), end: MediaTime(seconds: 2), text: "First of all."))
        #expect(script.take(edited) == 2)
        #expect(script.lines.map(\.text).first == "First of all.")
        #expect(script.lines.first?.id.hasPrefix("new-") == true)
        #expect(script.lines.count == 4)
        #expect(!script.lines.contains { $0.id == "c-3" })
    }

    @Test("subtitles of one language are matched by time, keep the times, and need not hold every line")
    func subtitles() throws {
        let spanish = try Language("es")
        var script = try sample()
        let before = script
        let cue = Line(
            id: "", start: MediaTime(seconds: 8.3), end: MediaTime(seconds: 9.9), text: "",
            translations: [spanish: Translation(text: "Otra cosa.", origin: .imported)])
        #expect(script.take(Script(language: spanish, duration: .zero, lines: [cue])) == 1)
        #expect(script.lines.count == 4)
        #expect(script.lines[1].translations[spanish]?.text == "Otra cosa.")
        #expect(script.lines[1].start == before.lines[1].start && script.lines[1].end == before.lines[1].end)
        #expect(script.lines[1].text == before.lines[1].text)
    }

    @Test("times that an export rounded stay; times that a person moved, and speakers, are taken")
    func times() throws {
        var script = try sample()
        var edited = script
        edited.lines[0].start = MediaTime(seconds: 4.001)
        edited.lines[1].end = MediaTime(seconds: 11)
        edited.lines[2].speaker = "Bob"
        let before = script
        #expect(script.take(edited) == 2)
        #expect(script.lines[0] == before.lines[0])
        #expect(script.lines[1].end.seconds == 11)
        #expect(script.lines[2].speaker == "Bob")
    }
}
