import DubCore
import DubTestKit
import Foundation
import Testing

/// All tests of the built program, one after the other: some look at the clock, all start processes.
@Suite(.serialized, .timeLimit(.minutes(5)), .enabled(if: Tool.hasFFmpeg, "the ffmpeg program is not installed"))
enum EndToEnd {}

/// The dubmill program with a home, a store, models and a worker of its own.
struct Mill {
    let folder: URL
    let stub: StubWorker

    /// Installs a stub worker that hears, its models, and the repository's pipelines.
    init(in folder: URL, behaviour: StubWorker.Behaviour = .hearing) throws {
        self.folder = folder
        let home = folder.appendingPathComponent("install", isDirectory: true)
        stub = try StubWorker(in: home, behaviour: behaviour)
        try FileManager.default.createSymbolicLink(
            at: home.appendingPathComponent("Pipelines"),
            withDestinationURL: Tool.repository.appendingPathComponent("Pipelines"))
        try Data(Self.catalogue.utf8).write(to: home.appendingPathComponent("Workers/catalogue.json"))
        for name in Self.models {
            let models = home.appendingPathComponent("models/\(name)")
            try FileManager.default.createDirectory(at: models, withIntermediateDirectories: true)
            try Data("weights".utf8).write(to: models.appendingPathComponent("weights.bin"))
        }
        for name in ["user", "out"] {
            try FileManager.default.createDirectory(
                at: folder.appendingPathComponent(name), withIntermediateDirectories: true)
        }
    }

    static let models = [
        "stub-ears", "stub-scribe", "stub-translator", "stub-second", "stub-voice", "stub-clone", "stub-listener",
        "stub-splitter",
    ]

    private static let catalogue: String = {
        func model(_ name: String, _ task: String, _ languages: String, _ more: String = "") -> String {
            """
            {"name": "\(name)", "task": "\(task)", "engine": "stub", "languages": [\(languages)], "licence": "MIT",
             "size": 7, "purpose": "tests", "source": {"kind": "pypi", "files": [{"path": "weights.bin", "size": 7,
             "sha256": "9d74cdeb3cf6c1b6d21a78a8bf4ecc8a9c5bf4cbd0e4f1b6d4b1c0a3e5f60718"}]}\(more)}
            """
        }
        let known = #""en", "es", "fr", "de", "it", "pt""#
        return "["
            + [
                model("stub-splitter", "separate", #""*""#, #", "default": true"#),
                model("stub-ears", "detect_speech", #""*""#, #", "default": true"#),
                model("stub-scribe", "transcribe", #""*""#, #", "default": true, "also": ["detect_language"]"#),
                model("stub-translator", "translate", known, #", "default": true"#),
                model("stub-second", "translate", known),
                model("stub-voice", "synthesize", known, #", "default": true"#),
                model("stub-clone", "synthesize", known, #", "clones": true"#),
                model("stub-listener", "embed", #""*""#, #", "default": true"#),
                model("stub-absent", "synthesize", #""nl""#),
                model("stub-large", "transcribe", #""*""#, #", "installable": false, "reason": "Bring it.""#),
            ].joined(separator: ",\n") + "]"
    }()

    /// The program beside the test bundle.
    static let program: String = {
        let bundle = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        return bundle.deletingLastPathComponent().appendingPathComponent("dubmill").path
    }()

    func path(_ name: String) -> String { folder.appendingPathComponent(name).path }

    var out: String { path("out") }
    var store: String { path("store") }

    /// Files in the output folder.
    var delivered: [String] {
        (try? FileManager.default.contentsOfDirectory(atPath: out))?.sorted() ?? []
    }

    private var environment: [String: String] {
        var environment = stub.environment
        environment["PATH"] = "/usr/bin:/bin"
        environment["HOME"] = path("user")
        environment["TERM"] = "dumb"
        environment["DUBMILL_STORE"] = store
        // Where coverage goes.
        environment["LLVM_PROFILE_FILE"] = ProcessInfo.processInfo.environment["LLVM_PROFILE_FILE"]
        return environment
    }

    /// Starts dubmill in the folder `user`.
    func start(
        _ arguments: [String], _ extra: [String: String] = [:], terminal: Terminal? = nil
    ) throws -> Running {
        try Running(
            Self.program, arguments, environment: environment.merging(extra) { $1 },
            currentFolder: folder.appendingPathComponent("user"), logs: folder, terminal: terminal)
    }

    /// Runs dubmill to its end.
    func dubmill(_ arguments: String..., environment extra: [String: String] = [:]) async throws -> Outcome {
        try await start(arguments, extra).finish()
    }

    /// `run … --format json` into the output folder, its one object read.
    func run(_ arguments: String..., environment: [String: String] = [:]) async throws -> (Outcome, Report) {
        let outcome = try await start(
            ["run", "--format", "json", "--quiet", "--out", out] + arguments, environment
        ).finish()
        return (outcome, try Report(outcome))
    }

    /// `status --format json`, by stage.
    func status(_ run: String? = nil) async throws -> Status {
        let outcome = try await start(["status", "--format", "json"] + [run].compactMap(\.self)).finish()
        guard outcome.status == 0 else { throw Tool.Failed(description: outcome.stderr) }
        return try JSONDecoder().decode(Status.self, from: Data(outcome.stdout.utf8))
    }
}

extension StubWorker.Behaviour {
    /// It hears what is in the clips.
    static var hearing: Self {
        var behaviour = Self()
        behaviour.hears = true
        return behaviour
    }
}

/// What `run --format json` prints.
struct Report: Decodable {
    struct Item: Decodable {
        var source: String
        var status: String
        var outputs: [Output]
        var nodes: Nodes
        var error: Fault?
    }

    struct Output: Decodable, Hashable {
        var kind: String
        var language: String?
        var path: String
        var sha256: String
    }

    struct Nodes: Decodable, Hashable {
        var run: Int
        var cached: Int
    }

    struct Fault: Decodable {
        var code: String
        var message: String
        var `where`: String
        var fix: String
    }

    var run: String?
    var items: [Item]

    init(_ outcome: Outcome) throws {
        do {
            self = try JSONDecoder().decode(Report.self, from: Data(outcome.stdout.utf8))
        } catch {
            throw Tool.Failed(
                description: "exit \(outcome.status), stdout “\(outcome.stdout)”, stderr “\(outcome.stderr)”")
        }
    }

    /// The only item.
    var item: Item {
        get throws { try #require(items.first) }
    }
}

/// What `status --format json` prints.
struct Status: Decodable {
    struct Stage: Decodable {
        var stage: String
        var run: Int
        var cached: Int
        var failed: Int
    }

    var run: String
    var state: String
    var items: [Report.Item]
    var stages: [Stage]

    /// How many nodes ran, by stage; stages in which none did are left out.
    var ran: [String: Int] {
        Dictionary(stages.filter { $0.run > 0 }.map { ($0.stage, $0.run) }, uniquingKeysWith: +)
    }

    subscript(stage: String) -> Stage? { stages.first { $0.stage == stage } }
}
