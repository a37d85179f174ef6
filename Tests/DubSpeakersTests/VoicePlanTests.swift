import DubSpeakers
import DubTestKit
import Foundation
import Testing

@Suite struct VoicePlanTests {
    static let several = [
        EngineVoice(name: "low", hertz: 120), EngineVoice(name: "high", hertz: 220),
        EngineVoice(name: "higher", hertz: 290),
    ]
    static let alone = [EngineVoice(name: "alone", hertz: 180)]

    /// How a plan sounds: the voice and its pitch in semitones.
    func heard(_ voice: PlannedVoice, _ voices: [EngineVoice]) -> Double {
        let base = voices.first { $0.name == voice.voice }?.hertz ?? voices[0].hertz
        return 12 * log2(base / 100) + (voice.pitch ?? 0)
    }

    @Test("one speaker has the engine's own voice as it is, unless it is of the other class")
    func single() {
        #expect(VoicePlan().voices(for: [210], among: Self.alone) == [PlannedVoice()])
        #expect(VoicePlan().voices(for: [160], among: Self.alone) == [PlannedVoice()], "hardly lower")
        #expect(VoicePlan().voices(for: [nil], among: Self.several) == [PlannedVoice()])
        #expect(VoicePlan().voices(for: [210], among: Self.several).map(\.voice) == ["high"])
        let moved = VoicePlan().voices(for: [110], among: Self.alone)
        #expect(moved[0].pitch == -6 && moved[0].timbre == 0.89)
    }

    @Test("speakers get voices of their class, each another, while there are any")
    func classes() {
        let plan = VoicePlan().voices(for: [210, 115, 240], among: Self.several)
        #expect(plan.map(\.voice) == ["high", "low", "higher"])
        #expect(plan.allSatisfy { $0.pitch == nil && $0.timbre == nil })
    }

    @Test("any two speakers lie 3 semitones or more apart, and no voice moves farther than it may")
    func apart() {
        var random = SeededRandom(seed: 4)
        for _ in 0..<500 {
            let pitches = (0..<Int.random(in: 2...4, using: &random)).map { _ -> Double? in
                Double.random(in: 70...400, using: &random)
            }
            for voices in [Self.alone, Self.several] {
                let plan = VoicePlan().voices(for: pitches, among: voices)
                for index in plan.indices {
                    #expect(abs(plan[index].pitch ?? 0) <= 6)
                    #expect((0.85...1.15).contains(plan[index].timbre ?? 1))
                    for other in 0..<index {
                        let distance = abs(heard(plan[index], voices) - heard(plan[other], voices))
                        #expect(distance >= 3, "\(pitches) in \(voices.count) voices: \(plan)")
                    }
                }
            }
        }
    }

    @Test("who speaks higher is dubbed higher, in one voice")
    func order() {
        let plan = VoicePlan().voices(for: [200, 110, 150], among: Self.alone)
        let moves = plan.map { $0.pitch ?? 0 }
        #expect(moves[1] < moves[2] && moves[2] < moves[0])
    }

    @Test("voices of an engine that lie close are moved apart, the higher speaker above")
    func close() {
        let voices = [EngineVoice(name: "a", hertz: 168), EngineVoice(name: "b", hertz: 175)]
        let plan = VoicePlan().voices(for: [205, 219], among: voices)
        #expect(Set(plan.map(\.voice)) == ["a", "b"])
        #expect(heard(plan[1], voices) - heard(plan[0], voices) >= 3)
    }

    @Test("a voice that the cast has given away goes to nobody else")
    func taken() {
        let plan = VoicePlan().voices(for: [215], among: Self.several, taken: ["high"])
        #expect(plan[0].voice == "higher")
    }
}

@Suite struct CastTests {
    func print(_ direction: Int) -> Voiceprint { Voiceprint((0..<8).map { $0 == direction ? 1 : 0.1 }) }

    @Test("found speakers are recognised by their voices, whatever their numbers are")
    func recognised() {
        var cast = Cast()
        for (name, direction) in [("anna", 0), ("ben", 1)] {
            var member = Cast.Member()
            member.voiceprint = print(direction)
            member.model = "m"
            cast.speakers[name] = member
        }
        let found = [(1, "S1"), (2, "S2"), (0, "S3")].map { FoundSpeaker(name: $0.1, print: print($0.0)) }
        #expect(cast.recognise(found, model: "m") == ["S1": "ben", "S3": "anna"])
        #expect(cast.recognise(found, model: "other").isEmpty)
    }

    @Test("no member is two speakers")
    func once() {
        var cast = Cast()
        var member = Cast.Member()
        member.voiceprint = print(0)
        cast.speakers["anna"] = member
        let found = ["S1", "S2"].map { FoundSpeaker(name: $0, print: print(0)) }
        #expect(cast.recognise(found, model: "m").count == 1)
    }

    @Test("a print goes through JSON and back, as close as sixteen bits allow")
    func coded() throws {
        let one = Voiceprint((0..<256).map { sin(Float($0)) })
        let again = try JSONDecoder().decode(Voiceprint.self, from: JSONEncoder().encode(one))
        #expect(one.similarity(to: again) > 0.999_99)
    }
}
