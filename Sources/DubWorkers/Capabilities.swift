/// A kind of work that workers do, by its name in the worker protocol.
public struct WorkerTask: RawRepresentable, Hashable, Sendable, Codable, CodingKeyRepresentable {
    /// The name on the wire.
    public var rawValue: String

    /// Adopts a name; a worker may offer tasks that this program does not know.
    public init(rawValue: String) {
        self.rawValue = rawValue
    }

    /// Where somebody speaks.
    public static let detectSpeech = Self(rawValue: "detect_speech")
    /// Which language is spoken.
    public static let detectLanguage = Self(rawValue: "detect_language")
    /// What is said, and when.
    public static let transcribe = Self(rawValue: "transcribe")
    /// The same in another language.
    public static let translate = Self(rawValue: "translate")
    /// Text as speech.
    public static let synthesize = Self(rawValue: "synthesize")
    /// Speech apart from all else.
    public static let separate = Self(rawValue: "separate")
    /// How voices sound, as directions that can be compared.
    public static let embed = Self(rawValue: "embed")
    /// How good a recording sounds, as people would judge it.
    public static let quality = Self(rawValue: "quality")
}

/// What a worker can do.
public struct Capabilities: Hashable, Sendable, Codable {
    /// The version of the worker protocol.
    public var `protocol`: Int
    /// The models of each task, the one to be preferred first.
    public var tasks: [WorkerTask: [WorkerModel]]

    /// Makes capabilities of protocol version 1.
    public init(tasks: [WorkerTask: [WorkerModel]]) {
        self.protocol = WorkerLink.protocolVersion
        self.tasks = tasks
    }

    /// The models of `task`; empty where the worker does not do it.
    public func models(for task: WorkerTask) -> [WorkerModel] {
        tasks[task] ?? []
    }

    /// The model `name` of `task`.
    public func model(_ name: String, for task: WorkerTask) -> WorkerModel? {
        models(for: task).first { $0.model == name }
    }
}

/// One model of a worker, for one task.
public struct WorkerModel: Hashable, Sendable {
    /// Its name, as in the catalogue and in requests.
    public var model: String
    /// Primary language subtags; `*` stands for any.
    public var languages: [String]
    /// The pairs that a translator knows, source first; `nil` where any two of `languages` will do.
    public var pairs: [[String]]?
    /// Whether it can be used now.
    public var isInstalled: Bool
    /// The SHA-256 of its weights, or what identifies an engine without weights; `nil` where unknown.
    public var digest: String?
    /// Whether its results are only good enough for a draft.
    public var isDraft: Bool
    /// The revision of the code that runs it: what it makes may differ from revision to revision.
    public var revision: Int
    /// Voices by language, of a synthesiser; its default comes first.
    public var voices: [String: [String]]
    /// Hz of the audio that a synthesiser writes; `nil` for other tasks.
    public var sampleRate: Int?

    /// Makes a model.
    public init(
        model: String, languages: [String] = [], pairs: [[String]]? = nil, isInstalled: Bool = true,
        digest: String? = nil, isDraft: Bool = false, revision: Int = 1, voices: [String: [String]] = [:],
        sampleRate: Int? = nil
    ) {
        self.model = model
        self.languages = languages
        self.pairs = pairs
        self.isInstalled = isInstalled
        self.digest = digest
        self.isDraft = isDraft
        self.revision = revision
        self.voices = voices
        self.sampleRate = sampleRate
    }

    /// Whether it knows the language with this primary subtag.
    public func speaks(_ primary: String) -> Bool {
        languages.contains(primary) || languages.contains("*")
    }

    /// Whether it translates from one primary subtag to another.
    public func translates(from source: String, to target: String) -> Bool {
        if let pairs { return pairs.contains([source, target]) }
        return speaks(source) && speaks(target) && source != target
    }
}

extension WorkerModel: Codable {
    private enum CodingKeys: String, CodingKey {
        case model, languages, pairs, digest, revision, voices
        case isInstalled = "installed"
        case isDraft = "draft"
        case sampleRate = "sample_rate"
    }

    /// Reads a model; all but its name may be absent.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        model = try container.decode(String.self, forKey: .model)
        languages = try container.decodeIfPresent([String].self, forKey: .languages) ?? []
        pairs = try container.decodeIfPresent([[String]].self, forKey: .pairs)
        isInstalled = try container.decodeIfPresent(Bool.self, forKey: .isInstalled) ?? true
        digest = try container.decodeIfPresent(String.self, forKey: .digest)
        isDraft = try container.decodeIfPresent(Bool.self, forKey: .isDraft) ?? false
        revision = try container.decodeIfPresent(Int.self, forKey: .revision) ?? 1
        let voices = try container.decodeIfPresent([String: Voices].self, forKey: .voices) ?? [:]
        self.voices = voices.mapValues(\.names)
        sampleRate = try container.decodeIfPresent(Int.self, forKey: .sampleRate)
    }

    /// The voices of a language: an array of names, or an object with `names` and the `default` among them.
    private struct Voices: Decodable {
        var names: [String]

        private enum CodingKeys: String, CodingKey { case names, `default` }

        init(from decoder: any Decoder) throws {
            if let names = try? decoder.singleValueContainer().decode([String].self) {
                self.names = names
                return
            }
            let container = try decoder.container(keyedBy: CodingKeys.self)
            names = try container.decode([String].self, forKey: .names)
            guard let first = try container.decodeIfPresent(String.self, forKey: .default) else { return }
            names = [first] + names.filter { $0 != first }
        }
    }
}
