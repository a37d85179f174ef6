public import DubCore
public import DubWorkers
public import Foundation

/// A worker for tests: a real process that speaks the worker protocol over a real Unix socket, with canned answers.
///
/// It needs nothing but a `python3`. It transcribes from a table or by ear, translates by marking the text with the language
/// (`[es] Hello`), and speaks tones of 60 ms a character. `behaviour` makes it fail in any way that a test wants.
/// `home` makes the program itself start it: its command line is the worker's.
public struct StubWorker: Sendable {
    /// What the stub answers, and how it fails; may be changed while it runs.
    public struct Behaviour: Sendable, Codable {
        /// What is said in an audio file, by the name of the file.
        public var transcripts: [String: Transcript] = [:]
        /// It listens: somebody speaks where an audio file sounds, and says at which pitch (`Somebody hums at 220
        /// hertz.`), so that the same sound has the same words wherever it lies.
        public var hears = false
        /// It tells voices apart: what hums above 300 Hz is another one.
        public var voices = false
        /// The language that is spoken where `transcripts` does not tell: a primary subtag.
        public var spoken = "en"
        /// Codes of errors for items whose text holds the key.
        public var errors: [String: String] = [:]
        /// Target languages that are refused with `unsupported_language`.
        public var unsupported: [String] = []
        /// Seconds for each item.
        public var delay: Double = 0
        /// Seconds before it listens.
        public var startDelay: Double = 0
        /// It kills itself with SIGKILL instead of doing one more than so many items.
        public var dieAfter: Int?
        /// It kills itself with SIGKILL at an item whose text holds this.
        public var dieAt: String?
        /// It dies only once, and does well when it is started again.
        public var dieOnce = false
        /// It stops answering at an item whose text holds this, until the behaviour is changed.
        public var hang: String?
        /// While it hangs it sends empty lines, and so finds out when its caller goes away.
        public var beat = false
        /// It prints a reason to stderr and exits with 3 instead of starting.
        public var refuseStart = false
        /// It ignores the end of its stdin, and SIGTERM.
        public var stubborn = false
        /// Lines of 200 characters that it prints to stderr when it starts.
        public var noise = 0
        /// The version of the protocol that it says it speaks.
        public var `protocol` = 1
        /// The token that it wants to see.
        public var token: String?
        /// It answers everything with this status.
        public var status: Int?
        /// The digest of its models, where it is to have others than its fellows.
        public var digest: String?
        /// How it breaks the protocol: `no done`, `no seconds`, `own codes`, `other ids`, `random`, `all at the end`,
        /// `deaf`, `duplicate ids`, `any protocol`.
        public var breaks: [String] = []

        /// A behaviour without failures.
        public init() {}

        private enum CodingKeys: String, CodingKey {
            case transcripts, hears, voices, spoken, errors, unsupported, delay, hang, beat, stubborn, noise, `protocol`
            case token, status, digest, breaks
            case startDelay = "start_delay"
            case dieAfter = "die_after"
            case dieAt = "die_at"
            case dieOnce = "die_once"
            case refuseStart = "refuse_start"
        }
    }

    /// What is said in an audio file.
    public struct Transcript: Sendable, Codable {
        /// The words.
        public var text: String
        /// A primary language subtag.
        public var language: String
        /// Where somebody speaks, in seconds; all over the file where `nil`.
        public var segments: [[Double]]?

        /// Makes a transcript.
        public init(_ text: String, language: String = "en", segments: [[Double]]? = nil) {
            self.text = text
            self.language = language
            self.segments = segments
        }
    }

    /// Something that the stub noted down.
    public struct Event: Sendable, Codable {
        /// `start`, `batch`, `abandoned`, `stdin closed`.
        public var event: String
        /// Its process.
        public var pid: Int32?
        /// The task of a batch.
        public var task: String?
        /// The model of a batch.
        public var model: String?
        /// The items of a batch.
        public var items: [JSONValue]?
        /// The command line, of a start.
        public var arguments: [String]?
        /// The names in its environment, of a start.
        public var environment: [String]?
    }

    /// Where it is installed: this makes `LocalWorker`, and the program, start it.
    public let home: WorkerHome
    /// Starts the stub at its first use.
    public let worker: LocalWorker
    private let folder: URL

    /// Installs the stub in an empty or new `folder`, with room for models beside it.
    ///
    /// - Parameter log: takes the lines that the process prints.
    public init(
        in folder: URL, behaviour: Behaviour = Behaviour(), limits: LocalWorker.Limits = .init(),
        log: (@Sendable (String) -> Void)? = nil
    ) throws {
        let workers = folder.appendingPathComponent("Workers")
        try FileManager.default.createDirectory(at: workers, withIntermediateDirectories: true)
        try FileManager.default.copyItem(
            at: Self.source.appendingPathComponent("dubmill_worker"),
            to: workers.appendingPathComponent("dubmill_worker"))
        try Data("[]".utf8).write(to: workers.appendingPathComponent("catalogue.json"))
        self.folder = workers
        home = WorkerHome(
            python: try Self.python(), workers: workers.path,
            models: folder.appendingPathComponent("models").path)
        worker = LocalWorker(home: home, limits: limits, log: log)
        try become(behaviour)
    }

    /// Changes how it behaves, from its next item on.
    public func become(_ behaviour: Behaviour) throws {
        let data = try JSONEncoder().encode(behaviour)
        try data.write(to: folder.appendingPathComponent("stub.json"), options: .atomic)
    }

    /// What it noted down so far.
    public func events(_ kind: String? = nil) throws -> [Event] {
        let path = folder.appendingPathComponent("stub-log.ndjson")
        guard let data = try? Data(contentsOf: path) else { return [] }
        // A last line that is being written has no end yet.
        guard let end = data.lastIndex(of: 10) else { return [] }
        let whole = data.prefix(through: end)
        let events = try whole.split(separator: 10).map {
            try JSONDecoder().decode(Event.self, from: Data($0))
        }
        return events.filter { kind == nil || $0.event == kind }
    }

    /// What makes the program find the stub instead of the worker.
    public var environment: [String: String] {
        [
            "DUBMILL_WORKER_PYTHON": home.python, "DUBMILL_HOME": folder.deletingLastPathComponent().path,
            "DUBMILL_MODELS": home.models,
        ]
    }

    private static var source: URL {
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("Tests/Fixtures/stub-worker")
    }

    /// - Throws: `worker.not-installed` where `PATH` has no python3.
    private static func python() throws -> String {
        let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin").split(separator: ":")
        // The system's first: a shim that chooses among versions starts slowly.
        let candidates = ["/usr/bin/python3"] + folders.map { "\($0)/python3" }
        guard let found = candidates.first(where: FileManager.default.isExecutableFile) else {
            throw DubError(
                .workerNotInstalled, "The tests need a python3.", at: "PATH", fix: "apt-get install python3")
        }
        return found
    }
}
