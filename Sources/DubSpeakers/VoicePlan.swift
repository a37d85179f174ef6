internal import Foundation

/// A voice that an engine has.
public struct EngineVoice: Hashable, Sendable {
    /// Its name.
    public var name: String
    /// The middle of its fundamental, in Hz.
    public var hertz: Double

    /// Describes a voice.
    public init(name: String, hertz: Double) {
        self.name = name
        self.hertz = hertz
    }
}

/// The voice in which a speaker is dubbed.
public struct PlannedVoice: Hashable, Sendable, Codable {
    /// Which of the engine's; `nil` leaves it to the engine.
    public var voice: String?
    /// By how many semitones it is moved; `nil` is not at all.
    public var pitch: Double?
    /// By how much its formants are moved: a factor, above 1 for a shorter vocal tract; `nil` is not at all.
    public var timbre: Double?

    /// Describes a voice.
    public init(voice: String? = nil, pitch: Double? = nil, timbre: Double? = nil) {
        self.voice = voice
        self.pitch = pitch
        self.timbre = timbre
    }
}

/// Gives distinct voices to distinct speakers: others of the engine where it has several, and one that is moved by
/// timbre matching where it has not.
public struct VoicePlan: Sendable {
    /// What the ear tells apart with ease: the least distance of two speakers, in semitones.
    public var distance = 4.0
    /// A voice is not moved by less: nobody hears it, and every move costs some of its sound. In semitones.
    public var least = 1.0
    /// The farthest that a voice is moved, in semitones; beyond it words suffer.
    public var farthest = 6.0

    /// A plan with the measured values.
    public init() {}

    /// The voice of each speaker, in the order given.
    ///
    /// - Parameters:
    ///   - pitches: the middle of each speaker's fundamental in Hz, `nil` where it is unknown.
    ///   - voices: the engine's for the language, its default first; empty where they are not known.
    ///   - taken: names of voices that others have already.
    public func voices(
        for pitches: [Double?], among voices: [EngineVoice], taken: Set<String> = []
    ) -> [PlannedVoice] {
        guard let fallback = voices.first else { return pitches.map { _ in PlannedVoice() } }
        if pitches.count == 1, taken.isEmpty { return [alone(pitches[0], fallback, voices)] }
        var free = voices.filter { !taken.contains($0.name) }
        var chosen: [EngineVoice] = []
        for pitch in pitches {
            let own = pitch ?? fallback.hertz
            // The closest in pitch that is of the same class comes first; then any of the class again, moved.
            func cost(_ voice: EngineVoice) -> Double {
                abs(Self.semitones(own, voice.hertz))
                    + (VoiceClass(hertz: own) == VoiceClass(hertz: voice.hertz) ? 0 : 24)
            }
            let best = free.min { cost($0) < cost($1) }
            let again = voices.min { cost($0) < cost($1) } ?? fallback
            let pick: EngineVoice
            if let best, VoiceClass(hertz: best.hertz) == VoiceClass(hertz: own) || cost(best) <= cost(again) {
                pick = best
            } else {
                pick = again
            }
            free.removeAll { $0 == pick }
            chosen.append(pick)
        }
        // Who speaks higher has the higher voice.
        for kind in [VoiceClass.low, .high] {
            let own = chosen.indices.filter { VoiceClass(hertz: chosen[$0].hertz) == kind }
            let ranked = own.map { chosen[$0] }.sorted { ($0.hertz, $0.name) < ($1.hertz, $1.name) }
            let order = own.sorted { (pitches[$0] ?? 0, $0) < (pitches[$1] ?? 0, $1) }
            for (index, voice) in zip(order, ranked) { chosen[index] = voice }
        }
        let moves = apart(pitches, chosen, taken)
        return zip(chosen, moves).map { voice, move in
            abs(move) < least ? PlannedVoice(voice: voice.name) : Self.moved(voice, move)
        }
    }

    /// One speaker has the engine's own voice as it is, but for one of the other class.
    private func alone(_ pitch: Double?, _ own: EngineVoice, _ voices: [EngineVoice]) -> PlannedVoice {
        guard let pitch, VoiceClass(hertz: pitch) != VoiceClass(hertz: own.hertz) else { return PlannedVoice() }
        if let like = voices.first(where: { VoiceClass(hertz: $0.hertz) == VoiceClass(hertz: pitch) }) {
            return PlannedVoice(voice: like.name)
        }
        let move = max(-farthest, min(farthest, Self.semitones(pitch, own.hertz)))
        return abs(move) < distance ? PlannedVoice() : Self.moved(own, (move * 2).rounded() / 2)
    }

    private static func moved(_ voice: EngineVoice, _ move: Double) -> PlannedVoice {
        // Formants move by a third of it on the same scale, as they do between people.
        PlannedVoice(voice: voice.name, pitch: move, timbre: (pow(2, move / 36) * 100).rounded() / 100)
    }

    /// By how much each voice is moved, in half semitones: towards the speaker where several share a voice, and as far
    /// as it takes to be told from all others.
    private func apart(_ pitches: [Double?], _ chosen: [EngineVoice], _ taken: Set<String>) -> [Double] {
        let bases = chosen.map { Self.semitones($0.hertz, 100) }
        var places = chosen.indices.map { index -> Double in
            let voice = chosen[index]
            let isShared = taken.contains(voice.name) || chosen.filter { $0 == voice }.count > 1
            guard isShared, let pitch = pitches[index] else { return bases[index] }
            return bases[index] + max(-farthest, min(farthest, Self.semitones(pitch, voice.hertz)))
        }
        let order = places.indices.sorted { (places[$0], pitches[$0] ?? 0, $0) < (places[$1], pitches[$1] ?? 0, $1) }
        // Of many in one voice each has its share of what there is.
        let most = Dictionary(grouping: chosen, by: \.name).values.map(\.count).max() ?? 1
        let gap = min(distance, 2 * farthest / Double(max(1, most - 1)))
        for (low, high) in zip(order, order.dropFirst()) {
            places[high] = min(max(places[high], places[low] + gap), bases[high] + farthest)
        }
        for (high, low) in zip(order.reversed(), order.reversed().dropFirst()) {
            places[low] = max(min(places[low], places[high] - gap), bases[low] - farthest)
        }
        return places.indices.map { ((places[$0] - bases[$0]) * 2).rounded() / 2 }
    }

    private static func semitones(_ hertz: Double, _ base: Double) -> Double { 12 * log2(hertz / base) }
}
