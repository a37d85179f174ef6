internal import DubCore
internal import DubGraph
internal import DubRunner
internal import DubWorkers

/// Translates the lines of a chunk, each with the lines around it in sight.
///
/// Where the engine's words for a line are refused (another language, an answer instead of a translation), the next
/// engine is asked, and the line says so. Terms of the glossary are given to the engine in the words that they are to
/// have; where it does not keep to them it is asked again with the terms in quotes.
struct TranslateStage: Stage {
    let engines: Engines
    let signature = StageSignature(
        name: "translate", version: 2, inputs: [.one("lines")], outputs: [.one("lines")],
        parameters: ["to": "", "model": "auto"], resource: .worker)

    /// How many lines on either side an engine sees.
    private static let context = 2

    func models(for inputs: StageInputs, in store: any Store) throws -> [ModelIdentity] {
        guard let artifact = inputs.artifact("lines") else { return [] }
        return try candidates(inputs, store.read(ChunkLines.self, from: artifact).language).map(\.identity)
    }

    private func candidates(_ inputs: StageInputs, _ source: Language) throws(DubError) -> [Engines.Engine] {
        let target = try Language(inputs.parameters["to"]?.string ?? "")
        guard !source.sameLanguage(as: target) else {
            throw DubError(
                .languageUnsupported, "The file is spoken in \(source.name) already.", at: "--to \(target)",
                fix: "Choose another language, or say which is spoken with --from.")
        }
        return try engines.candidates(
            for: .translate, wanted: inputs.parameters["model"]?.string ?? "auto",
            purpose: "translate \(source.name) to \(target.name)"
        ) { $0.translates(from: source.primary, to: target.primary) }
    }

    func run(_ inputs: StageInputs, in context: StageContext) async throws -> [String: StageValue] {
        var chunk = try context.read(ChunkLines.self, "lines", of: inputs)
        let target = try Language(inputs.parameters["to"]?.string ?? "")
        let candidates = try candidates(inputs, chunk.language)
        let texts = chunk.lines.map(\.text)
        let source = chunk.language
        let terms = chunk.lines.map { $0.terms?[target] }
        let translations = try await withThrowingTaskGroup(of: (Int, Translation).self) { group in
            for index in texts.indices {
                group.addTask {
                    let request = TranslationCall.Request(
                        text: texts[index], before: Array(texts[max(0, index - Self.context)..<index]),
                        after: Array(texts[(index + 1)...].prefix(Self.context)), source: source.primary,
                        target: target.primary)
                    return (index, try await translate(request, terms[index], candidates))
                }
            }
            var translations = [Translation?](repeating: nil, count: texts.count)
            for try await (index, translation) in group { translations[index] = translation }
            return translations
        }
        for index in chunk.lines.indices { chunk.lines[index].translation = translations[index] }
        return ["lines": .one(try context.store.put(json: chunk))]
    }

    private func translate(
        _ request: TranslationCall.Request, _ glossary: Glossary?, _ candidates: [Engines.Engine]
    ) async throws -> Translation {
        var notes: [String] = []
        for engine in candidates {
            do {
                let answer = try await answer(request, glossary, engine)
                return Translation(
                    text: answer.value.text, origin: .machine, engine: engine.name,
                    notes: notes + (engine.isDraft || answer.value.isDraft == true ? ["draft engine"] : [])
                        + (answer.value.notes ?? []))
            } catch let error as DubError where error.code == .workerRejectedOutput {
                notes.append("\(engine.name) failed: \(error.what)")
            }
        }
        return Translation(text: "", origin: .machine, notes: notes + ["not translated"])
    }

    /// The engine's words, with the terms of the glossary if it can be brought to them.
    private func answer(
        _ request: TranslationCall.Request, _ glossary: Glossary?, _ engine: Engines.Engine
    ) async throws -> Answer<TranslationCall.Output> {
        let call = TranslationCall(batcher: engines.batcher, model: engine.name)
        guard let glossary else { return try await call.translate(request) }
        var first: Answer<TranslationCall.Output>?
        for quotes in [("", ""), ("“", "”")] {
            var given = request
            given.text = glossary.applied(to: request.text, quotes: quotes)
            do {
                var answer = try await call.translate(given)
                answer.value.text = Self.unquoted(answer.value.text, glossary, like: request.text)
                if glossary.missing(in: answer.value.text).isEmpty { return answer }
                first = first ?? answer
            } catch let error as DubError where error.code == .workerRejectedOutput {
                // With foreign words in it the line was refused; perhaps it is not without.
                continue
            }
        }
        if let first { return first }
        return try await call.translate(request)
    }

    /// Without quotes around terms that the line did not have.
    private static func unquoted(_ text: String, _ glossary: Glossary, like source: String) -> String {
        guard !source.contains(where: "“”\"«»".contains) else { return text }
        var text = text
        for name in glossary.terms.values {
            for (open, close) in [("“", "”"), ("\"", "\""), ("«", "»"), ("'", "'")] {
                text = text.replacing(open + name + close, with: name)
            }
        }
        return text
    }
}

extension CatalogueModel {
    /// Whether it knows the pair, by primary subtags.
    func translates(from source: String, to target: String) -> Bool {
        if !pairs.isEmpty { return pairs.contains([source, target]) }
        return languages.contains(source) && languages.contains(target)
    }
}
