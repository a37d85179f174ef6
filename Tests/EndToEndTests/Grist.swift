import DubCore
import DubHTTP
import DubObjects
import DubTestKit
import Foundation

/// A mill with a pipeline that makes three small files of a file, for what is about files and not about dubs.
struct Grist {
    let mill: Mill
    /// The pipeline.
    let pipeline: String
    static let kinds = ["txt": "text", "srt": "subtitles", "vtt": "subtitles"]

    init(in folder: URL) throws {
        mill = try Mill(in: folder)
        pipeline = mill.path("grist.yaml")
        let script =
            #"cp \"$IN\" \"$ONE\"; (cat \"$IN\"; echo 2) > \"$TWO\"; (cat \"$IN\"; echo 3) > \"$THREE\"; echo x >> "#
            + mill.path("executed")
        try Data(
            """
            version: 1
            name: grist
            stages:
              grind:
                uses: exec
                in: {media: item}
                out: {one: txt, two: srt, three: vtt}
                with:
                  command: [/bin/sh, -c, "\(script)"]
                  env: {IN: "{in.media}", ONE: "{out.one}", TWO: "{out.two}", THREE: "{out.three}"}
            deliver:
              - {kind: text, from: grind.one, name: "{stem}"}
              - {kind: subtitles, from: grind.two, name: "{stem}"}
              - {kind: subtitles, from: grind.three, name: "{stem}"}
            """.utf8
        ).write(to: URL(fileURLWithPath: pipeline))
    }

    /// A file to be ground.
    func grain(_ name: String, _ content: String) throws -> String {
        let path = mill.path(name)
        try Data(content.utf8).write(to: URL(fileURLWithPath: path))
        return path
    }

    /// Grinds files.
    func run(_ arguments: String..., environment: [String: String] = [:]) async throws -> (Outcome, JSONValue) {
        let outcome = try await mill.start(
            ["run", "--format", "json", "--quiet", "--pipeline", pipeline] + arguments, environment
        ).finish()
        let report = try? JSONValue.parse(Data(outcome.stdout.utf8))
        guard let report else { throw Tool.Failed(description: "\(outcome)") }
        return (outcome, report)
    }

    /// A command with `--format json`, its answer read.
    func json(_ arguments: [String], _ environment: [String: String] = [:]) async throws -> (Outcome, JSONValue) {
        let outcome = try await mill.start(arguments + ["--format", "json"], environment).finish()
        return (outcome, (try? JSONValue.parse(Data(outcome.stdout.utf8))) ?? .null)
    }

    /// How often the pipeline was run.
    var executed: Int {
        ((try? String(contentsOfFile: mill.path("executed"), encoding: .utf8)) ?? "").split(separator: "\n").count
    }

    /// What makes the program find a store.
    static func environment(_ address: String) -> [String: String] {
        [
            "AWS_ACCESS_KEY_ID": SeaweedFS.accessKey, "AWS_SECRET_ACCESS_KEY": SeaweedFS.secretKey,
            "AWS_ENDPOINT_URL_S3": address, "LLVM_PROFILE_FILE": "/dev/null",
        ]
    }

    /// The store itself.
    static func store(_ address: String) throws -> ObjectStore {
        ObjectStore(
            try StoreSettings(environment: ["HOME": "/nonexistent"], endpoint: address),
            credentials: CredentialSource(
                Credentials(accessKey: SeaweedFS.accessKey, secretKey: SeaweedFS.secretKey)), client: HTTPClient())
    }
}

/// What lies in a bucket under a prefix.
struct Shelf {
    /// By key.
    var digests: [String: String] = [:]
    /// The manifests, read.
    var manifests: [JSONValue] = []

    init(_ store: ObjectStore, _ bucket: String, _ prefix: String, scratch: URL) async throws {
        do {
            for try await entry in store.list(bucket: bucket, prefix: prefix) {
                let name = ObjectName(bucket: bucket, key: entry.key)
                let path = scratch.appendingPathComponent("shelf-\(UInt32.random(in: .min ... .max))").path
                defer { unlink(path) }
                digests[entry.key] = try await store.get(name, to: path).digest?.hex
                if entry.key.hasSuffix("/manifest.json") {
                    manifests.append(try JSONValue.parse(Data(contentsOf: URL(fileURLWithPath: path))))
                }
            }
        } catch let error as DubError where error.code.name == "object.missing" {
            // No bucket yet.
        }
    }

    /// What manifests name and is not there, or is not what they say.
    var lost: [String] {
        manifests.flatMap { $0["files"]?.array ?? [] }.compactMap { file in
            let key = file["key"]?.string ?? ""
            return digests[key] != nil && digests[key] == file["sha256"]?.string ? nil : key
        }
    }
}
