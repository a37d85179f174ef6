import DubCore
import DubSchedule
import DubWatch
import Testing

@Suite struct Configurations {
    private func daemon(_ text: String) throws -> DaemonConfiguration {
        try ConfigurationReader.daemon(text, file: "/srv/dubmill.yaml", others: ["store", "pipeline", "to", "out"])
    }

    @Test("folders, rules and timetables are read, paths are from the file's folder, and what is set above holds below")
    func whole() throws {
        let read = try daemon(
            """
            pipeline: subtitle
            to: de
            daemon: {items: 3, drain: 90s}
            watch:
              - folder: in
                to: [es, fr]
                set: {bed: simple}
                settle: 2.5s
                ready: required
                after: move
                rules:
                  - {match: "*.trailer.*", to: it, priority: 5}
                  - {match: "s2/*", pipeline: own.yaml, out: /else}
            timetables:
              - name: nightly
                cron: 30 2 * * mon-fri
                zone: Europe/Berlin
                jitter: 5m
                missed: all
                overlap: cancel-previous
                files: ["library/*.mkv"]
            """)
        let folder = try #require(read.folders.first)
        #expect(folder.folder == "/srv/in" && folder.settle == 2.5 && folder.needsMarker == true)
        #expect(folder.order(for: "film.mp4").pipeline == "subtitle")
        #expect(folder.order(for: "film.mp4").parameters == ["to": ["es", "fr"], "bed": "simple"])
        let trailer = folder.order(for: "x/film.trailer.mp4")
        #expect(trailer.parameters["to"] == ["it"] && trailer.priority == 5 && trailer.parameters["bed"] == "simple")
        #expect(trailer.defaults == ["to": ["de"]])
        #expect(folder.order(for: "s2/film.mp4").pipeline == "/srv/own.yaml")
        #expect(folder.order(for: "s1/film.mp4").pipeline == "subtitle")
        #expect(folder.leftOut == ["/srv/in/done", "/srv/in/quarantine", "/srv/in/dubbed", "/else"])
        let table = try #require(read.timetables.first)
        #expect(table.source == .files(["/srv/library/*.mkv"]))
        #expect(table.timetable.jitter == 300 && table.timetable.overlap == .cancelPrevious)
        #expect(read.items == 3 && read.drain == 90)
    }

    @Test("where to publish is a place, or a place with what goes with it; rules and rows say otherwise")
    func publish() throws {
        let read = try daemon(
            """
            watch:
              - folder: in
                publish: {to: s3://films/dubbed, retain: 2w, endpoint: "http://h:1", style: path, profile: p}
                rules:
                  - {match: "*.trailer.*", publish: archive}
              - {folder: s3://films/in//, publish: s3://films/out}
            """)
        let folder = try #require(read.folders.first)
        #expect(
            folder.order(for: "a.mp4").publish
                == PublishOrder(
                    to: "s3://films/dubbed", retainDays: 14, endpoint: "http://h:1", style: "path", profile: "p"))
        #expect(folder.order(for: "a.trailer.mp4").publish == PublishOrder(to: "/srv/archive"))
        #expect(!folder.isPrefix && read.folders[1].isPrefix && read.folders[1].folder == "s3://films/in")
        let rows = try Manifest.read("file,publish\na.mp4,s3://films/x\nb.mp4,\n", file: "/srv/batch.csv")
        #expect(rows.map { $0.order.publish?.to } == ["s3://films/x", nil])
        let error = #expect(throws: DubError.self) {
            _ = try daemon(
                """
                watch:
                  - {folder: in, publish: {retain: 36h, stile: path}}
                  - {folder: s3://films/in, after: move}
                  - {folder: other, out: s3://films/x}
                """)
        }
        for part in [
            "no number of days", "stile", "names no place", "neither moved", "not where", "folder of this machine",
        ] {
            #expect(error?.what.contains(part) == true, "\(part): \(error?.what ?? "")")
        }
    }

    @Test("every fault is told with its line")
    func faults() throws {
        let error = #expect(throws: DubError.self) {
            _ = try daemon(
                """
                watch:
                  - folder: in
                    settel: 3s
                    settle: soon
                  - to: es
                    after: burn
                timetables:
                  - {name: a, cron: "61 * * * *", files: x}
                  - name: b
                    zone: Mars/Base
                  - {name: c, cron: "@daily"}
                daemon: {items: 0}
                """)
        }
        let text = error?.description ?? ""
        #expect(error?.code == .settingsInvalid)
        for line in [
            "yaml:3:5:", "yaml:4:13:", "yaml:5:5:", "yaml:6:12:", "yaml:8:21:", "yaml:10:11:", "yaml:11:5:",
            "yaml:12:17:",
        ] {
            #expect(text.contains(line), "\(line) in \(text)")
        }
        #expect(text.contains("Did you mean `settle`?"))
    }

    @Test(
        "what is no YAML, or a folder that is there twice, is refused",
        arguments: [
            "watch: [", "watch: {}", "watch:\n  - folder: a\n  - folder: ./a\n", "watch: 3", "wacht: []",
        ])
    func refused(text: String) {
        let error = #expect(throws: DubError.self) { _ = try daemon(text) }
        #expect(error?.code == .settingsInvalid)
    }

    @Test("a folder's own file is over what the configuration says of it, its rules first")
    func own() throws {
        var outer = WatchedFolder(folder: "/in")
        outer.after = .move
        outer.order.parameters = ["to": ["es"]]
        outer.rules = [.init(pattern: "*.mp4", order: FileOrder(), line: 1)]
        let own = try ConfigurationReader.folder(
            "to: fr\nrules: [{match: \"a*\", priority: 2}]\n", file: "/in/.dubmill.yaml")
        let all = own.over(outer)
        #expect(all.after == .move && all.folder == "/in")
        #expect(all.order(for: "a.mp4").priority == 2 && all.order(for: "a.mp4").parameters["to"] == ["fr"])
        #expect(throws: DubError.self) { _ = try ConfigurationReader.folder("folder: /x\n", file: "/in/.dubmill.yaml") }
    }
}

@Suite struct Manifests {
    @Test(
        "CSV, JSON Lines and YAML say the same",
        arguments: [
            ("m.csv", "file,to,set.bed,priority\na.mp4,\"es,fr\",simple,2\n/x/b.mp4,,,\n"),
            (
                "m.jsonl",
                "{\"file\": \"a.mp4\", \"to\": [\"es\", \"fr\"], \"set\": {\"bed\": \"simple\"}, \"priority\": 2}\n\n{\"file\": \"/x/b.mp4\"}\n"
            ),
            ("m.yaml", "- {file: a.mp4, to: [es, fr], set: {bed: simple}, priority: 2}\n- /x/b.mp4\n"),
        ])
    func forms(name: String, text: String) throws {
        let items = try Manifest.read(text, file: "/srv/" + name)
        #expect(items.map(\.path) == ["/srv/a.mp4", "/x/b.mp4"])
        #expect(items.first?.order.parameters == ["to": ["es", "fr"], "bed": "simple"])
        #expect(items.first?.order.priority == 2)
        #expect(items.last?.order == FileOrder())
    }

    @Test(
        "every fault is told with its line",
        arguments: [
            ("m.csv", "file,tow\na.mp4,es\n,fr\n", ["csv:1:", "csv:3:"]),
            ("m.csv", "name\na.mp4\n", ["csv:1:"]),
            (
                "m.jsonl", "{\"file\": \"a\"}\n{\"to\": \"es\"}\n{\"file\": \"https://x/y.mp4\"}\n{\n",
                ["jsonl:2:", "jsonl:3:", "jsonl:4:"]
            ),
            ("m.yaml", "- {file: a, to: xx-yy-zz-qq}\n- {fiel: b}\n", ["yaml:1:", "yaml:2:"]),
            ("m.txt", "a.mp4\n", ["known form"]),
        ])
    func faults(name: String, text: String, says: [String]) {
        let error = #expect(throws: DubError.self) { _ = try Manifest.read(text, file: "/srv/" + name) }
        for word in says { #expect(error?.description.contains(word) == true, "\(String(describing: error))") }
    }
}
