import DubSpeakers
import DubTestKit
import DubTiming
import Testing

/// Voices of a made-up world: far apart, each window some way off its voice.
struct Voices {
    var random: SeededRandom
    var centres: [[Float]]

    init(_ count: Int, seed: UInt64) {
        random = SeededRandom(seed: seed)
        var made: [[Float]] = []
        for index in 0..<count {
            // Mostly a direction of its own.
            made.append((0..<32).map { $0 == index ? 1 : 0.1 })
        }
        centres = made
    }

    mutating func window(_ voice: Int, at start: Double, length: Double = 1.6) -> HeardWindow {
        let vector = centres[voice].map { $0 + Float.random(in: -0.12...0.12, using: &random) }
        return HeardWindow(
            span: Span(start: start, end: start + length), print: Voiceprint(vector), pitch: 100 + 60 * Double(voice))
    }

    /// Turns of a few windows each, with the truth.
    mutating func talk(turns: Int) -> (windows: [HeardWindow], truth: [Int]) {
        var windows: [HeardWindow] = []
        var truth: [Int] = []
        var time = 0.0
        for turn in 0..<turns {
            let voice = turn < centres.count ? turn : Int.random(in: centres.indices, using: &random)
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                windows.append(window(voice, at: time))
                truth.append(voice)
                time += 0.8
            }
            time += 1.2
        }
        return (windows, truth)
    }
}

@Suite struct DiarizerTests {
    @Test("finds as many speakers as there are, and gives every window to its own", arguments: 1...6)
    func finds(count: Int) {
        for seed in 0..<20 as Range<UInt64> {
            var voices = Voices(count, seed: seed)
            let (windows, truth) = voices.talk(turns: 12)
            let found = Diarizer().diarize(windows)
            #expect(found.speakers.count == count)
            // Voices are numbered as they appear, which is their order here.
            for (window, voice) in zip(windows, truth) {
                let middle = Span(start: window.span.middle - 0.01, end: window.span.middle + 0.01)
                #expect(found.speaker(in: [middle]) == "S\(voice + 1)")
            }
            for (voice, speaker) in found.speakers.enumerated() {
                #expect(speaker.pitch == 100 + 60 * Double(voice))
            }
        }
    }

    @Test("turns are in order, disjoint, and cover what was heard")
    func turns() {
        for seed in 0..<20 as Range<UInt64> {
            var voices = Voices(3, seed: seed)
            let windows = voices.talk(turns: 15).windows
            let turns = Diarizer().diarize(windows).turns
            for (turn, next) in zip(turns, turns.dropFirst()) { #expect(turn.span.end <= next.span.start + 1e-9) }
            let heard = windows.map(\.span).merged()
            #expect(abs(turns.map(\.span).merged().total - heard.total) < 1e-6)
            #expect(abs(turns.map(\.span).total - heard.total) < 1e-6)
        }
    }

    @Test("a count that is given is kept to", arguments: 1...5)
    func count(given: Int) {
        var voices = Voices(3, seed: 9)
        let windows = voices.talk(turns: 12).windows
        #expect(Diarizer().diarize(windows, count: given).speakers.count == given)
    }

    @Test("a long film is grouped in parts, with the same speakers")
    func long() {
        var voices = Voices(4, seed: 5)
        let windows = voices.talk(turns: 120).windows
        var parts = Diarizer()
        parts.most = 100
        #expect(windows.count > 200)
        #expect(parts.diarize(windows) == Diarizer().diarize(windows))
    }

    @Test("a window too short to found a voice on goes to the closest")
    func short() {
        var voices = Voices(2, seed: 3)
        var windows = [voices.window(0, at: 0), voices.window(0, at: 0.8)]
        windows.append(voices.window(1, at: 4, length: 0.4))
        #expect(Diarizer().diarize(windows).speakers.count == 1)
    }

    @Test("a window between two voices notes both")
    func overlap() {
        var voices = Voices(2, seed: 3)
        var windows = (0..<16).map { voices.window($0 % 2, at: Double($0) * 3) }
        let both = Voiceprint(zip(voices.centres[0], voices.centres[1]).map(+))
        windows.append(HeardWindow(span: Span(start: 60, end: 60.9), print: both, pitch: nil))
        let turns = Diarizer().diarize(windows, count: 2).turns
        #expect(turns.last?.also != nil)
        #expect(turns.dropLast().allSatisfy { $0.also == nil })
    }

    @Test("a reference is one clean stretch of 3 to 10 s of its speaker, or none")
    func reference() {
        for seed in 0..<20 as Range<UInt64> {
            var voices = Voices(2, seed: seed)
            let (windows, _) = voices.talk(turns: 20)
            let found = Diarizer().diarize(windows)
            for speaker in found.speakers {
                guard let clip = speaker.reference else { continue }
                #expect((3...10).contains(clip.length))
                #expect(found.turns.filter { $0.span.overlap(clip) > 1e-6 }.allSatisfy { $0.speaker == speaker.name })
            }
        }
        var voices = Voices(1, seed: 1)
        let short = Diarizer().diarize([voices.window(0, at: 0)])
        #expect(short.speakers[0].reference == nil)
    }

    @Test func nothingHeardIsNobody() {
        #expect(Diarizer().diarize([]) == Diarization(speakers: [], turns: []))
    }
}
