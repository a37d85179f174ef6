internal import DubCore
internal import Foundation

extension TaskProbe {
    /// What to ask a model for a task.
    ///
    /// - Throws: `Skip` for a task that has no probe, or a model that names no language.
    static func of(_ task: WorkerTask, _ model: Strict.Model, _ files: Files) throws -> TaskProbe {
        switch task {
        case .detectSpeech: detectSpeech(files)
        case .detectLanguage: detectLanguage(files)
        case .transcribe: transcribe(model, files)
        case .translate: try translate(model)
        case .synthesize: try synthesize(model, files)
        case .separate: separate(files)
        case .embed: embed(files)
        default: throw Skip(reason: "The protocol knows no task \(task.rawValue).")
        }
    }

    /// Audio that is missing, is no audio, or is not named at all.
    private static func badAudio(_ files: Files, and more: [String: JSONValue] = [:]) -> [Wrong] {
        func item(_ name: String) -> [String: JSONValue] { more.merging(["audio": files.audio(name)]) { $1 } }
        return [
            Wrong(what: "a file that is not there", item: item("nowhere.wav"), codes: ["bad_audio"]),
            Wrong(what: "a file that is no audio", item: item("text.wav"), codes: ["bad_audio"]),
            Wrong(what: "an item without audio", item: more, codes: ["bad_request"]),
        ]
    }

    private static func detectSpeech(_ files: Files) -> TaskProbe {
        TaskProbe(
            task: .detectSpeech, items: ["tone.wav", "speech.wav"].map { ["audio": files.audio($0)] },
            wrong: badAudio(files),
            verify: { item, output in
                let found: Strict.SpeechSpans = try output.decoded()
                try ordered(found.segments, within: found.duration, "The stretch of speech")
                guard item["audio"]?["path"]?.string?.hasSuffix("tone.wav") == true else { return }
                try demand(
                    abs(found.duration - Files.seconds) < 0.05,
                    "A file of \(Files.seconds) s is said to last \(found.duration) s.")
            })
    }

    private static func detectLanguage(_ files: Files) -> TaskProbe {
        TaskProbe(
            task: .detectLanguage, items: [["audio": files.audio("speech.wav")]], wrong: badAudio(files),
            verify: { _, output in
                let heard: Strict.SpokenLanguage = try output.decoded()
                try demand(Strict.isLanguage(heard.language), "“\(heard.language)” is no language tag.")
                try demand(!heard.candidates.isEmpty, "There are no candidates.")
                for probability in [heard.probability] + heard.candidates.map(\.probability) {
                    try demand((0...1).contains(probability), "A probability is \(probability).")
                }
            },
            // Where no synthesiser made speech, there is nothing but a tone to listen to.
            tolerated: ["bad_audio"])
    }

    private static func transcribe(_ model: Strict.Model, _ files: Files) -> TaskProbe {
        let languages = model.languages ?? []
        let language = languages.contains("en") || languages.contains("*") ? "en" : languages.first ?? "en"
        return TaskProbe(
            task: .transcribe,
            items: [
                ["audio": files.audio("speech.wav"), "language": .string(language)],
                ["audio": files.audio("tone.wav"), "language": .string(language)],
            ],
            wrong: badAudio(files, and: ["language": .string(language)]),
            verify: { _, output in
                let heard: Strict.Transcript = try output.decoded()
                try demand(Strict.isLanguage(heard.language), "“\(heard.language)” is no language tag.")
                try demand(heard.attempts >= 0, "It tried \(heard.attempts) times.")
                try ordered(heard.segments.map { [$0.start, $0.end] }, within: 30, "The segment")
                for segment in heard.segments {
                    try ordered(segment.words.map { [$0.start, $0.end] }, within: 30, "The word")
                    for word in segment.words {
                        try demand((0...1).contains(word.probability), "A probability is \(word.probability).")
                    }
                }
            })
    }

    private static func translate(_ model: Strict.Model) throws -> TaskProbe {
        let pair = try pair(of: model)
        let texts = sentence(in: pair.0)
        func item(_ text: String, to target: String) -> [String: JSONValue] {
            ["text": .string(text), "source": .string(pair.0), "target": .string(target)]
        }
        var wrong = [
            Wrong(
                what: "a line without a target", item: ["text": .string(texts[0]), "source": .string(pair.0)],
                codes: ["bad_request"]),
            Wrong(
                what: "a line without text", item: ["source": .string(pair.0), "target": .string(pair.1)],
                codes: ["bad_request"]),
        ]
        if model.languages?.contains("*") != true {
            wrong.append(
                Wrong(
                    what: "a language that nobody speaks", item: item(texts[0], to: "zxx"),
                    codes: ["unsupported_language"]))
        }
        var second = item(texts[1], to: pair.1)
        second["before"] = [.string(texts[0])]
        second["after"] = []
        return TaskProbe(
            task: .translate, items: [item(texts[0], to: pair.1), second], wrong: wrong,
            verify: { _, output in
                let line: Strict.TranslatedLine = try output.decoded()
                try demand(!line.text.isEmpty, "The translation is empty.")
                try demand(!line.engine.isEmpty, "The translation does not say which engine wrote it.")
                try demand(line.attempts >= 0, "It tried \(line.attempts) times.")
            })
    }

    private static func pair(of model: Strict.Model) throws -> (String, String) {
        let known = ["en", "es", "fr", "de", "it", "pt"]
        if let pairs = model.pairs {
            let usable = pairs.filter { $0.count == 2 && known.contains($0[0]) }
            guard let pair = usable.first(where: { $0[0] == "en" }) ?? usable.first ?? pairs.first, pair.count == 2
            else { throw Skip(reason: "\(model.model) names no pair of languages.") }
            return (pair[0], pair[1])
        }
        let languages = model.languages ?? []
        if languages.contains("*") { return ("en", "es") }
        let chosen = known.filter(languages.contains) + languages.filter { !known.contains($0) }
        guard chosen.count > 1 else { throw Skip(reason: "\(model.model) names no two languages.") }
        return (chosen[0], chosen[1])
    }

    private static func synthesize(_ model: Strict.Model, _ files: Files) throws -> TaskProbe {
        let voices = model.voices ?? [:]
        let preferred = ["en", "es", "fr", "de", "it", "pt"].first { voices[$0] != nil }
        guard let language = preferred ?? voices.keys.min() else {
            throw Skip(reason: "\(model.model) names no voices.")
        }
        let texts = sentence(in: language)
        func item(_ text: String, _ number: Int, _ more: [String: JSONValue] = [:]) -> [String: JSONValue] {
            let output: JSONValue = ["path": .string(files.path("said-\(number).wav"))]
            let plain: [String: JSONValue] = ["text": .string(text), "language": .string(language), "output": output]
            return plain.merging(more) { $1 }
        }
        return TaskProbe(
            task: .synthesize, items: [item(texts[0], 1), item(texts[1], 2, ["rate": 1.1])],
            wrong: [
                Wrong(
                    what: "a line without text",
                    item: ["language": .string(language), "output": ["path": .string(files.path("none.wav"))]],
                    codes: ["bad_request"]),
                Wrong(
                    what: "a folder that is not there",
                    item: item(texts[0], 3, ["output": ["path": .string(files.path("no/where.wav"))]]),
                    codes: ["bad_request"]),
                Wrong(
                    what: "a voice that is not there", item: item(texts[0], 4, ["voice": "nobody’s voice"]),
                    codes: ["bad_request"]),
                Wrong(
                    what: "a language that nobody speaks", item: item(texts[0], 5, ["language": "zxx"]),
                    codes: ["unsupported_language"]),
            ],
            verify: { item, output in
                let line: Strict.SpokenLine = try output.decoded()
                let wave = try files.written(line.audio, by: item)
                try demand(wave.bits == 16 && !wave.isFloat, "It wrote samples of \(wave.bits) bits; 16 are needed.")
                try ordered([line.speech], within: line.audio.seconds, "The speech")
                try demand(!line.voice.isEmpty && !line.engine.isEmpty, "It does not say which voice or engine spoke.")
            })
    }

    private static func separate(_ files: Files) -> TaskProbe {
        func item(_ audio: String, _ number: Int, _ part: (Double, Double)) -> [String: JSONValue] {
            [
                "audio": ["path": .string(files.path(audio)), "start": .number(part.0), "end": .number(part.1)],
                "output": ["path": .string(files.path("alone-\(number).wav"))],
            ]
        }
        return TaskProbe(
            task: .separate, items: [item("wide.caf", 1, (0, 1)), item("wide.caf", 2, (0.5, 1.5))],
            wrong: [
                Wrong(what: "a file that is not there", item: item("nowhere.caf", 3, (0, 1)), codes: ["bad_audio"]),
                Wrong(what: "a file that is no audio", item: item("text.wav", 4, (0, 1)), codes: ["bad_audio"]),
            ],
            verify: { item, output in
                let alone: Strict.SpeechAlone = try output.decoded()
                let wave = try files.written(alone.audio, by: item)
                try demand(wave.isFloat && wave.bits == 32, "It wrote no samples of 32-bit floats.")
                try demand(
                    alone.audio.frames == Files.wideRate && wave.rate == Files.wideRate,
                    "A second at \(Files.wideRate) Hz came back as \(alone.audio.frames) frames at \(wave.rate) Hz.")
            })
    }

    private static func embed(_ files: Files) -> TaskProbe {
        let spans: JSONValue = [[0.1, 0.8], [1.2, 1.9]]
        return TaskProbe(
            task: .embed, items: [["audio": files.audio("tone.wav"), "spans": spans]],
            wrong: badAudio(files, and: ["spans": spans]),
            verify: { _, output in
                let heard: Strict.VoiceDirections = try output.decoded()
                try demand(heard.spans.count == 2, "Two spans came back as \(heard.spans.count).")
                for span in heard.spans {
                    try demand(
                        span.vector.count == heard.dimensions,
                        "A vector has \(span.vector.count) numbers, and \(heard.dimensions) are said.")
                    let length = span.vector.reduce(0) { $0 + $1 * $1 }.squareRoot()
                    try demand(abs(length - 1) < 0.02, "A vector has the length \(length), and not 1.")
                    try demand((span.pitch ?? 0) >= 0, "A pitch is \(span.pitch ?? 0) Hz.")
                }
            })
    }
}
