import DubCore
import DubTestKit
import Foundation

/// A mill that keeps a folder, by a pipeline that costs a process for each file and notes each time it runs.
struct DaemonKit {
    let mill: Mill
    /// The watched folder.
    let incoming: String
    private let config: String

    init(in folder: URL, behaviour: StubWorker.Behaviour = .hearing) throws {
        mill = try Mill(in: folder, behaviour: behaviour)
        incoming = mill.path("in")
        config = mill.path("dubmill.yaml")
        try FileManager.default.createDirectory(atPath: incoming, withIntermediateDirectories: true)
        // A file that holds `wait NAME` is done once there is a file of that name.
        let script = """
            cat \\"$IN\\" >> \(mill.path("executed")); \
            set -- $(cat \\"$IN\\"); \
            if [ \\"$1\\" = fail ]; then echo no >&2; exit 3; fi; \
            if [ \\"$1\\" = wait ]; then while [ ! -e \(folder.path)/$2 ]; do sleep 0.02; done; fi; \
            cp \\"$IN\\" \\"$OUT\\"
            """
        try write(
            "cheap.yaml",
            """
            version: 1
            name: cheap
            parameters:
              tone: {type: text, default: low}
            stages:
              copy:
                uses: exec
                in: {media: item}
                out: {text: txt}
                with: {command: [/bin/sh, -c, "\(script)"], env: {IN: "{in.media}", OUT: "{out.text}", TONE: "${tone}"}}
            deliver:
              - {kind: text, from: copy.text, name: "{stem}"}
            """)
    }

    /// Writes a file beside the configuration.
    func write(_ name: String, _ text: String) throws {
        try Data(text.utf8).write(to: URL(fileURLWithPath: mill.path(name)))
    }

    /// Configures the folder, with more keys where given, and what else there is.
    func configure(_ folder: String = "", also: String = "") throws {
        try write(
            "dubmill.yaml",
            """
            watch:
              - {folder: in, pipeline: cheap.yaml, out: out, settle: 0.3s, rescan: 1s\(folder.isEmpty ? "" : ", ")\(folder)}
            \(also)
            """)
    }

    /// Starts a daemon, and waits until it keeps what it is to keep.
    func start(_ environment: [String: String] = [:]) async throws -> Running {
        let running = try mill.start(
            ["daemon", "--config", config, "--log-format", "json"],
            ["LLVM_PROFILE_FILE": "/dev/null"].merging(environment) { $1 })
        guard try await said("daemon.ready", by: running) else {
            throw Tool.Failed(description: "no daemon: \(running.saidSoFar)")
        }
        return running
    }

    /// Waits until a daemon has told of an event so many times.
    func said(_ event: String, by running: Running, times: Int = 1, within limit: Duration = .seconds(30)) async throws
        -> Bool
    {
        try await eventually(within: limit) { events(event, by: running).count >= times }
    }

    /// What a daemon has told of an event.
    func events(_ event: String, by running: Running) -> [JSONValue] {
        running.saidSoFar.split(separator: "\n").compactMap { try? JSONValue.parse(Data($0.utf8)) }
            .filter { $0["event"]?.string == event }
    }

    /// Puts a file into the folder, whole at once.
    func drop(_ name: String, _ content: String) throws {
        let interim = mill.path("interim-\(UInt32.random(in: .min ... .max))")
        try Data((content + "\n").utf8).write(to: URL(fileURLWithPath: interim))
        let place = "\(incoming)/\(name)"
        try FileManager.default.createDirectory(
            atPath: (place as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
        guard rename(interim, place) == 0 else { throw Tool.Failed(description: place) }
    }

    /// What the pipeline was run on, a line each time.
    var executed: [String] {
        let text = (try? String(contentsOfFile: mill.path("executed"), encoding: .utf8)) ?? ""
        return text.split(separator: "\n").map(String.init)
    }

    /// Names in a folder, hidden ones aside, however deep.
    func names(_ folder: String) -> [String] {
        let found = FileManager.default.enumerator(atPath: mill.path(folder))?.compactMap { $0 as? String } ?? []
        return found.filter { name in
            var isFolder: ObjCBool = false
            let path = mill.path(folder) + "/" + name
            return FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) && !isFolder.boolValue
                && !(name as NSString).lastPathComponent.hasPrefix(".")
        }.sorted()
    }

    /// Asks a daemon to stop, and waits for its end.
    func stop(_ running: Running) async throws -> Outcome {
        running.signal(SIGTERM)
        return try await running.finish()
    }
}
