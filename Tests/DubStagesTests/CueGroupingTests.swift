import DubCore
import DubTiming
import Testing

@testable import DubStages

@Suite struct CueGroupingTests {
    private let known = [("a", Span(start: 1, end: 7)), ("b", Span(start: 8, end: 9))]

    private func cue(_ text: String, _ start: Double, _ end: Double, id: String = "") throws -> Line {
        Line(
            id: id, start: MediaTime(seconds: start), end: MediaTime(seconds: end), text: "",
            translations: [try Language("es"): Translation(text: text, origin: .imported)])
    }

    @Test("cues of one line become that line again; a cue where nobody speaks stays by itself")
    func joined() throws {
        let cues = try [cue("uno", 1, 3.9), cue("dos", 4, 7.2), cue("tres", 8.1, 9), cue("cuatro", 20, 21)]
        let lines = CueGrouping.joined(cues, into: known)
        let spanish = try Language("es")
        #expect(lines.map(\.id) == ["a", "b", ""])
        #expect(lines.map { $0.translations[spanish]?.text } == ["uno dos", "tres", "cuatro"])
        #expect(lines.map(\.start.seconds) == [1, 8, 20])
        #expect(lines.map(\.end.seconds) == [7, 9, 21])
    }

    @Test("lines of a script, which have ids, are left as they are")
    func scripts() throws {
        let lines = try [cue("uno", 1, 3.9, id: "x"), cue("dos", 4, 7.2, id: "y")]
        #expect(CueGrouping.joined(lines, into: known) == lines)
    }
}
