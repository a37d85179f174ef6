public import DubCore
public import Foundation

/// The files of one item at one place outside, with a manifest that names them: intended, made, or taken back.
///
/// It holds all that is needed to make it, so that any process can take it up: see `Outbox`.
public struct Publication: Sendable, Codable, Hashable {
    /// How far it is.
    public enum State: String, Sendable, Codable {
        /// Intended: some of it may be there, and its manifest is not, or not known to be.
        case pending
        /// All its files are there, and then its manifest.
        case done
        /// Being taken back: its manifest may be gone, and some of its files.
        case erasing
        /// Taken back.
        case erased
    }

    /// A file of it.
    public struct File: Sendable, Codable, Hashable {
        /// `video`, `audio`, `subtitles`, `script`, `verdict` …
        public var kind: String
        /// The language it is in.
        public var language: String?
        /// Its key in the bucket, or its path in the folder.
        public var key: String
        /// Where it lies on this machine.
        public var path: String
        /// How many bytes.
        public var size: Int64
        /// Its digest.
        public var sha256: Digest
        /// The media type that it is served with.
        public var type: String

        /// Describes a file.
        public init(
            kind: String, language: String?, key: String, path: String, size: Int64, sha256: Digest, type: String
        ) {
            self.kind = kind
            self.language = language
            self.key = key
            self.path = path
            self.size = size
            self.sha256 = sha256
            self.type = type
        }
    }

    /// Sixteen hexadecimal digits that the content and the place make.
    public var id: String
    /// The run that made it.
    public var run: String
    /// The item's place in that run.
    public var item: Int
    /// The item's absolute path.
    public var source: String
    /// Where, and for how long.
    public var order: PublishOrder
    /// Where the item's files lie there, with the bucket or the folder: two publications of one item share it.
    public var folder: String
    /// All but the manifest.
    public var files: [File]
    /// The key of the manifest.
    public var manifestKey: String
    /// The manifest as it is written, so that whoever takes this up writes the same.
    public var manifest: String
    /// The day on which it goes, as `2026-12-31`; `nil` for good.
    public var expires: String?
    /// The worst verdict; `nil` where none was measured.
    public var verdict: String?
    /// Whether a verdict of fail was passed over.
    public var isForced: Bool
    /// When it was first intended.
    public var begun: Date
    /// How far it is.
    public var state: State
    /// When it came to this state.
    public var changed: Date
    /// How often it was tried.
    public var attempts: Int
    /// Why it was not made the last time.
    public var error: ErrorRecord?

    /// Describes an intention.
    public init(
        id: String, run: String, item: Int, source: String, order: PublishOrder, folder: String, files: [File],
        manifestKey: String, manifest: String, expires: String?, verdict: String?, isForced: Bool, begun: Date
    ) {
        self.id = id
        self.run = run
        self.item = item
        self.source = source
        self.order = order
        self.folder = folder
        self.files = files
        self.manifestKey = manifestKey
        self.manifest = manifest
        self.expires = expires
        self.verdict = verdict
        self.isForced = isForced
        self.begun = begun
        state = .pending
        changed = begun
        attempts = 0
    }

    /// This intention where there is one of the same content at the same place: what was said outside stays said.
    ///
    /// The manifest of the first stays, unless it is to be kept for another time; so a repetition writes the same bytes.
    public func renewed(over first: Publication) -> Publication {
        guard first.state == .pending || first.state == .done, first.expires == expires else { return self }
        var renewed = self
        renewed.run = first.run
        renewed.item = first.item
        renewed.manifest = first.manifest
        renewed.begun = first.begun
        renewed.attempts = first.state == .pending ? first.attempts : 0
        return renewed
    }
}

/// What is to be published, written down before it is begun: the part of a ledger that makes publishing certain.
///
/// A call that returns has been written. See docs/adr for why.
public protocol Outbox: Sendable {
    /// Writes an intention down. One of the same content at the same place is renewed, and left alone while somebody
    /// who lives is at it.
    ///
    /// - Returns: what is written now.
    func intend(_ publication: Publication) async throws -> Publication

    /// Takes a publication for oneself, and with it the item's folder: two do not publish or erase there at once.
    ///
    /// - Parameter states: in which of them it may be: what was looked up a while ago may have been erased since.
    /// - Returns: whether it is the caller's. What a process held that died is anybody's.
    func hold(_ publication: String, in states: [Publication.State]) async throws -> Bool

    /// Says how far a publication is that one holds, and lets go of it.
    ///
    /// - Parameter error: why it stays as it was.
    func settle(_ publication: String, as state: Publication.State, error: ErrorRecord?) async throws

    /// What is not made, or not taken back, to its end; the oldest first.
    func openPublications() async throws -> [Publication]
}

/// A model that took part in an item, for who wants to know what a file was made with.
public struct EngineRecord: Sendable, Codable, Hashable {
    /// The stage's name in the pipeline.
    public var stage: String
    /// The model's name.
    public var name: String
    /// The digest of its weights.
    public var digest: String

    /// Describes a model.
    public init(stage: String, name: String, digest: String) {
        self.stage = stage
        self.name = name
        self.digest = digest
    }
}
