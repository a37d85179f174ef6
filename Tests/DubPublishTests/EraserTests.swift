import DubCore
import DubLedger
import DubRunner
import DubTestKit
import Foundation
import Testing

@testable import DubPublish

@Suite struct EraserTests {
    /// A publication in Spanish, and one in Spanish and French that shares the Spanish files.
    private func two(_ made: Made, _ folder: FolderDestination, _ place: String) async throws -> [Publication] {
        var both = made
        try both.add("video", "fr", "mp4", "picture in fr")
        var publications: [Publication] = []
        for one in [made, both] {
            let publication = try await made.ledger.intend(one.draft(to: place).publication)
            try await made.publisher(folder).publish(publication)
            publications.append(publication)
        }
        return publications
    }

    @Test("what another publication names stays, by the ledger or by its manifest alone; then the rest goes")
    func shared() async throws {
        for isKnown in [true, false] {
            try await withScratch { scratch in
                let place = scratch.appendingPathComponent("archive").path
                let folder = FolderDestination(place)
                let both = try await two(try Made(in: scratch), folder, place)
                let eraser = Eraser(folder)
                let plan = try await eraser.plan(both[1], others: isKnown ? both : [])
                #expect(plan.removed.first?.key == both[1].manifestKey, "the manifest goes first")
                #expect(plan.removed.dropFirst().map(\.key) == both[1].files.filter { $0.language == "fr" }.map(\.key))
                #expect(plan.spared.map(\.key) == both[0].files.map(\.key))
                let removed = try await eraser.carryOut(plan)
                #expect(removed.map(\.versions) == [1, 1])
                #expect(try await faults(of: both[0], at: folder) == [])
                // Again, as after a kill: what is gone is no error.
                #expect(try await eraser.carryOut(plan).map(\.versions) == [0, 0])
                let rest = try await eraser.plan(both[0], others: [])
                #expect(rest.spared.isEmpty)
                _ = try await eraser.carryOut(rest)
                #expect(try await folder.keys(under: "").isEmpty)
                #expect(try FileManager.default.contentsOfDirectory(atPath: place) == [])
            }
        }
    }

    @Test("a manifest that cannot be read stops it before anything goes")
    func unread() async throws {
        try await withScratch { scratch in
            let place = scratch.appendingPathComponent("archive").path
            let folder = FolderDestination(place)
            let both = try await two(try Made(in: scratch), folder, place)
            try Data("{}".utf8).write(to: URL(fileURLWithPath: folder.address(of: both[0].manifestKey)))
            let error = await failure { _ = try await Eraser(folder).plan(both[1], others: []) }
            #expect(error?.code == .publicationConflict)
            #expect(try await faults(of: both[1], at: folder).count == 1, "only that the other lies beside it")
        }
    }
}
