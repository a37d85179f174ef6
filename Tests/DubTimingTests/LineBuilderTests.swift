import DubCore
import DubTiming
import Testing

@Suite struct LineBuilderTests {
    private let builder = LineBuilder()

    /// Words of 0.3 s, one after the other from `start`, as an engine with spaces gives them.
    private func words(_ text: String, from start: Double, segment: Int = 0) -> [RecognisedWord] {
        text.split(separator: " ").enumerated().map { index, word in
            let at = start + 0.3 * Double(index)
            return RecognisedWord(text: " " + word, start: at, end: at + 0.3, segment: segment)
        }
    }

    private func texts(_ text: String, language: String = "en") throws -> [String] {
        let words = words(text, from: 0)
        let speech = [Span(start: 0, end: 0.3 * Double(words.count))]
        return try builder.lines(from: words, speech: speech, language: Language(language)).lines.map(\.text)
    }

    @Test("ends a sentence at its mark, not at abbreviations, numbers and initials")
    func sentences() throws {
        #expect(
            try texts("Mr. Smith paid 3.5 dollars in the U.S. last year. Did he? Yes he did!") == [
                "Mr. Smith paid 3.5 dollars in the U.S. last year.", "Did he?", "Yes he did!",
            ])
        #expect(try texts("He met J. R. Tolkien, e.g. in 1954. They talked.").count == 2)
        #expect(try texts("I said “stop here.” Then we left.") == ["I said “stop here.”", "Then we left."])
        #expect(try texts("Hola Sra. García, ¿cómo está? Muy bien gracias.", language: "es").count == 2)
        #expect(try texts("Am 3. Mai kam Dr. Weber. Er blieb z.B. hier.", language: "de").count == 2)
    }

    @Test("keeps a number in one line when the engine cuts it at its point")
    func numbers() throws {
        let words = [" It", " is", " 3.", "5", " metres", " long."].enumerated().map {
            RecognisedWord(text: $1, start: Double($0), end: Double($0) + 0.9)
        }
        let lines = try builder.lines(
            from: words, speech: [Span(start: 0, end: 6)], language: Language("en")
        ).lines
        #expect(lines.map(\.text) == ["It is 3.5 metres long."])
    }

    @Test("takes edges from detected speech, and parts lines within it half-way between words")
    func edges() throws {
        let first = words("This is the first one.", from: 0.8)  // to 2.3
        let second = words("Here comes the second.", from: 2.5)  // to 3.7
        let third = words("And this is the third.", from: 4.6)  // to 6.1
        let speech = [Span(start: 1.02, end: 3.61), Span(start: 4.83, end: 6.3)]
        let built = try builder.lines(from: first + second + third, speech: speech, language: Language("en"))
        #expect(built.notes.isEmpty)
        #expect(built.lines.map(\.start) == [1.02, 2.4, 4.83])
        #expect(built.lines.map(\.end) == [2.4, 3.61, 6.3])
        #expect(built.lines.map(\.text)[1] == "Here comes the second.")
    }

    @Test(
        "ends a line at a pause when enough was said: a short one behind a comma, a long one elsewhere",
        arguments: [("market", 2.5, 1), ("market,", 2.5, 2), ("market,", 2.0, 1), ("market", 3.1, 2)])
    func pauses(last: String, next: Double, count: Int) throws {
        let long = words("we went to the \(last)", from: 0) + words("and bought some bread", from: next)
        let cut = try builder.lines(
            from: long, speech: [Span(start: 0, end: 1.5), Span(start: next, end: next + 1.2)],
            language: Language("en"))
        #expect(cut.lines.count == count)
        #expect(cut.lines[0].text.hasPrefix("we went to the \(last)"))
    }

    @Test("keeps a short phrase together over a pause")
    func shortPhrase() throws {
        let short = words("well you", from: 0) + words("know what I mean", from: 1.4)
        let kept = try builder.lines(
            from: short, speech: [Span(start: 0, end: 0.6), Span(start: 1.4, end: 2.6)],
            language: Language("en"))
        #expect(kept.lines.count == 1)
        #expect(kept.lines[0].speech.count == 2)
    }

    @Test("drops what was recognised where nobody speaks, and says so")
    func hallucinations() throws {
        let real = words("Good morning to all.", from: 0, segment: 0)
        let invented = words("Thanks for watching!", from: 8, segment: 1)
        let built = try builder.lines(
            from: real + invented, speech: [Span(start: 0, end: 1.3), Span(start: 4, end: 4.6)],
            language: Language("en"))
        #expect(built.lines.map(\.text) == ["Good morning to all."])
        #expect(built.notes.count == 2)
        #expect(built.notes[0].contains("Thanks for watching!"))
        #expect(built.notes[1].contains("4.0–4.6"))
        #expect(try builder.lines(from: real, speech: [], language: Language("en")).lines.isEmpty)
    }

    @Test("cuts a long line at the clause nearest its middle")
    func longLines() throws {
        let text = (0..<50).map { $0 == 24 ? "word," : "word" }.joined(separator: " ")
        let lines = try texts(text)
        #expect(lines.count == 2 && lines[0].hasSuffix("word,"))
    }

    @Test("joins a fragment with its neighbour")
    func fragments() throws {
        #expect(try texts("Yes. We can do that.") == ["Yes. We can do that."])
    }

    @Test(
        "reads languages without spaces",
        arguments: [
            ("ja", ["今日は", "いい", "天気", "です。", "散歩に", "行き", "ましょう。"], ["今日はいい天気です。", "散歩に行きましょう。"]),
            ("zh", ["我们", "今天", "去", "学校。", "你", "来", "不来", "？"], ["我们今天去学校。", "你来不来？"]),
            ("ko", [" 오늘은", " 날씨가", " 좋네요.", " 같이", " 산책할까요?"], ["오늘은 날씨가 좋네요.", "같이 산책할까요?"]),
        ])
    func unspaced(tag: String, parts: [String], expected: [String]) throws {
        let words = parts.enumerated().map {
            RecognisedWord(text: $1, start: Double($0) * 0.5, end: Double($0) * 0.5 + 0.5)
        }
        let built = try builder.lines(
            from: words, speech: [Span(start: 0, end: 4)], language: Language(tag))
        #expect(built.lines.map(\.text) == expected)
    }

    @Test("puts spaces between words of an engine that gives none")
    func trimmed() throws {
        let words = ["No", "spaces", "here."].enumerated().map {
            RecognisedWord(text: $1, start: Double($0), end: Double($0) + 1)
        }
        let built = try builder.lines(from: words, speech: [Span(start: 0, end: 3)], language: Language("en"))
        #expect(built.lines.map(\.text) == ["No spaces here."])
    }

    @Test("puts every word in exactly one line, in order, in windows that do not overlap")
    func properties() throws {
        var wrong = Complaints()
        var random = SplitMix64(21)
        let texts = [
            " yes", " no.", " Mr.", " well,", " maybe?", " U.S.", " 3.", "5", " …", " there", " everybody!",
        ]
        let languages = try ["en", "es", "ja", "zh", "ko"].map { try Language($0) }
        for round in 0..<4000 {
            let speech = random.spans(
                Int.random(in: 0...9, using: &random), in: Span(start: 0, end: 40), gap: 0.1)
            let union = speech.merged()
            var at = 0.0
            let words = (0..<Int.random(in: 0...60, using: &random)).map { index in
                // Loose, sometimes backwards, sometimes without length, sometimes no number at all.
                at = max(0, at + random.seconds(-0.2...1.2))
                let start = random.chance(0.01) ? .nan : at
                return RecognisedWord(
                    text: random.pick(texts), start: start, end: start + random.seconds(0...1.5),
                    probability: Double(index),
                    segment: index / 9)
            }
            let built = builder.lines(from: words, speech: speech, language: random.pick(languages))
            let kept = built.lines.flatMap(\.words).map { Int($0.probability) }
            wrong.unless(kept == kept.sorted() && Set(kept).count == kept.count, "round \(round): rule 1")
            // A segment is kept whole or dropped whole, with a note each.
            let segments = Set(words.map(\.segment))
            let gone = segments.filter { segment in !kept.contains { words[$0].segment == segment } }
            wrong.unless(
                built.notes.filter { $0.hasPrefix("dropped") }.count == gone.count, "round \(round): rule 2")
            wrong.unless(
                kept.count == words.filter { !gone.contains($0.segment) }.count, "round \(round): rule 3")
            for (left, right) in zip(built.lines, built.lines.dropFirst()) {
                wrong.unless(left.end <= right.start, "round \(round): rule 4")
            }
            var heard: [Span] = []
            for line in built.lines {
                wrong.unless(line.start < line.end && line.words.count > 0, "round \(round): rule 5")
                wrong.unless(
                    line.start == line.speech.first?.start && line.end == line.speech.last?.end,
                    "round \(round): rule 6")
                wrong.unless(
                    line.words.allSatisfy {
                        $0.start >= line.start && $0.start <= $0.end && $0.end <= line.end
                    }, "round \(round): rule 7")
                for span in line.speech {
                    wrong.unless(span.length > 0, "round \(round): rule 8")
                    wrong.unless(
                        union.contains { $0.start <= span.start && $0.end >= span.end },
                        "round \(round): rule 9")
                }
                heard += line.speech
                if line.words.count > 1 {
                    wrong.unless(line.text.count <= 180, "round \(round): rule 10")
                    wrong.unless(line.end - line.start <= 12.2, "round \(round): rule 11")
                }
            }
            for (left, right) in zip(heard, heard.dropFirst()) {
                wrong.unless(left.end <= right.start, "round \(round): rule 12")
            }
        }
        #expect(wrong.all == [])
    }
}
