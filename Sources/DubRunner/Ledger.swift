public import DubCore
public import DubGraph
public import Foundation

/// What ran, why, at what cost, and what came of it: the memory of all runs.
///
/// A call that returns has been written; what a crash may take is stated by the implementation.
public protocol Ledger: Sendable {
    /// What a node with this key wrote, if one ever finished.
    func outputs(for key: Digest) async throws -> [String: StageValue]?

    /// The fingerprint that a node of this name last had for this item; the item goes by its path.
    func lastFingerprint(of node: String, item: String) async throws -> Fingerprint?

    /// Looks nodes of an item up, and claims those that are to be run: nobody else runs their keys until they are
    /// recorded or let go of.
    ///
    /// - Returns: a state for each, in order. The claims of a process that died are void.
    func claim(_ nodes: [NodeClaim], item: String) async throws -> [NodeState]

    /// Lets go of keys that were claimed and not recorded as done.
    func release(_ keys: [Digest]) async throws

    /// The digest of a file, if it was taken while the file was as it is now.
    func digest(of file: FileIdentity) async throws -> Digest?

    /// Remembers a file's digest.
    func remember(_ digest: Digest, of file: FileIdentity) async throws

    /// Opens a run.
    func begin(_ run: RunRecord) async throws

    /// Writes what became of nodes; the claims on their keys end.
    func record(_ nodes: [NodeRecord]) async throws

    /// Writes what became of an item, and again when that changes.
    func record(_ item: ItemRecord, in run: String) async throws

    /// Closes a run.
    func end(run: String, state: RunRecord.State, at time: Date) async throws
}

extension Ledger {
    /// Writes what became of a node.
    public func record(_ node: NodeRecord) async throws { try await record([node]) }
}

/// A node that somebody is about to run.
public struct NodeClaim: Sendable {
    /// The key of its fingerprint.
    public var key: Digest
    /// Its name: `translate[es,3]`.
    public var node: String
    /// Whether it runs though its outputs are known.
    public var isForced: Bool

    /// Describes a node.
    public init(key: Digest, node: String, isForced: Bool = false) {
        self.key = key
        self.node = node
        self.isForced = isForced
    }
}

/// How far a key is.
public enum NodeState: Sendable {
    /// It was run, and wrote this.
    case done([String: StageValue])
    /// It is the caller's to run. `last`: the fingerprint that a node of its name last had, as canonical JSON.
    case claimed(last: String?)
    /// Somebody who lives is running it: look again later.
    case running
}

/// A file as the file system names it: while this stays equal, so does its content (but for hostile clocks).
public struct FileIdentity: Hashable, Sendable {
    /// The absolute path.
    public var path: String
    /// The inode number.
    public var inode: UInt64
    /// Bytes.
    public var size: Int64
    /// Time of the last change of content, in nanoseconds since 1970.
    public var modified: Int64

    /// Looks a file up.
    ///
    /// - Returns: `nil` where there is no such file.
    public init?(path: String) {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        self.path = path
        inode = UInt64(status.st_ino)
        size = Int64(status.st_size)
        modified = Int64(status.st_mtim.tv_sec) * 1_000_000_000 + Int64(status.st_mtim.tv_nsec)
    }
}

/// One call of `dubmill run`.
public struct RunRecord: Sendable, Codable {
    /// How far a run is.
    public enum State: String, Sendable, Codable {
        /// Taken on by a daemon, and waiting for its turn.
        case queued
        case running
        case finished
        case interrupted
    }

    /// Its name: a time and four random letters, such as `20260411-093012-kqzt`.
    public var id: String
    /// The pipeline's name.
    public var pipeline: String
    /// What was set.
    public var parameters: [String: JSONValue]
    /// When it began.
    public var started: Date
    /// When it ended.
    public var ended: Date?
    /// How far it is. A run whose process died still reads `running`: see `process`.
    public var state: State
    /// The process that runs it.
    public var process: Int32
    /// What was asked for, so that it can be taken up again.
    public var request: RunRequest
    /// The pipeline's stages and what each reads, for drawing.
    public var graph: [StageRecord]

    /// Describes a run.
    public init(
        id: String, pipeline: String, parameters: [String: JSONValue], started: Date, ended: Date? = nil, state: State,
        process: Int32, request: RunRequest = RunRequest(), graph: [StageRecord] = []
    ) {
        self.id = id
        self.pipeline = pipeline
        self.parameters = parameters
        self.started = started
        self.ended = ended
        self.state = state
        self.process = process
        self.request = request
        self.graph = graph
    }
}

/// What a run was asked to do, all that `dubmill retry` needs to ask it again.
public struct RunRequest: Sendable, Codable, Hashable {
    /// The pipeline's name or the absolute path of its file.
    public var pipeline = ""
    /// The folder for outputs, absolute.
    public var out = ""
    /// The script that was handed in, absolute.
    public var script: String?
    /// The cast that was handed in, absolute.
    public var cast: String?
    /// The thresholds of the gate, absolute; `nil` for those that ship.
    public var gate: String?
    /// Where what the gate refuses is kept, absolute.
    public var quarantine: String?
    /// Greater goes first where runs compete.
    public var priority = 0
    /// Where what is made is published; `nil` is nowhere.
    public var publish: PublishOrder?

    /// An empty request.
    public init() {}
}

/// A stage of a pipeline as a run had it.
public struct StageRecord: Sendable, Codable, Hashable {
    /// Its name in the file.
    public var name: String
    /// The kind of stage.
    public var uses: String
    /// The axes it runs over, outermost first.
    public var axes: [String]
    /// The names of the stages, or of what is given from outside, that it reads.
    public var reads: [String]

    /// Describes a stage.
    public init(name: String, uses: String, axes: [String], reads: [String]) {
        self.name = name
        self.uses = uses
        self.axes = axes
        self.reads = reads
    }
}

/// One item of a run.
public struct ItemRecord: Sendable, Codable {
    /// Its place in the run, from 0.
    public var index: Int
    /// The source's absolute path.
    public var source: String
    /// How it ended, or `running`, or `waiting`.
    public var status: String
    /// How many nodes ran and how many were found in the store.
    public var nodes: NodeCount
    /// Wall seconds so far.
    public var wallSeconds: Double
    /// Seconds of media.
    public var mediaSeconds: Double
    /// What went wrong.
    public var error: ErrorRecord?
    /// What was delivered.
    public var outputs: [OutputRecord]
    /// The source's digest; `nil` where it was never read, or by an older dubmill.
    public var sha256: Digest?

    /// Describes an item.
    public init(
        index: Int, source: String, status: String, nodes: NodeCount = NodeCount(), wallSeconds: Double = 0,
        mediaSeconds: Double = 0, error: ErrorRecord? = nil, outputs: [OutputRecord] = []
    ) {
        self.index = index
        self.source = source
        self.status = status
        self.nodes = nodes
        self.wallSeconds = wallSeconds
        self.mediaSeconds = mediaSeconds
        self.error = error
        self.outputs = outputs
    }
}

/// How many nodes ran and how many did not have to.
public struct NodeCount: Sendable, Codable, Hashable {
    /// Executed.
    public var run = 0
    /// Found in the store.
    public var cached = 0

    /// None yet.
    public init() {}
}

/// An error as it stands in the ledger and in JSON.
public struct ErrorRecord: Sendable, Codable, Hashable {
    /// The stable code.
    public var code: String
    /// What broke.
    public var message: String
    /// Where.
    public var `where`: String
    /// What to do.
    public var fix: String

    /// The record of an error.
    public init(_ error: DubError) {
        code = error.code.name
        message = error.what
        self.where = error.place
        fix = error.fix
    }
}

/// A file that an item left in the output folder.
public struct OutputRecord: Sendable, Codable, Hashable {
    /// `video`, `audio`, `subtitles`, `script` or `verdict`.
    public var kind: String
    /// The language it is in.
    public var language: String?
    /// Where it lies.
    public var path: String
    /// Its digest.
    public var sha256: Digest

    /// Describes a delivered file.
    public init(kind: String, language: String?, path: String, sha256: Digest) {
        self.kind = kind
        self.language = language
        self.path = path
        self.sha256 = sha256
    }

    private enum CodingKeys: String, CodingKey { case kind, language, path, sha256 }

    /// As declared, with an explicit null where there is no language: `run --format json` promises every member.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(kind, forKey: .kind)
        try container.encode(language, forKey: .language)
        try container.encode(path, forKey: .path)
        try container.encode(sha256, forKey: .sha256)
    }
}

/// What became of a node in a run.
public struct NodeRecord: Sendable {
    /// How it ended.
    public enum State: String, Sendable, Codable {
        case done
        case cached
        case failed
    }

    /// The run's name.
    public var run: String
    /// The item's place in the run.
    public var item: Int
    /// The item's absolute path.
    public var source: String
    /// The node's name: `translate[es,3]`.
    public var node: String
    /// Its stage's name in the pipeline.
    public var stage: String
    /// The key of its fingerprint.
    public var key: Digest
    /// All that went into it, as canonical JSON: what the key is the digest of.
    public var fingerprint: String
    /// Why it ran.
    public var reason: String
    /// How it ended.
    public var state: State
    /// What it wrote, where it is done.
    public var outputs: [String: StageValue]
    /// When its inputs were there.
    public var queued: Date
    /// When it began: after it had waited for its place.
    public var started: Date
    /// Wall seconds of the last attempt.
    public var seconds: Double
    /// How many attempts it took.
    public var attempts: Int
    /// Why it failed.
    public var error: ErrorRecord?
    /// The last lines that it wrote to its log, where it kept one.
    public var log: String?
}
