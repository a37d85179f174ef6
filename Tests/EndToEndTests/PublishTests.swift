import DubCore
import DubTestKit
import Foundation
import Testing

extension EndToEnd {
    /// Publishing into a folder: what of a dub, and by whom.
    @Suite struct Publishing {
        private func manifest(_ view: JSONValue?) throws -> JSONValue {
            try JSONValue.parse(Data(contentsOf: URL(fileURLWithPath: try #require(view?["manifest"]?.string))))
        }

        @Test("a dub with its manifest: files, engines, verdict; the shapes of JSON")
        func dub() async throws {
            try await withScratch { scratch in
                let grist = try Grist(in: scratch)
                let clip = try await Clip(seconds: 10).make(in: scratch)
                let archive = grist.mill.path("archive")
                let (outcome, report) = try await grist.mill.run(clip, "--to", "es")
                #expect(outcome.status == 0, "\(outcome.stderr)")
                let run = try #require(report.run)
                let (published, answer) = try await grist.json(["publish", run, "--to", archive])
                #expect(published.status == 0, "\(published.stderr)")
                #expect(answer["refused"] == [])
                let view = try #require(answer["publications"]?.array?.first)
                let members: Set = [
                    "id", "state", "run", "item", "source", "to", "manifest", "files", "bytes", "verdict", "forced",
                    "expires", "attempts", "begun", "changed", "error",
                ]
                #expect(Set(view.object?.keys.map { $0 } ?? []) == members)
                #expect(view["state"] == "done" && view["forced"] == false && view["expires"] == .null)
                let manifest = try manifest(view)
                #expect(
                    Set(manifest.object?.keys.map { $0 } ?? []) == [
                        "version", "publication", "published", "expires", "dubmill", "run", "item", "source",
                        "verdict", "forced", "dubs", "engines", "files",
                    ])
                #expect(manifest["run"]?.string == run && manifest["verdict"] == view["verdict"])
                #expect(manifest["source"]?["sha256"]?.string == (try Digest.of(fileAt: clip).hex))
                let engines = Set(manifest["engines"]?.array?.compactMap { $0["name"]?.string } ?? [])
                #expect(engines.isSuperset(of: ["stub-scribe", "stub-translator", "stub-voice"]), "\(engines)")
                let files = try #require(manifest["files"]?.array)
                #expect(
                    Set(files.compactMap { $0["kind"]?.string }) == ["video", "subtitles", "script", "verdict"])
                for file in files {
                    let path = "\(archive)/\(file["key"]?.string ?? "")"
                    #expect(try Digest.of(fileAt: path).hex == file["sha256"]?.string)
                    #expect(
                        try Data(contentsOf: URL(fileURLWithPath: path)).count == file["size"]?.integer.map(Int.init))
                }
                let (listed, all) = try await grist.json(["publications"])
                #expect(listed.status == 0 && all.array?.count == 1)
                #expect(Set(all.array?.first?.object?.keys.map { $0 } ?? []) == members)
            }
        }

        @Test("what the gate refused is not published but by force, and then the manifest says so")
        func refused() async throws {
            try await withScratch { scratch in
                let grist = try Grist(in: scratch)
                let clip = try await Clip(seconds: 10).make(in: scratch)
                let archive = grist.mill.path("archive")
                let strict = grist.mill.path("strict.yaml")
                try Data("version: 1\nchecks: {speech.iou: {least: 1.1, review: 1.1}}\n".utf8).write(
                    to: URL(fileURLWithPath: strict))
                let (outcome, _) = try await grist.mill.run(
                    clip, "--to", "es", "--gate", strict, "--publish", archive)
                #expect(outcome.status == 1)
                #expect(!FileManager.default.fileExists(atPath: archive))
                let (refused, answer) = try await grist.json(["publish", "--to", archive])
                #expect(refused.status == 1 && answer["publications"] == [])
                #expect(answer["refused"]?.array?.first?["error"]?["code"] == "publication.refused")
                let (lost, why) = try await grist.json(["publish", "--to", archive, "--force"])
                #expect(lost.status == 1)
                let fix = why["refused"]?.array?.first?["error"]?["fix"]?.string ?? ""
                #expect(fix.contains("--quarantine"), "\(fix)")
                _ = try await grist.mill.run(
                    clip, "--to", "es", "--gate", strict, "--quarantine", grist.mill.path("held"))
                let (forced, made) = try await grist.json(["publish", "--to", archive, "--force"])
                #expect(forced.status == 0, "\(forced.stdout) \(forced.stderr)")
                let view = made["publications"]?.array?.first
                #expect(view?["forced"] == true && view?["verdict"] == "fail")
                let manifest = try manifest(view)
                #expect(manifest["forced"] == true && manifest["dubs"]?.array?.first?["forced"] == true)
                #expect(manifest["files"]?.array?.contains { $0["kind"] == "video" } == true)
            }
        }

        @Test(
            "what cannot be asked for is refused with what to do",
            arguments: [
                (["publish"], Int32(64), "--to"), (["publish", "--pending", "--to", "/x"], 64, "--pending"),
                (["publish", "--to", "/x", "--retain", "1h"], 64, "30d"),
                (["publish", "--to", "/x", "--retain", "30d"], 64, "erase"),
                (["publish", "--to", "s4://x"], 1, "s3://bucket/prefix"),
                (["publish", "nobody", "--to", "/x"], 1, "dubmill runs"),
            ])
        func faults(arguments: [String], status: Int32, fix: String) async throws {
            try await withScratch { scratch in
                let grist = try Grist(in: scratch)
                _ = try await grist.run(try grist.grain("a.mp4", "grist"), "--out", grist.mill.out)
                let outcome = try await grist.mill.start(arguments).finish()
                #expect(outcome.status == status, "\(outcome.stderr)")
                #expect((outcome.stderr + outcome.stdout).contains(fix), "\(outcome.stderr)")
            }
        }

        @Test("erase tells first, then removes, leaves a receipt, and spares what another file's run needs")
        func erase() async throws {
            try await withScratch { scratch in
                let grist = try Grist(in: scratch)
                let archive = grist.mill.path("archive")
                var ids: [String] = []
                // Of one content: their nodes are the same.
                for name in ["a.mp4", "b.mp4"] {
                    let (outcome, report) = try await grist.run(
                        try grist.grain(name, "grist"), "--out", grist.mill.out, "--publish", archive)
                    #expect(outcome.status == 0, "\(outcome.stderr)")
                    ids.append(try #require(report["items"]?.array?.first?["publication"]?["id"]?.string))
                }
                #expect(Set(ids).count == 2 && grist.executed == 1)
                func files() -> [String] {
                    (FileManager.default.enumerator(atPath: archive)?.compactMap { $0 as? String } ?? []).filter {
                        $0.contains(".")
                    }
                }
                let (told, plan) = try await grist.json(["erase", ids[0]])
                #expect(told.status == 0 && plan["dryRun"] == true && files().count == 8, "\(told.stderr) \(files())")
                #expect(plan["objects"]?.array?.count == 4 && plan["artifacts"] == [] && plan["sparedArtifacts"] == 3)
                let (done, receipt) = try await grist.json(
                    ["erase", ids[0], "--yes", "--by", "maria", "--reason", "rights ended"])
                #expect(done.status == 0, "\(done.stderr)")
                #expect(receipt["by"] == "maria" && receipt["reason"] == "rights ended" && receipt["dryRun"] == false)
                #expect(receipt["objects"]?.array?.allSatisfy { $0["versions"] == 1 } == true && files().count == 4)
                #expect(receipt["left"]?.array?.count == 4, "the source and three outputs")
                let kept = try JSONValue.parse(
                    Data(contentsOf: URL(fileURLWithPath: "\(grist.mill.store)/receipts/\(ids[0]).json")))
                #expect(kept == receipt)
                let (_, states) = try await grist.json(["publications"])
                #expect(Set(states.array?.compactMap { $0["state"]?.string } ?? []) == ["done", "erased"])
                let twice = try await grist.mill.dubmill("erase", ids[0], "--yes")
                #expect(twice.status == 1 && twice.stderr.contains("publication.missing"), "\(twice.stderr)")
                // The cache still holds what b needs; erased too, it does not.
                _ = try await grist.run(grist.mill.path("b.mp4"), "--out", grist.mill.out)
                #expect(grist.executed == 1)
                let (last, all) = try await grist.json(["erase", ids[1], "--yes"])
                #expect(last.status == 0 && all["artifacts"]?.array?.count == 3, "\(last.stderr) \(all)")
                #expect(files().isEmpty)
                _ = try await grist.run(grist.mill.path("b.mp4"), "--out", grist.mill.out)
                #expect(grist.executed == 2)
            }
        }

        @Test("a daemon publishes what it made, and at its start what was left")
        func daemon() async throws {
            try await withScratch { scratch in
                let kit = try DaemonKit(in: scratch)
                let archive = kit.mill.path("archive")
                // Where a folder is to be there is a file: nothing can be published.
                try kit.write("archive", "")
                try kit.configure("publish: archive")
                let first = try await kit.start()
                try kit.drop("a.mp4", "grist")
                #expect(try await kit.said("file.done", by: first))
                #expect(try await kit.said("publication.failed", by: first))
                first.signal(SIGKILL)
                _ = try await first.finish()
                #expect(unlink(archive) == 0)
                let second = try await kit.start()
                #expect(try await kit.said("publication.done", by: second))
                try kit.drop("b.mp4", "more")
                #expect(try await kit.said("publication.done", by: second, times: 2))
                #expect(try await kit.stop(second).status == 0)
                #expect(kit.names("archive").count { $0.hasSuffix("/manifest.json") } == 2)
                #expect(kit.names("archive").count == 4)
                #expect(kit.executed == ["grist", "more"])
                try kit.configure("publish: {to: 's4://x', retain: soon, stile: path}")
                let faulty = try await kit.mill.dubmill("daemon", "--check", "--config", kit.mill.path("dubmill.yaml"))
                #expect(faulty.status == 64 && faulty.stderr.contains("whole days") && faulty.stderr.contains("stile"))
            }
        }
    }
}
