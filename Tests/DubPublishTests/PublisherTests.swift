import DubCore
import DubLedger
import DubRunner
import DubTestKit
import Foundation
import Testing

@testable import DubPublish

@Suite struct PublisherTests {
    private func with(_ body: (Made, FolderDestination, String) async throws -> Void) async throws {
        try await withScratch { scratch in
            let place = scratch.appendingPathComponent("archive").path
            try await body(try Made(in: scratch), FolderDestination(place), place)
        }
    }

    @Test("files, then the manifest; again, nothing is sent; what was lost is sent alone")
    func repeats() async throws {
        try await with { made, folder, place in
            let publication = try await made.ledger.intend(made.draft(to: place).publication)
            #expect(try await made.publisher(folder).publish(publication) == .init(sent: 4, found: 0))
            #expect(try await faults(of: publication, at: folder) == [])
            #expect(try await made.written(publication)?.state == .done)
            // Another run that came to the same.
            let again = try await made.ledger.intend(made.draft(to: place, run: "r-2", at: Date()).publication)
            #expect(again.manifest == publication.manifest && again.run == "r-1")
            #expect(try await made.publisher(folder).publish(again) == .init(sent: 0, found: 4))
            try FileManager.default.removeItem(atPath: folder.address(of: publication.files[1].key))
            let third = try await made.ledger.intend(made.draft(to: place).publication)
            #expect(try await made.publisher(folder).publish(third) == .init(sent: 1, found: 3))
            #expect(try await faults(of: publication, at: folder) == [])
            #expect(try await made.ledger.publications().count == 1)
        }
    }

    @Test("what has a file's name and is another is left alone: no manifest, and the intention stays")
    func conflict() async throws {
        try await with { made, folder, place in
            let publication = try await made.ledger.intend(made.draft(to: place).publication)
            let key = publication.files[0].key
            let path = folder.address(of: key)
            try FileManager.default.createDirectory(
                atPath: (path as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
            try Data("else".utf8).write(to: URL(fileURLWithPath: path))
            let error = await failure { try await made.publisher(folder).publish(publication) }
            #expect(error?.code == .publicationConflict)
            #expect(try await folder.look(at: publication.manifestKey) == nil)
            let written = try #require(try await made.written(publication))
            #expect(written.state == .pending && written.error?.code == "publication.conflict" && written.attempts == 1)
            #expect(try String(contentsOfFile: path, encoding: .utf8) == "else")
        }
    }

    @Test("a file that was changed since is taken from the store, or not published at all")
    func changed() async throws {
        try await with { made, folder, place in
            let publication = try await made.ledger.intend(made.draft(to: place).publication)
            let file = try #require(publication.files.first { $0.kind == "subtitles" })
            let kept = made.folder.appendingPathComponent("kept").path
            try FileManager.default.moveItem(atPath: file.path, toPath: kept)
            try Data("edited".utf8).write(to: URL(fileURLWithPath: file.path))
            let error = await failure { try await made.publisher(folder).publish(publication) }
            #expect(error?.code == .publicationChanged && error?.place == file.path)
            #expect(try await folder.look(at: publication.manifestKey) == nil)
            try await made.publisher(folder, fallback: kept).publish(publication)
            #expect(try await faults(of: publication, at: folder) == [])
        }
    }

    @Test("an item's folder is one publisher's at a time, and a dead one's is free")
    func held() async throws {
        try await with { made, folder, place in
            let publication = try await made.ledger.intend(made.draft(to: place).publication)
            do {
                let other = try SQLiteLedger(path: made.folder.appendingPathComponent("ledger.sqlite").path)
                #expect(try await other.hold(publication.id, in: [.pending]))
                let error = await failure { try await made.publisher(folder).publish(publication) }
                #expect(error?.code == .publicationBusy && error?.persistence == .transient)
                // What somebody is at is not renewed under their hands.
                let again = try await made.ledger.intend(made.draft(to: place, retain: 9).publication)
                #expect(again.expires == nil)
            }
            try await made.publisher(folder).publish(publication)
            #expect(try await made.written(publication)?.state == .done)
        }
    }

    @Test("what was to be kept for another time is marked anew")
    func renewed() async throws {
        try await with { made, _, place in
            let first = try await made.ledger.intend(made.draft(to: place, retain: 2).publication)
            let second = try await made.ledger.intend(made.draft(to: place, retain: 9).publication)
            #expect(first.id == second.id && second.expires != first.expires)
            #expect(try PublicationManifest(Data(second.manifest.utf8)).expires == second.expires)
            let erased = try await made.ledger.hold(first.id, in: [.pending])
            #expect(erased)
            try await made.ledger.settle(first.id, as: .erased, error: nil)
            #expect(try await made.ledger.openPublications().isEmpty)
            // Who looked it up before publishes nothing of it any more.
            #expect(try await made.ledger.hold(first.id, in: [.pending, .done]) == false)
            let third = try await made.ledger.intend(made.draft(to: place, run: "r-3", retain: 9).publication)
            #expect(third.run == "r-3" && third.state == .pending)
        }
    }
}
