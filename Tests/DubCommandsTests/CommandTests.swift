import ArgumentParser
import DubCore
import DubRunner
import DubTestKit
import Foundation
import Testing

@testable import DubCommands

@Suite struct StemTests {
    @Test("outputs are named for their file, told apart by folder, suffix and number")
    func stems() {
        #expect(RunSession.stems(["/a/film.mp4", "/b/other.mkv"]) == ["film", "other"])
        #expect(RunSession.stems(["/a/film.mp4", "/b/film.mp4"]) == ["a-film-mp4", "b-film-mp4"])
        #expect(RunSession.stems(["/a/film.mp4", "/a/film.mkv"]) == ["a-film-mp4", "a-film-mkv"])
        #expect(RunSession.stems(["/a/film.mp4", "/a/film.mp4"]) == ["a-film-mp4", "a-film-mp4-2"])
        #expect(RunSession.stems(["/film", "/x/film"]) == ["film", "x-film"])
        #expect(RunSession.stems(["/a/two.dots.mp4", "/a/.hidden"]) == ["two.dots", ".hidden"])
        #expect(RunSession.stems([]).isEmpty)
    }

    @Test("no two outputs ever share a name")
    func unique() {
        let files = [
            "/x/a/film.mp4", "/y/a/film.mp4", "/a/film.mp4", "/b/film.mp4", "/c/a-film-mp4.mp4", "/d/a-film-mp4-2.mp4",
        ]
        let stems = RunSession.stems(files)
        #expect(Set(stems).count == files.count, "\(stems)")
    }
}

@Suite struct SettingsTests {
    @Test("flags go over the environment, that over the file, that over defaults")
    func precedence() async throws {
        try await withScratch { scratch in
            try Data("to: [es, fr]\njobs: 3\nout: there\n".utf8).write(
                to: scratch.appendingPathComponent("dubmill.yaml"))
            let settings = try Settings(
                environment: ["DUBMILL_TO": "it", "DUBMILL_VOICE_ENGINE": "pico", "DUBMILL_OUT": ""],
                folder: scratch.path)
            #expect(settings.resolve("to", flag: "de") == ("de", .flag))
            #expect(settings.resolve("to", flag: nil) == ("it", .environment))
            #expect(settings.resolve("voice-engine", flag: nil) == ("pico", .environment))
            #expect(settings.resolve("jobs", flag: nil) == ("3", .file))
            #expect(settings.resolve("out", flag: nil) == ("there", .file), "an empty variable is none")
            #expect(settings.resolve("threads", flag: nil) == (nil, .default))
            let plain = try Settings(environment: [:], folder: scratch.path)
            #expect(plain.value("to", flag: nil) == "es,fr")
            #expect(plain.path == scratch.path + "/dubmill.yaml")
            let none = try Settings(environment: [:], folder: scratch.path + "/none")
            #expect(none.path == nil && none.value("to", flag: nil) == nil)
        }
    }

    @Test(
        "a file that is no mapping of known names is refused",
        arguments: ["too: es\n", "- to\n", "just text", "a: [b\n"])
    func malformed(text: String) async throws {
        try await withScratch { scratch in
            try Data(text.utf8).write(to: scratch.appendingPathComponent("dubmill.yaml"))
            let error = await failure { _ = try Settings(environment: [:], folder: scratch.path) }
            #expect(error?.code.name == "settings.invalid")
        }
    }
}

@Suite struct RunOptionsTests {
    @Test("flags and --set become parameters of the pipeline")
    func parameters() async throws {
        try await withScratch { scratch in
            let options = try RunOptions.parse([
                "a.mp4", "--to", "es, pt-BR,", "--from", "en", "--voice-engine", "pico", "--set", "speed=1.5", "--set",
                "count=3", "--set", "loud=true", "--set", "name=a=b", "--set", "empty=",
            ])
            let settings = try Settings(
                environment: ["DUBMILL_TRANSLATOR": "apertium", "DUBMILL_RECOGNISER": "other"], folder: scratch.path)
            let given = options.parameters(settings, declared: ["to", "from", "recogniser"])
            #expect(
                given == [
                    "to": ["es", "pt-BR"], "from": "en", "voice-engine": "pico", "speed": "1.5", "count": "3",
                    "loud": "true", "name": "a=b", "empty": "", "recogniser": "other",
                ])
        }
    }

    @Test("flags win over the profile, and the profile over environment and files")
    func profile() async throws {
        try await withScratch { scratch in
            let settings = try Settings(
                environment: ["DUBMILL_TRANSLATOR": "apertium", "DUBMILL_TO": "it"], folder: scratch.path)
            let options = try RunOptions.parse(["a.mp4", "--from", "en", "--set", "speed=2", "--profile", "fast"])
            let given = options.parameters(
                settings, declared: ["to", "from", "translator", "speed"],
                profile: ["to": ["fr"], "from": "de", "speed": 1, "loud": true])
            #expect(
                given == ["to": ["fr"], "from": "en", "speed": "2", "loud": true, "translator": "apertium"])
            #expect(options.profile == "fast")
        }
    }

    @Test("what cannot be is refused when it is read")
    func refused() {
        for arguments in [[], ["a", "--set", "x"], ["a", "--set", "=x"], ["a", "b", "--script", "s.csv"]] {
            #expect(throws: (any Error).self) { try RunOptions.parse(arguments) }
        }
    }

    @Test("paths become absolute")
    func paths() {
        let here = FileManager.default.currentDirectoryPath
        #expect(RunPaths.absolute("/a/../b/./c.mp4") == "/b/c.mp4")
        #expect(RunPaths.absolute("c d.mp4") == here + "/c d.mp4")
        #expect(RunPaths.absolute("./-x.mp4") == here + "/-x.mp4")
        #expect(RunPaths.absolute("~/x.mp4").hasSuffix("/x.mp4") && !RunPaths.absolute("~/x.mp4").contains("~"))
    }
}

@Suite struct ConsoleTests {
    @Test("escapes what could steer a terminal, and nothing else")
    func printable() {
        #expect(Console.printable("Ünï ✓ 日本 a b.mp4") == "Ünï ✓ 日本 a b.mp4")
        #expect(Console.printable("a\u{1b}[31m\nb\r\u{7}") == "a\\u{1b}[31m\\u{a}b\\u{d}\\u{7}")
        #expect(Console.printable("\u{202e}4pm.exe\u{200b}") == "\\u{202e}4pm.exe\\u{200b}")
        #expect(Console.printable("\u{9b}31m") == "\\u{9b}31m")
    }

    @Test("aligns columns and leaves no spaces at the ends")
    func table() {
        #expect(
            Console.table(["NAME", "N"], [["a", "1"], ["longer", ""], ["日本", "22"]])
                == "NAME    N\na       1\nlonger\n日本      22")
        #expect(Console.table(["A", "B"], []) == "A  B")
    }

    @Test(
        "tells times as people do",
        arguments: [
            (0, "0.0 s"), (-1, "0.0 s"), (3.44, "3.4 s"), (59.94, "59.9 s"), (60, "1:00"), (123.9, "2:03"),
            (3723, "1:02:03"), (360_000, "100:00:00"),
        ])
    func time(seconds: Double, text: String) {
        #expect(Console.time(seconds) == text)
    }

    @Test("prints JSON with sorted members and plain slashes")
    func json() throws {
        let text = try Console.json(["b": "/x/y", "a": "é"])
        #expect(text == "{\n  \"a\" : \"é\",\n  \"b\" : \"/x/y\"\n}")
    }
}

@Suite struct RunReportTests {
    private func item(_ status: String, error: DubError? = nil) -> RunReport.Item {
        var record = ItemRecord(
            index: 0, source: "/films/a\u{1b}.mp4", status: status, wallSeconds: 10, mediaSeconds: 25,
            error: error.map(ErrorRecord.init))
        record.nodes.run = 3
        record.outputs = [OutputRecord(kind: "video", language: "es", path: "/out/a.es.mp4", sha256: .of("x"))]
        return RunReport.Item(record)
    }

    @Test(
        "the worst item decides the exit code",
        arguments: [
            ([], 0), (["passed"], 0), (["passed", "review"], 3), (["review", "failed", "passed"], 1),
            (["failed", "cancelled"], 130),
        ] as [([String], Int32)])
    func exitCode(states: [String], code: Int32) {
        #expect(RunReport(run: "r", items: states.map { item($0) }).exitCode == code)
    }

    @Test("prints nulls where there is nothing")
    func nulls() throws {
        let text = try Console.json(RunReport(run: nil, items: [item("passed")]))
        let document = try JSONValue.parse(Data(text.utf8))
        #expect(document["run"] == .null)
        #expect(document["items"]?.array?.first?["error"] == .null)
    }

    @Test("tells people where things lie, how fast it was and what went wrong")
    func table() {
        let error = DubError(.inputMissing, "It is gone.", at: "a.mp4", fix: "Look again.")
        let text = RunReport(run: "r", items: [item("failed", error: error)]).table
        #expect(
            text == """
                failed    a\\u{1b}.mp4  3 run, 0 cached, 10.0 s (2.5× real time)
                          video /out/a.es.mp4
                          error[input.missing]: It is gone.
                          where: a.mp4
                          fix:   Look again.
                """)
    }
}

@Suite struct HomeTests {
    @Test("the store is where the flag, DUBMILL_STORE, XDG_CACHE_HOME or the home folder say")
    func store() {
        #expect(Home(environment: ["DUBMILL_STORE": "/s"]).store(given: "/g") == "/g")
        #expect(Home(environment: ["DUBMILL_STORE": "/s", "HOME": "/h"]).store(given: nil) == "/s")
        #expect(Home(environment: ["XDG_CACHE_HOME": "/c", "HOME": "/h"]).store(given: nil) == "/c/dubmill")
        #expect(Home(environment: ["XDG_CACHE_HOME": "c", "HOME": "/h"]).store(given: nil) == "/h/.cache/dubmill")
        #expect(Home(environment: ["HOME": "/h"]).store(given: nil) == "/h/.cache/dubmill")
    }

    @Test("pipelines go by name or by path")
    func pipelines() async throws {
        try await withScratch { scratch in
            let stub = try StubWorker(in: scratch)
            let folder = scratch.appendingPathComponent("Pipelines")
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            for name in ["dub.yaml", "other.yaml", "notes.txt"] {
                try Data().write(to: folder.appendingPathComponent(name))
            }
            let home = Home(environment: stub.environment)
            #expect(home.pipelines() == ["dub", "other"])
            #expect(try home.pipeline("dub") == folder.path + "/dub.yaml")
            #expect(try home.pipeline(folder.path + "/other.yaml") == folder.path + "/other.yaml")
            for name in ["nope", "../dub", "nope.yaml", folder.path + "/nope"] {
                let error = await failure { _ = try home.pipeline(name) }
                #expect(error?.code == .inputMissing, "\(name)")
                #expect(error?.fix.contains("dub, other") == true, "\(name)")
            }
        }
    }
}

@Suite struct BudgetTests {
    @Test(
        "times and amounts",
        arguments: [
            ("30m", .time(1800)), ("1h30m", .time(5400)), ("90s", .time(90)), ("1.5h", .time(5400)),
            ("2h0m1s", .time(7201)), ("2.50", .cost(2.5)), ("soon", nil), ("", nil), ("0s", nil), ("-1", nil),
            ("m", nil), ("30m1h", nil), ("inf", nil),
        ] as [(String, Budget?)])
    func read(text: String, budget: Budget?) {
        #expect(Budget(text) == budget)
    }

    @Test("a price is a number above 0, wherever it was set")
    func price() throws {
        let options = try CostOptions.parse([])
        #expect(try options.price(Settings(environment: [:], folder: "/nowhere")) == nil)
        #expect(try options.price(Settings(environment: ["DUBMILL_COST_PER_HOUR": "0.35"], folder: "/nowhere")) == 0.35)
        #expect(throws: DubError.self) {
            try options.price(Settings(environment: ["DUBMILL_COST_PER_HOUR": "cheap"], folder: "/nowhere"))
        }
        #expect(throws: (any Error).self) { try CostOptions.parse(["--cost-per-hour", "0"]) }
    }
}
