public import DubCore

/// Asks for lines in another language.
public struct TranslationCall: Sendable {
    /// A line to be translated.
    public struct Request: Hashable, Sendable, Codable {
        /// What is to be translated.
        public var text: String
        /// The lines before it, oldest first: context, not to be translated.
        public var before: [String]
        /// The lines after it, next first: context, not to be translated.
        public var after: [String]
        /// The language of `text`: a primary subtag.
        public var source: String
        /// The language wanted: a primary subtag.
        public var target: String

        /// Makes a request.
        public init(text: String, before: [String] = [], after: [String] = [], source: String, target: String) {
            self.text = text
            self.before = before
            self.after = after
            self.source = source
            self.target = target
        }
    }

    /// The translation.
    public struct Output: Hashable, Sendable, Codable {
        /// The line in the language wanted.
        public var text: String
        /// The engine that wrote it, which after a fallback is not the model that was asked.
        public var engine: String
        /// How many tries it took; 0 where there was nothing to translate.
        public var attempts: Int?
        /// What a reader of the script should know, such as a fallback.
        public var notes: [String]?
        /// Whether it is only good enough for a draft; `nil` where the engine does not say.
        public var isDraft: Bool?

        private enum CodingKeys: String, CodingKey {
            case text, engine, attempts, notes
            case isDraft = "draft"
        }

        /// As a script holds it.
        public var translation: Translation {
            Translation(text: text, origin: .machine, engine: engine, notes: notes ?? [])
        }
    }

    private let batcher: Batcher
    private let model: String
    private let options: JSONValue

    /// Makes calls to `model`.
    public init(batcher: Batcher, model: String, options: JSONValue = [:]) {
        self.batcher = batcher
        self.model = model
        self.options = options
    }

    /// Translates a line.
    ///
    /// - Throws: `worker.unsupported-language`, `worker.rejected-output` where no try passed the worker's checks, and
    ///   the errors of `Batcher.run`.
    public func translate(_ request: Request) async throws -> Answer<Output> {
        try await batcher.call(
            .translate, model: model, options: options, item: request, cost: Double(request.text.count))
    }
}
