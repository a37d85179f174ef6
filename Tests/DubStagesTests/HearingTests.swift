import DubCore
import DubMedia
import DubTestKit
import DubTiming
import Foundation
import Testing

@testable import DubStages

@Suite struct RatingTests {
    @Test("a mean is of windows, not of pieces; what nobody judged does not count")
    func means() {
        #expect(Rating.mean([]) == nil)
        #expect(Rating.mean([Rating()]) == nil)
        #expect(Rating.mean([Rating(overall: 2, windows: 1), Rating(overall: 4, windows: 3), Rating()]) == 3.5)
    }

    @Test("a dub's score is told beside its source's, and not at all where nobody judged")
    func checks() {
        let dub = [Rating(overall: 3, windows: 2)]
        #expect(Inspection.quality(source: dub, dub: [Rating()]).isEmpty)
        #expect(Inspection.quality(source: [], dub: dub).map(\.name) == ["speech.mos"])
        let both = Inspection.quality(source: [Rating(overall: 3.5, windows: 9)], dub: dub)
        #expect(both.map(\.value) == [3, -0.5])
        #expect(both.allSatisfy { Verdict.Check.names.contains($0.name) && $0.grade == .pass })
    }
}

@Suite struct GateRulesTests {
    @Test("up to the bound it passes, up to review somebody looks, beyond it fails")
    func grades() throws {
        let most = GateRules.Rule(most: 1, review: 2)
        #expect([1, 2, 2.1].map { most.grade($0) } == [.pass, .review, .fail])
        let least = GateRules.Rule(least: 0.9, review: 0.5)
        #expect([0.9, 0.5, 0.4].map { least.grade($0) } == [.pass, .review, .fail])
        let within = GateRules.Rule(within: 0.5, of: -23, review: 2)
        #expect([-22.5, -25, -25.1].map { within.grade($0) } == [.pass, .review, .fail])
        #expect(within.limit == "within ±0.5 of -23")
        #expect(GateRules.Rule(most: 1).grade(1000) == .review, "without review nothing fails")
        #expect(most.grade(nil) == .review, "what cannot be measured is for review")
    }

    @Test("a profile's rules go over the common ones, and a check without a rule keeps its grade")
    func profiles() {
        let rules = GateRules(checks: ["a": .init(most: 1, review: 1)], profiles: ["loose": ["a": .init(most: 9)]])
        let checks = [Inspection.figure("a", 5, "s"), Inspection.bounded("b", 3, "s", pass: 1, review: 2)]
        #expect(rules.applied(to: checks, profiles: []).map(\.grade) == [.fail, .fail])
        #expect(rules.applied(to: checks, profiles: ["loose", "unknown"]).map(\.grade) == [.pass, .fail])
    }

    @Test("a check of which too little was measured does not fail")
    func weak() {
        let rules = GateRules(checks: ["a": .init(most: 1, review: 2)])
        var check = Inspection.figure("a", 5, "s")
        #expect(rules.applied(to: [check], profiles: []).map(\.grade) == [.fail])
        check.worst = .review
        #expect(rules.applied(to: [check], profiles: []).map(\.grade) == [.review])
    }

    @Test("a name that no threshold is given for is refused, and told which there are")
    func unknown() throws {
        let rules = GateRules(checks: [:], profiles: ["r128": [:], "web": [:]])
        #expect(try rules.known(["web", "r128"]) == ["web", "r128"])
        let error = #expect(throws: DubError.self) { try rules.known(["r218"]) }
        #expect(error?.fix.contains("r128, web") == true)
    }

    @Test(
        "a rule without a bound, with two, or with review inside the bound is refused",
        arguments: [
            GateRules.Rule(), .init(most: 1, least: 0), .init(most: 2, review: 1), .init(least: 1, review: 2),
            .init(most: .infinity),
        ])
    func unsound(rule: GateRules.Rule) {
        #expect(throws: DubError.self) { try GateRules(checks: ["a": rule]).checked(at: "gate.yaml") }
    }
}

@Suite struct DubSoundTests {
    @Test("a peak is told as it is, however many channels there are", arguments: ["mono", "stereo", "5.1"])
    func peaks(layout: String) throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let path = folder.appendingPathComponent("tone.wav").path
        let format = AudioFormat(sampleRate: 48_000, layout: layout)
        var encoder = try AudioEncoder.create(path, codec: .pcm16, format: format)
        // -0.2 dBFS in every channel.
        let tone = (0..<96_000).map { Float(0.9772 * sin(2 * Double.pi * 997 * Double($0) / 48_000)) }
        try encoder.write(tone.flatMap { [Float](repeating: $0, count: format.channels) })
        try encoder.finish()
        let sound = try DubSound.of(path, stream: 0, layout: layout, cancellation: Cancellation())
        let peak = try #require(sound.loudness.truePeak)
        #expect(abs(peak + 0.2) < 0.1, "\(peak)")
        #expect(sound.clipped == 0)
    }
}

@Suite struct ListeningGainTests {
    @Test("a faint sound is turned up in steps of 12 dB, a loud one and silence are not")
    func factors() {
        #expect([1, 0.5, 0.1].map { ListeningGain.factor(peak: $0) } == [1, 1, 1])
        #expect(ListeningGain.factor(peak: 0.09) == 4)
        #expect(ListeningGain.factor(peak: 0.001) == 256)
        #expect([0, 0.00005].map { ListeningGain.factor(peak: $0) } == [1, 1])
    }
}

@Suite struct IsochronyTests {
    @Test("a phrase that the dub speaks into has no onset")
    func spokenInto() {
        let source = [Span(start: 1, end: 3), Span(start: 4, end: 6), Span(start: 8, end: 9)]
        let dub = [Span(start: 1.1, end: 6), Span(start: 8, end: 9)]
        let onsets = Isochrony(source: source, sourceDuration: 10, dub: dub, dubDuration: 10).onsets
        #expect(onsets.count == 2 && abs(onsets[0] - 0.1) < 1e-9 && onsets[1] == 0)
    }

    private let source = [Span(start: 1, end: 3), Span(start: 4, end: 5.5), Span(start: 8, end: 11)]

    private func times(_ dub: [Span]) -> Isochrony {
        Isochrony(source: source, sourceDuration: 12, dub: dub, dubDuration: 12)
    }

    @Test("the same speech is on time; as much later as it is, so late is it")
    func late() throws {
        let same = times(source)
        #expect(same.onsets == [0, 0, 0] && same.lag == 0 && same.iou == 1 && !same.isCutAtEnd)
        for lag in [-0.8, 0.4, 0.9] {
            let late = times(source.map { $0.shifted(by: lag) })
            #expect(abs(try #require(late.lag) - lag) < 0.011)
            #expect(late.onsets.allSatisfy { abs($0 - lag) < 1e-9 })
        }
    }

    @Test("speech without shape has no lag, and a dub that still speaks at its end is cut")
    func edges() {
        #expect(times([Span(start: 0, end: 12)]).lag == nil)
        #expect(times([Span(start: 1, end: 12)]).isCutAtEnd)
        #expect(times([]).onsets.isEmpty && times([]).iou == 0)
        #expect(Isochrony.quantile(0.5, of: [-3, 1, 2]) == 2)
        #expect(Isochrony.quantile(0.5, of: []) == nil)
    }
}

@Suite struct WordMatchTests {
    @Test("counts words changed, lost and added, each in its line")
    func counts() {
        let match = WordMatch(
            lines: [["a", "b", "c"], ["d", "e"]], heard: ["a", "x", "c", "d", "e", "f"])
        #expect(match.lines[0] == .init(words: 3, changed: 1))
        #expect(match.lines[1] == .init(words: 2, added: 1))
        let lost = WordMatch(lines: [["a", "b"], ["c", "d"]], heard: ["a", "b", "c"])
        #expect(lost.lines.map(\.lost) == [0, 1])
        #expect(WordMatch(lines: [["a"], []], heard: []).lines.map(\.errorRate) == [1, nil])
        #expect(WordMatch(lines: [], heard: ["a"]).lines.isEmpty)
    }

    @Test(
        "case, marks and the way numbers are written make no difference",
        arguments: [
            ("Don't stop, now!", "dont stop now", "en"), ("L'homme — 23 ans", "l homme vingt-trois ans", "fr"),
            ("«Año» 5.", "año cinco", "es"), ("ﬁn", "fin", "es"),
        ])
    func normalised(left: String, right: String, tag: String) throws {
        let language = try Language(tag)
        #expect(WordMatch.words(of: left, in: language) == WordMatch.words(of: right, in: language))
    }

    @Test("where no spaces are written, characters are compared")
    func characters() throws {
        #expect(WordMatch.words(of: "你好。", in: try Language("zh")) == ["你", "好"])
    }
}

@Suite struct PieceCutterTests {
    @Test("pieces cover all of it without gaps, none too long for a recogniser", arguments: 0..<20)
    func covers(seed: Int) {
        var random = SplitMix(state: UInt64(seed))
        var at = Double(random.next() % 90)
        var speech: [Span] = []
        for _ in 0..<(random.next() % 30) {
            let length = 0.2 + Double(random.next() % 400) / 10
            speech.append(Span(start: at, end: at + length))
            at += length + Double(random.next() % 300) / 100
        }
        let duration = at + Double(random.next() % 100)
        let pieces = PieceCutter.pieces(speech: speech, duration: duration)
        #expect(pieces.first.map(\.span.start) ?? 0 == 0)
        #expect(duration == 0 || abs((pieces.last?.span.end ?? 0) - duration) < 1e-6)
        for (piece, next) in zip(pieces, pieces.dropFirst()) { #expect(piece.span.end == next.span.start) }
        #expect(pieces.allSatisfy { $0.span.length <= ($0.isSpoken ? 30 : 60.5) })
    }

    private struct SplitMix {
        var state: UInt64
        mutating func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var z = (state ^ (state >> 30)) &* 0xBF58_476D_1CE4_E5B9
            z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
            return z ^ (z >> 31)
        }
    }
}

@Suite struct HearingTests {
    private func hearing(_ pieces: [(Double, String, String, Double)]) -> Hearing {
        var at = 0.0
        let spans = pieces.map { piece in
            defer { at += piece.0 }
            return Span(start: at, end: at + piece.0)
        }
        return Hearing(
            PieceLayout(duration: at, pieces: spans),
            pieces.map {
                HeardPiece(speech: [Span(start: 0.5, end: $0.0 - 0.5)], text: $0.1, language: $0.2, probability: $0.3)
            })
    }

    @Test("the language is weighed by how long is spoken, and close kin count")
    func language() throws {
        let spanish = try Language("es")
        let told = try #require(
            hearing([(9, "a", "es", 0.9), (5, "b", "gl", 0.3), (5, "c", "fr", 0)]).share(of: spanish))
        #expect(abs(told.share - 12 / 16) < 1e-9 && told.others == ["fr"])
    }

    @Test("a line over a cut is looked for in both pieces; over what nobody heard nothing is told")
    func cut() throws {
        let english = try Language("en")
        let heard = hearing([(10, "one two", "en", 1), (10, "three four", "en", 1)])
        let words = heard.words(
            [
                (Span(start: 8, end: 13), "one two three"), (Span(start: 14, end: 18), "four"),
                (Span(start: 30, end: 31), "x"),
            ],
            in: english)
        #expect(words[0]?.errorRate == 0 && words[1]?.errorRate == 0 && words[2] == nil)
    }
}
