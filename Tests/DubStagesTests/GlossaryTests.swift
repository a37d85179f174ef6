@testable import DubStages
import DubCore
import Testing

/// Terms are found as whole words, put in place of the source's, and looked for in what came back.
@Suite struct GlossaryTests {
    private let glossary = Glossary(terms: ["frame rate": "cadencia", "frame": "fotograma", "C++": "C++", "": "nada"])

    @Test("whole words in any case, the longer term first")
    func applied() {
        #expect(glossary.applied(to: "The Frame Rate of a frame, framed.") == "The cadencia of a fotograma, framed.")
        #expect(glossary.applied(to: "In C++ and c++.") == "In C++ and C++.")
        #expect(glossary.applied(to: "a frame", quotes: ("“", "”")) == "a “fotograma”")
        #expect(glossary.occurring(in: "FRAME by frame") == Glossary(terms: ["frame": "fotograma"]))
        #expect(glossary.occurring(in: "framework").terms.isEmpty)
    }

    @Test(
        "case, accents and endings do not count against a translation",
        arguments: [
            ("Los fotogramas y la Cadencia en C++", [String]()), ("Los cuadros en C++", ["cadencia", "fotograma"]),
        ])
    func missing(translation: String, missing: [String]) {
        var terms = glossary
        terms.terms[""] = nil
        #expect(terms.missing(in: translation) == missing)
    }

    @Test("a region goes over its language, and that over any")
    func languages() throws {
        let all = [
            "any": Glossary(terms: ["a": "1", "b": "1", "c": "1"]), "pt": Glossary(terms: ["b": "2", "c": "2"]),
            "pt-BR": Glossary(terms: ["c": "3"]),
        ]
        #expect(all[try Language("pt-BR")]?.terms == ["a": "1", "b": "2", "c": "3"])
        #expect(all[try Language("pt")]?.terms == ["a": "1", "b": "2", "c": "2"])
        #expect(all[try Language("es")]?.terms == ["a": "1", "b": "1", "c": "1"])
        #expect([String: Glossary]()[try Language("es")] == nil)
    }
}
