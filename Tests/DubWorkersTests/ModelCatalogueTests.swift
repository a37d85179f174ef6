import DubCore
import DubTestKit
import DubWorkers
import Foundation
import Testing

@Suite struct ModelCatalogueTests {
    private func read(_ text: String, in scratch: URL) throws -> ModelCatalogue {
        let url = scratch.appendingPathComponent("catalogue.json")
        try Data(text.utf8).write(to: url)
        return try ModelCatalogue.read(url.path)
    }

    @Test("reads what is there, and does not mind what is not")
    func lenient() async throws {
        try await withScratch { scratch in
            let catalogue = try read(
                """
                [{"name": "ear", "task": "transcribe", "also": ["detect_language"], "engine": "w", "default": true,
                  "languages": ["en"], "licence": "MIT", "size": 12, "purpose": "hears", "new": {"a": 1},
                  "source": {"kind": "pypi", "files": [{"path": "a/b", "size": 3, "sha256": "00"}, {"path": "c"}]}},
                 {"name": "bare", "task": "juggle", "installable": false, "notes": "One.", "reason": "Two.",
                  "pairs": [["en", "es"]], "size": null, "source": {"kind": "hub", "repository": "x/y"}}]
                """, in: scratch)
            let ear = try #require(catalogue["ear"])
            #expect(ear.tasks == [.transcribe, .detectLanguage])
            #expect(ear.isDefault && ear.isInstallable && !ear.isDraft)
            #expect(ear.size == 12 && ear.licence == "MIT" && ear.source == "pypi")
            #expect(ear.files == [.init(path: "a/b", size: 3, sha256: "00"), .init(path: "c")])
            let bare = try #require(catalogue["bare"])
            #expect(!bare.isDefault && !bare.isInstallable && bare.pairs == [["en", "es"]])
            #expect(bare.notes == "One. Two.")
            #expect(catalogue.models(for: .detectLanguage).map(\.name) == ["ear"])
        }
    }

    @Test("tells what of a model is on the disk")
    func states() async throws {
        try await withScratch { scratch in
            let catalogue = try read(
                """
                [{"name": "ear", "task": "transcribe",
                  "source": {"kind": "pypi", "files": [{"path": "a", "size": 3}, {"path": "b"}]}},
                 {"name": "hub", "task": "transcribe", "source": {"kind": "hub"}},
                 {"name": "apt", "task": "synthesize", "source": {"kind": "apt", "packages": ["x"]}}]
                """, in: scratch)
            let ear = try #require(catalogue["ear"])
            let hub = try #require(catalogue["hub"])
            func write(_ path: String, _ text: String) throws {
                let url = scratch.appendingPathComponent(path)
                try FileManager.default.createDirectory(
                    at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
                try Data(text.utf8).write(to: url)
            }
            #expect(ear.state(in: scratch.path) == .missing)
            try write("ear/a", "ab")
            #expect(ear.state(in: scratch.path) == .partial)
            try write("ear/b", "")
            #expect(ear.state(in: scratch.path) == .partial, "a has another size")
            try write("ear/a", "abc")
            #expect(ear.state(in: scratch.path) == .installed)
            #expect(hub.state(in: scratch.path) == .missing)
            try write("hub/x", "")
            #expect(hub.state(in: scratch.path) == .installed)
            #expect(catalogue["apt"]?.state(in: scratch.path) == .external)
        }
    }

    @Test("names every fault of a catalogue that is broken")
    func broken() async throws {
        try await withScratch { scratch in
            let error = await failure {
                _ = try read(
                    #"[{"name": "a"}, {"task": "b"}, {"name": "c", "task": "d"}, {"name": "c", "task": "d"}]"#,
                    in: scratch)
            }
            #expect(error?.code == .catalogueMalformed)
            for part in ["model 1 (a)", "model 2 (?)", "c is there twice"] {
                #expect(error?.what.contains(part) == true)
            }
            for text in ["", "{}", "7", "[7]"] {
                let error = await failure { _ = try read(text, in: scratch) }
                #expect(error?.code == .catalogueMalformed, "\(text)")
            }
            #expect(
                await failure { _ = try ModelCatalogue.read("/nowhere.json") }?.code == .catalogueMalformed)
        }
    }
}
