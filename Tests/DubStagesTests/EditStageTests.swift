import DubCore
import DubGraph
import DubRunner
import DubTestKit
import DubTiming
import Foundation
import Testing

@testable import DubStages

private func line(
    _ id: String, _ start: Double, _ end: Double, _ text: String = "", es: String? = nil, speaker: String? = nil,
    origin: Translation.Origin = .imported
) throws -> Line {
    let spanish = try Language("es")
    return Line(
        id: id, start: MediaTime(seconds: start), end: MediaTime(seconds: end), speaker: speaker, text: text,
        translations: es.map { [spanish: Translation(text: $0, origin: origin)] } ?? [:])
}

private func heard(_ id: String, _ start: Double, _ end: Double, _ text: String, es: String? = nil) -> ChunkLine {
    ChunkLine(
        id: id, window: Span(start: start, end: end), speech: [Span(start: start, end: end)], speaker: nil, text: text,
        words: [Word(text: text, start: MediaTime(seconds: start), end: MediaTime(seconds: end))],
        translation: es.map { Translation(text: $0, origin: .machine, engine: "stub") })
}

@Suite struct EditsStageTests {
    private let layout = Layout(
        duration: 30, chunks: [Span(start: 1, end: 12), Span(start: 14, end: 25)], speech: [])

    @Test("without a script every chunk keeps what was recognised")
    func none() async throws {
        try await withBench { bench in
            let outputs = try await bench.run(EditsStage(), ["layout": try bench.value(layout)])
            let parts = outputs["parts"]?.artifacts ?? []
            #expect(parts.count == 2)
            for part in parts { #expect(try bench.store.read(EditsPart.self, from: part).lines == nil) }
        }
    }

    @Test("a line goes to the chunk in which its middle lies, on the chunk's clock")
    func middles() async throws {
        try await withBench { bench in
            let english = try Language("en")
            let script = Script(
                language: english, duration: MediaTime(seconds: 30),
                lines: [
                    try line("early", 0.2, 0.6, "A"), try line("first", 2, 4, "B"),
                    try line("between", 11, 13, "C"), try line("across", 13, 16, "D"), try line("late", 26, 28, "E"),
                ])
            let outputs = try await bench.run(
                EditsStage(), ["layout": try bench.value(layout), "edits": try bench.value(script)])
            let parts = try (outputs["parts"]?.artifacts ?? []).map {
                try bench.store.read(EditsPart.self, from: $0).lines ?? []
            }
            #expect(parts.map { $0.map(\.id) } == [["early", "first", "between"], ["across", "late"]])
            #expect(parts[0].map(\.start.seconds) == [-0.8, 1, 10])
            #expect(parts[1].map(\.start.seconds) == [-1, 12])
        }
    }

    @Test("a change touches the part of its chunk alone")
    func local() async throws {
        try await withBench { bench in
            let english = try Language("en")
            func parts(_ text: String) async throws -> [Artifact] {
                let script = Script(
                    language: english, duration: MediaTime(seconds: 30),
                    lines: [try line("a", 2, 4, text), try line("b", 15, 16, "same")])
                return try await bench.run(
                    EditsStage(), ["layout": try bench.value(layout), "edits": try bench.value(script)])["parts"]?
                    .artifacts ?? []
            }
            let (before, after) = (try await parts("one"), try await parts("two"))
            #expect(before[0] != after[0])
            #expect(before[1] == after[1])
        }
    }
}

@Suite struct MergeStageTests {
    private func recognised() throws -> ChunkLines {
        ChunkLines(
            language: try Language("en"),
            lines: [heard("x-1", 0, 2, "One."), heard("x-2", 3, 5, "Two."), heard("x-3", 6, 8, "Three.")], notes: [])
    }

    @Test("no script, and a script left as it was, change nothing at all")
    func unchanged() throws {
        let chunk = try recognised()
        #expect(MergeStage.merge(chunk, EditsPart(lines: nil)) == chunk)
        let same = try [
            line("x-1", 0.001, 2, "One."), line("x-2", 3, 4.998, "Two."), line("x-3.2", 6, 8, "Three.", es: "Tres."),
        ]
        #expect(MergeStage.merge(chunk, EditsPart(lines: same)) == chunk, "an export rounds to a millisecond")
    }

    @Test("a changed text holds, and its words are gone; nothing else of it changes")
    func text() throws {
        let chunk = try recognised()
        let edits = try [line("x-1", 0, 2, "Won."), line("x-2", 3, 5, "Two."), line("x-3", 6, 8, "")]
        let merged = MergeStage.merge(chunk, EditsPart(lines: edits))
        #expect(merged.lines[0].text == "Won.")
        #expect(merged.lines[0].words.isEmpty)
        #expect(merged.lines[0].window == chunk.lines[0].window)
        #expect(merged.lines[1] == chunk.lines[1])
        #expect(merged.lines[2] == chunk.lines[2], "an empty text is no text")
    }

    @Test("changed times hold; who speaks is said behind the translation")
    func times() throws {
        let chunk = try recognised()
        let edits = try [line("x-1", 0, 1.5, "One.", speaker: "Ann"), line("x-2", 3, 5, "Two.")]
        let merged = MergeStage.merge(chunk, EditsPart(lines: edits))
        #expect(merged.lines.count == 2, "a line that is left out is gone")
        #expect(merged.lines[0].window == Span(start: 0, end: 1.5))
        #expect(merged.lines[0].speech == [Span(start: 0, end: 1.5)])
        #expect(merged.lines[0].speaker == nil)
    }

    @Test("lines without ids, as subtitles have them, are matched by time; new ones are taken in")
    func byTime() throws {
        let chunk = try recognised()
        let edits = try [
            line("", 0.2, 2.1, ""), line("", 5.2, 5.8, "Between."), line("", 6.1, 7.5, "", es: "Tres."),
        ]
        let merged = MergeStage.merge(chunk, EditsPart(lines: edits))
        #expect(merged.lines[0].id == "x-1" && merged.lines[0].text == "One.")
        #expect(merged.lines[1].id.hasPrefix("new-") && merged.lines[1].text == "Between.")
        #expect(merged.lines[2].id == "x-3")
        let again = MergeStage.merge(chunk, EditsPart(lines: edits))
        #expect(again == merged, "an id that is made up is made from the line")
    }

    @Test("one line of two that have the same id by mistake stands for it; the other goes by its time")
    func twice() throws {
        let chunk = try recognised()
        let edits = try [line("x-1", 0, 2, "One."), line("x-1.2", 3, 5, "Two.")]
        let merged = MergeStage.merge(chunk, EditsPart(lines: edits))
        #expect(merged.lines.map(\.id) == ["x-1", "x-2"])
    }
}

@Suite struct LinesStageTests {
    private func run(
        _ bench: StageBench, _ lines: [ChunkLine], _ edits: [Line]?
    ) async throws -> (lines: ChunkLines, takes: [Artifact]) {
        let chunk = ChunkLines(language: try Language("en"), lines: lines, notes: [])
        let outputs = try await bench.run(
            LinesStage(), ["lines": try bench.value(chunk), "edits": try bench.value(EditsPart(lines: edits))],
            with: ["to": "es"])
        return (try bench.read(ChunkLines.self, outputs["lines"]), outputs["takes"]?.artifacts ?? [])
    }

    @Test("a person's translation wins, whatever its file says it came from")
    func human() async throws {
        try await withBench { bench in
            let lines = [heard("x-1", 0, 2, "One.", es: "Un."), heard("x-2", 3, 5, "Two.", es: "Dos.")]
            let edits = try [
                line("x-1", 0, 2, "One.", es: "Uno.", origin: .machine), line("x-2", 3, 5, "Two.", es: "Dos."),
            ]
            let (chunk, takes) = try await run(bench, lines, edits)
            #expect(chunk.lines[0].translation == Translation(text: "Uno.", origin: .human))
            #expect(chunk.lines[1] == lines[1], "what is equal stays the machine's")
            let requests = try takes.map { try bench.store.read(TakeRequest.self, from: $0) }
            #expect(requests.map(\.text) == ["Uno.", "Dos."])
            let (plain, before) = try await run(bench, lines, nil)
            #expect(plain.lines == lines)
            #expect(before[0] != takes[0] && before[1] == takes[1], "one edit, one take")
        }
    }

    @Test("an empty translation, or one into another language, changes nothing")
    func other() async throws {
        try await withBench { bench in
            let french = try Language("fr")
            let lines = [heard("x-1", 0, 2, "One.", es: "Uno.")]
            var edit = try line("x-1", 0, 2, "One.", es: "")
            edit.translations[french] = Translation(text: "Un.", origin: .human)
            #expect(try await run(bench, lines, [edit]).lines.lines == lines)
        }
    }

    @Test("a line said twice in the same time is one take")
    func twice() async throws {
        try await withBench { bench in
            let lines = [
                heard("x-1", 0, 2, "Yes.", es: "Sí."), heard("x-2", 4, 6, "Yes.", es: "Sí."),
                heard("x-3", 8, 12, "Yes.", es: "Sí."), heard("x-4", 13, 14, "Yes."),
            ]
            let takes = try await run(bench, lines, nil).takes
            #expect(takes[0] == takes[1])
            #expect(takes[1] != takes[2], "there is more time for it")
            let last = try bench.store.read(TakeRequest.self, from: takes[3])
            #expect(last.text.isEmpty)
            #expect(last.language.tag == "es")
        }
    }
}
