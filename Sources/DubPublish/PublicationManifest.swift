public import DubCore
public import DubRunner
public import Foundation

/// What says of a publication that it is whole: `manifest.json`, written last. An interface, kept stable.
public struct PublicationManifest: Codable, Sendable, Hashable {
    /// What was dubbed.
    public struct Source: Codable, Sendable, Hashable {
        /// The file's name.
        public var name: String
        /// Its digest.
        public var sha256: Digest
        /// How many bytes.
        public var size: Int64?

        /// Describes a source.
        public init(name: String, sha256: Digest, size: Int64?) {
            self.name = name
            self.sha256 = sha256
            self.size = size
        }
    }

    /// How one language came out.
    public struct Dub: Codable, Sendable, Hashable {
        /// The language; `nil` of a pipeline that does not speak.
        public var language: String?
        /// `pass`, `review` or `fail`.
        public var verdict: String
        /// Whether it was published against its verdict.
        public var forced: Bool
        /// How many lines each engine made, by its name.
        public var lines: [String: Int]

        private enum CodingKeys: String, CodingKey { case language, verdict, forced, lines }

        init(language: String?, verdict: String, forced: Bool, lines: [String: Int]) {
            self.language = language
            self.verdict = verdict
            self.forced = forced
            self.lines = lines
        }

        /// As declared, with an explicit null where there is no language.
        public func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(language, forKey: .language)
            try container.encode(verdict, forKey: .verdict)
            try container.encode(forced, forKey: .forced)
            try container.encode(lines, forKey: .lines)
        }
    }

    /// A file of the publication.
    public struct File: Codable, Sendable, Hashable {
        /// `video`, `audio`, `subtitles`, `script`, `verdict` …
        public var kind: String
        /// The language it is in.
        public var language: String?
        /// What it is called.
        public var name: String
        /// Its key in the bucket, or its path in the folder that was published to.
        public var key: String
        /// How many bytes.
        public var size: Int64
        /// Its digest.
        public var sha256: Digest
        /// The media type that it is served with.
        public var type: String

        private enum CodingKeys: String, CodingKey { case kind, language, name, key, size, sha256, type }

        init(_ file: Publication.File) {
            kind = file.kind
            language = file.language
            name = (file.key as NSString).lastPathComponent
            key = file.key
            size = file.size
            sha256 = file.sha256
            type = file.type
        }

        /// As declared, with an explicit null where there is no language.
        public func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(kind, forKey: .kind)
            try container.encode(language, forKey: .language)
            try container.encode(name, forKey: .name)
            try container.encode(key, forKey: .key)
            try container.encode(size, forKey: .size)
            try container.encode(sha256, forKey: .sha256)
            try container.encode(type, forKey: .type)
        }
    }

    /// The shape of this document: 1.
    public var version = 1
    /// The publication's name.
    public var publication: String
    /// When it was intended.
    public var published: Date
    /// The day on which it goes, as `2026-12-31`; `nil` for good.
    public var expires: String?
    /// Which dubmill made it.
    public var dubmill: String
    /// The run that it is of.
    public var run: String
    /// The item's place in that run.
    public var item: Int
    /// What was dubbed.
    public var source: Source
    /// The worst verdict; `nil` where none was measured.
    public var verdict: String?
    /// Whether any dub was published against its verdict.
    public var forced: Bool
    /// How each language came out that was measured.
    public var dubs: [Dub]
    /// The models that took part.
    public var engines: [EngineRecord]
    /// Every file.
    public var files: [File]

    private enum CodingKeys: String, CodingKey {
        case version, publication, published, expires, dubmill, run, item, source, verdict, forced, dubs, engines, files
    }

    init(
        publication: String, published: Date, expires: String?, dubmill: String, run: String, item: Int, source: Source,
        verdict: String?, forced: Bool, dubs: [Dub], engines: [EngineRecord], files: [File]
    ) {
        self.publication = publication
        self.published = published
        self.expires = expires
        self.dubmill = dubmill
        self.run = run
        self.item = item
        self.source = source
        self.verdict = verdict
        self.forced = forced
        self.dubs = dubs
        self.engines = engines
        self.files = files
    }

    /// As declared, with an explicit null for what is not there.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(version, forKey: .version)
        try container.encode(publication, forKey: .publication)
        try container.encode(published, forKey: .published)
        try container.encode(expires, forKey: .expires)
        try container.encode(dubmill, forKey: .dubmill)
        try container.encode(run, forKey: .run)
        try container.encode(item, forKey: .item)
        try container.encode(source, forKey: .source)
        try container.encode(verdict, forKey: .verdict)
        try container.encode(forced, forKey: .forced)
        try container.encode(dubs, forKey: .dubs)
        try container.encode(engines, forKey: .engines)
        try container.encode(files, forKey: .files)
    }

    /// The name of a manifest's file.
    public static let name = "manifest.json"

    /// As it is written.
    public var text: String {
        get throws {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
            encoder.dateEncodingStrategy = .iso8601
            return String(decoding: try encoder.encode(self), as: UTF8.self) + "\n"
        }
    }

    /// Reads a manifest.
    ///
    /// - Throws: `DecodingError` where it is none, or one of a shape to come.
    public init(_ data: Data) throws {
        let decoder = JSONDecoder()
        decoder.dateDecodingStrategy = .iso8601
        self = try decoder.decode(Self.self, from: data)
        guard version == 1 else {
            throw DecodingError.dataCorrupted(.init(codingPath: [], debugDescription: "its version is \(version)"))
        }
    }
}
