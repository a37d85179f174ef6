import DubCore
import DubTiming
import Testing

@Suite struct CueBuilderTests {
    private let builder = CueBuilder()

    @Test("leaves a short line as it is, on screen while it is said")
    func short() throws {
        let cues = try builder.cues(
            from: [CueLine(text: "Good morning.", window: Span(start: 1, end: 2.5))],
            language: Language("en"), duration: 9)
        #expect(cues == [SubtitleCue(start: 1, end: 2.5, rows: ["Good morning."])])
    }

    @Test("breaks rows before a conjunction and behind a comma, not behind an article")
    func rows() throws {
        let cues = try builder.cues(
            from: [
                CueLine(
                    text: "We wanted to go to the sea, but the weather was never good enough.",
                    window: Span(start: 0, end: 5))
            ], language: Language("en"), duration: 9)
        #expect(
            cues.map(\.rows) == [["We wanted to go to the sea,", "but the weather was never good enough."]])
    }

    @Test("extends a cue that is too fast into the silence after, and up to the next")
    func reading() throws {
        let text = "Forty-two characters that need two seconds"
        #expect(text.count == 42)
        let fast = CueLine(text: text, window: Span(start: 1, end: 2))
        let alone = try builder.cues(from: [fast], language: Language("en"), duration: 9)
        #expect(alone.map(\.start) == [1] && alone.map(\.end) == [3])
        let next = CueLine(text: "Oh.", window: Span(start: 2.5, end: 3.8))
        let pair = try builder.cues(from: [fast, next], language: Language("en"), duration: 9)
        #expect(pair[1].start == 2.5)
        #expect(abs(pair[0].end - 2.42) < 1e-9)
    }

    @Test("parts a long line in proportion to its text, or by its words")
    func parts() throws {
        let text = """
            This is a line that goes on for so long that nobody could read it at once, and so it is parted in two cues \
            of about one length each.
            """
        let window = Span(start: 0, end: 10)
        let even = try builder.cues(
            from: [CueLine(text: text, window: window)], language: Language("en"), duration: 20)
        #expect(even.count == 2)
        #expect(even[0].rows.joined(separator: " ").hasSuffix("at once,"))
        let count = text.split(separator: " ").count
        // All words but the first dozen come in the last second.
        let words: [Span] = (0..<count).map { index in
            let start: Double = index < 16 ? Double(index) * 0.5 : 8 + Double(index - 16) * 0.1
            return Span(start: start, end: start + 0.1)
        }
        let timed = try builder.cues(
            from: [CueLine(text: text, window: window, words: words)], language: Language("en"), duration: 20)
        #expect(timed.count == 2)
        #expect(timed[1].start > 7.9 && even[1].start < 7)
    }

    @Test("breaks Japanese between characters, no row begun with a mark")
    func wide() throws {
        let text = "今日はとてもいい天気ですから、みんなで公園まで散歩に行きましょうと先生が言いました。"
        let cues = try builder.cues(
            from: [CueLine(text: text, window: Span(start: 0, end: 8))], language: Language("ja"), duration: 9
        )
        let rows = cues.flatMap(\.rows)
        #expect(rows.joined() == text)
        #expect(rows.allSatisfy { $0.count <= 20 })
        #expect(rows.allSatisfy { row in row.first.map { !"、。っょ".contains($0) } ?? false })
    }

    @Test("holds its limits on any lines, and loses no character")
    func properties() throws {
        var wrong = Complaints()
        var random = SplitMix64(31)
        let languages = try ["en", "es", "ja"].map { try Language($0) }
        let vocabulary = [
            "a", "the", "and", "because", "sentence.", "which,", "incomprehensibilities", "we", "saw",
            "東京へ行った。",
        ]
        for round in 0..<800 {
            var at = 0.0
            let lines = (0..<Int.random(in: 0...12, using: &random)).map { _ in
                let length = random.seconds(0.1...12)
                let window = Span(start: at, end: at + length)
                at = max(0, window.end + random.seconds(-0.5...2))
                let count = max(1, Int(length * random.seconds(0.5...4)))
                var text = (0..<count).map { _ in random.pick(vocabulary) }.joined(separator: " ")
                if random.chance(0.02) { text += String(repeating: "x", count: 130) }
                return CueLine(text: text, window: window)
            }
            let duration = at + 4
            let language = random.pick(languages)
            let limit = language.primary == "ja" ? 20 : 42
            let cues = builder.cues(from: lines, language: language, duration: duration)
            let shown = cues.flatMap(\.rows).joined().filter { !$0.isWhitespace }
            let given = lines.map(\.text).joined().filter { !$0.isWhitespace }
            wrong.unless(
                shown.count == given.count && shown.sorted() == given.sorted(), "round \(round): rule 1")
            for cue in cues {
                wrong.unless((1...2).contains(cue.rows.count), "round \(round): rule 2")
                wrong.unless(
                    cue.rows.allSatisfy { $0.count <= limit && !$0.isEmpty }, "round \(round): rule 3")
                wrong.unless(cue.start >= 0 && cue.end <= duration + 1e-6, "round \(round): rule 4")
                wrong.unless(cue.end - cue.start <= 7.0001 && cue.end > cue.start, "round \(round): rule 5")
            }
            for (left, right) in zip(cues, cues.dropFirst()) {
                wrong.unless(
                    right.start - left.end >= 0.0799 || at < Double(cues.count), "round \(round): rule 6")
                wrong.unless(right.start - left.end >= -1e-9, "round \(round): rule 7")
            }
            // Where there is silence after it, a cue is there long enough.
            for (index, cue) in cues.enumerated() {
                let next = index + 1 < cues.count ? cues[index + 1].start : duration
                let needed = min(7, max(1, Double(cue.rows.reduce(0) { $0 + $1.count }) / 21))
                if next - cue.start > needed + 0.1 {
                    wrong.unless(cue.end - cue.start > needed - 0.02, "round \(round): rule 8")
                }
            }
        }
        #expect(wrong.all == [])
    }

    @Test("fits all cues into an item that is too short for their gaps")
    func cramped() throws {
        let lines = (0..<30).map {
            CueLine(text: "Line \($0).", window: Span(start: Double($0) * 0.05, end: 2))
        }
        let cues = try builder.cues(from: lines, language: Language("en"), duration: 2)
        #expect(cues.count == 30)
        #expect(cues.allSatisfy { $0.end <= 2.0001 })
        #expect(zip(cues, cues.dropFirst()).allSatisfy { $0.end <= $1.start + 1e-9 })
    }
}
