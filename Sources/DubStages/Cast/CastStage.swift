public import DubCore
internal import DubGraph
internal import DubRunner
internal import DubSpeakers
internal import DubTiming

/// How each speaker of an item is dubbed into a language.
struct CastVoices: Codable, Hashable, Sendable {
    /// What lines call a speaker that was found, by the name under which it was found.
    var names: [String: String]
    /// By the name that lines carry.
    var voices: [String: Entry]

    /// The voice of a speaker: nothing but what can change the sound.
    struct Entry: Codable, Hashable, Sendable {
        /// The engine; `auto` leaves it to the catalogue.
        var engine: String
        /// Which of its voices, and how it is moved.
        var voice: PlannedVoice
        /// How words are written so that they are said right.
        var lexicon: [String: String]
        /// Where the consent to a clone is on record; only for engines that clone.
        var consent: String?
    }
}

/// Gives every speaker a voice: the cast's, else one of the engine's that no other speaker has.
struct CastStage: Stage {
    let engines: Engines
    let signature = StageSignature(
        name: "cast", version: 2, inputs: [.one("speakers"), .optional("cast"), .optional("edits")],
        outputs: [.one("voices"), .one("cast")], parameters: ["to": "", "engine": "auto"])

    func models(for inputs: StageInputs, in store: any Store) throws -> [ModelIdentity] {
        let language = try Language(inputs.parameters["to"]?.string ?? "")
        return [try engine(inputs.parameters["engine"]?.string ?? "auto", language).identity]
    }

    private func engine(_ wanted: String, _ language: Language) throws(DubError) -> Engines.Engine {
        try engines.speaking(language, wanted: wanted)
    }

    func run(_ inputs: StageInputs, in context: StageContext) async throws -> [String: StageValue] {
        let item = try context.read(ItemSpeakers.self, "speakers", of: inputs)
        let cast = try inputs.artifact("cast").map { try context.store.read(Cast.self, from: $0) } ?? Cast()
        let script = try inputs.artifact("edits").map { try context.store.read(Script.self, from: $0) }
        let language = try Language(inputs.parameters["to"]?.string ?? "")
        let wanted = inputs.parameters["engine"]?.string ?? "auto"
        var names = cast.recognise(item.found.speakers, model: item.model)
        for speaker in item.found.speakers where names[speaker.name] == nil { names[speaker.name] = speaker.name }
        let roles = Self.roles(item.found, names, script)
        var voices: [String: CastVoices.Entry] = [:]
        var open: [Role] = []
        for role in roles {
            let member = cast.speakers[role.name]
            guard let given = member?.voice(for: language.tag) ?? member?.voice(for: language.primary) else {
                open.append(role)
                continue
            }
            voices[role.name] = CastVoices.Entry(
                engine: given.engine ?? wanted,
                voice: PlannedVoice(voice: given.voice, pitch: given.pitch, timbre: given.timbre), lexicon: [:])
        }
        let fallback = try engine(wanted, language)
        let taken = voices.values.filter { $0.engine == wanted || $0.engine == fallback.name }
            .compactMap { $0.voice.voice ?? fallback.voices(for: language).first?.name }
        let planned = VoicePlan().voices(
            for: open.map(\.pitch), among: fallback.voices(for: language), taken: Set(taken))
        for (role, voice) in zip(open, planned) {
            voices[role.name] = CastVoices.Entry(engine: wanted, voice: voice, lexicon: [:])
        }
        for (name, entry) in voices {
            let member = cast.speakers[name]
            let engine = try engine(entry.engine, language)
            var entry = entry
            entry.lexicon = (member?.lexicon(for: language.primary) ?? [:])
                .merging(member?.lexicon?[language.tag] ?? [:]) { $1 }
            if engine.clones { entry.consent = try Consent.require(member?.consent, of: name, for: engine.name) }
            voices[name] = entry
        }
        let told = Self.told(cast, roles, voices, names, item, language, fallback)
        return [
            "voices": .one(try context.store.put(json: CastVoices(names: names, voices: voices))),
            "cast": .one(try context.store.put(json: told)),
        ]
    }

    /// Somebody who needs a voice.
    private struct Role {
        var name: String
        /// Hz.
        var pitch: Double?
        /// Whom it was found as.
        var found: FoundSpeaker?
    }

    /// Who is found, and who is named in a script that a person handed in: such a name sounds like whoever is heard in
    /// its lines, and stands for them altogether where they are named in no line any more.
    ///
    /// Whoever is found keeps a place, whether a line is theirs or not: so an edited script leaves every voice as it was.
    private static func roles(_ found: Diarization, _ names: [String: String], _ script: Script?) -> [Role] {
        var roles = found.speakers.map { Role(name: names[$0.name] ?? $0.name, pitch: $0.pitch, found: $0) }
        var spans: [String: [Span]] = [:]
        for line in script?.lines ?? [] {
            guard let speaker = line.speaker, !roles.contains(where: { $0.name == speaker }) else { continue }
            spans[speaker, default: []].append(Span(start: line.start.seconds, end: line.end.seconds))
        }
        let isNamedThroughout = script?.lines.allSatisfy { $0.speaker != nil } ?? false
        let said = Set(script?.lines.compactMap(\.speaker) ?? [])
        for (name, own) in spans.sorted(by: { ($0.value[0].start, $0.key) < ($1.value[0].start, $1.key) }) {
            let heard = found.speaker(in: own)
            let like = found.speakers.first { $0.name == heard } ?? found.speakers.first
            let place = roles.firstIndex { $0.found?.name == like?.name && !said.contains($0.name) }
            if isNamedThroughout, let place {
                roles[place].name = name
            } else {
                roles.append(Role(name: name, pitch: like?.pitch, found: like))
            }
        }
        return roles
    }

    /// The cast as it is now, with all that was chosen: a starting point, and what keeps the voices in other episodes.
    private static func told(
        _ cast: Cast, _ roles: [Role], _ voices: [String: CastVoices.Entry], _ names: [String: String],
        _ item: ItemSpeakers, _ language: Language, _ fallback: Engines.Engine
    ) -> Cast {
        var told = cast
        for role in roles {
            var member = cast.speakers[role.name] ?? Cast.Member()
            if member.voiceprint == nil, let print = role.found?.print {
                member.voiceprint = print
                member.model = item.model
                member.pitch = role.found?.pitch
            }
            if member.reference == nil { member.reference = (role.found?.reference).map { Cast.Reference($0) } }
            if let entry = voices[role.name], member.voice(for: language.tag) == nil {
                let engine = entry.engine == "auto" ? fallback : nil
                member.voices = (member.voices ?? [:]).merging([
                    language.tag: Cast.Voice(
                        engine: engine?.name ?? entry.engine,
                        voice: entry.voice.voice ?? engine?.voices(for: language).first?.name,
                        pitch: entry.voice.pitch, timbre: entry.voice.timbre)
                ]) { old, _ in old }
            }
            told.speakers[role.name] = member
        }
        return told
    }
}

extension DubError.Code {
    /// A cloning engine was asked to speak as somebody whose consent is not on record.
    public static let consentMissing = Self(name: "cast.consent-missing")
}

/// A person's agreement that a machine speaks with their voice.
enum Consent {
    /// - Throws: `cast.consent-missing`.
    static func require(_ record: String?, of speaker: String, for engine: String) throws(DubError) -> String {
        guard let record, !record.allSatisfy(\.isWhitespace) else {
            throw DubError(
                .consentMissing, "`\(engine)` clones voices, and no consent of \(speaker) is on record.", at: speaker,
                fix: "Name the record as `consent` of \(speaker) in the cast file, or choose an engine without clones.")
        }
        return record
    }
}
