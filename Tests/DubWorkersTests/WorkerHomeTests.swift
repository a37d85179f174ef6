import DubCore
import DubTestKit
import DubWorkers
import Foundation
import Testing

@Suite struct WorkerHomeTests {
    private func make(_ paths: [String], in scratch: URL) throws {
        for path in paths {
            let url = scratch.appendingPathComponent(path)
            try FileManager.default.createDirectory(
                at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data("#!/bin/sh\n".utf8).write(to: url)
            try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: url.path)
        }
    }

    @Test("finds all that the environment names")
    func named() async throws {
        try await withScratch { scratch in
            try make(["py", "home/Workers/dubmill_worker/__main__.py"], in: scratch)
            let home = try WorkerHome.find(environment: [
                "DUBMILL_WORKER_PYTHON": scratch.path + "/py", "DUBMILL_HOME": scratch.path + "/home/",
                "DUBMILL_MODELS": scratch.path + "/m",
            ])
            #expect(home.python == scratch.path + "/py")
            #expect(home.workers == scratch.path + "/home/Workers")
            #expect(home.models == scratch.path + "/m")
            let launch = try home.serve(onSocket: "/s", threads: 2)
            #expect(launch.executable == home.python)
            #expect(
                launch.arguments == [
                    "-m", "dubmill_worker", "serve", "--socket", "/s", "--models", home.models, "--catalogue",
                    home.workers + "/catalogue.json", "--threads", "2",
                ])
            #expect(launch.environment["PYTHONPATH"] == home.workers)
            #expect(
                home.modelsCommand("verify", ["x"], json: true).arguments.prefix(5) == [
                    "-m", "dubmill_worker", "models", "verify", "x",
                ])
        }
    }

    @Test(
        "finds the code above the program through links, else beside its bin, and the rest in the user's data"
    )
    func searched() async throws {
        try await withScratch { scratch in
            try make(
                [
                    "repo/.build/debug/dubmill", "repo/Pipelines/dub.yaml",
                    "repo/Workers/dubmill_worker/__main__.py",
                    "repo/.build/Workers/dubmill_worker/__main__.py", "usr/bin/dubmill",
                    "usr/share/dubmill/Workers/dubmill_worker/__main__.py", "data/dubmill/worker/bin/python",
                    "home/.local/share/dubmill/worker/bin/python",
                ], in: scratch)
            let link = scratch.appendingPathComponent("link")
            try FileManager.default.createSymbolicLink(
                at: link, withDestinationURL: scratch.appendingPathComponent("repo/.build/debug/dubmill"))
            let data = ["XDG_DATA_HOME": scratch.path + "/data", "HOME": scratch.path + "/home"]
            let built = try WorkerHome.find(environment: data, executable: link.path)
            #expect(built.workers == scratch.path + "/repo/Workers")
            #expect(built.python == scratch.path + "/data/dubmill/worker/bin/python")
            #expect(built.models == scratch.path + "/data/dubmill/models")
            let installed = try WorkerHome.find(
                environment: ["HOME": scratch.path + "/home", "XDG_DATA_HOME": "relative"],
                executable: scratch.path + "/usr/bin/dubmill")
            #expect(installed.workers == scratch.path + "/usr/share/dubmill/Workers")
            #expect(installed.python == scratch.path + "/home/.local/share/dubmill/worker/bin/python")
        }
    }

    @Test("says what is missing and how to get it")
    func missing() async throws {
        try await withScratch { scratch in
            try make(["Workers/dubmill_worker/__main__.py"], in: scratch)
            for environment in [
                ["DUBMILL_HOME": scratch.path, "HOME": scratch.path], ["DUBMILL_HOME": "/nowhere"],
            ] {
                let error = await failure { _ = try WorkerHome.find(environment: environment) }
                #expect(error?.code == .workerNotInstalled)
                #expect(error?.fix.contains("make setup") == true)
            }
        }
    }
}
