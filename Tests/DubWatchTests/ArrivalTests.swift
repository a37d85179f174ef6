import DubCore
import DubWatch
import Foundation
import Testing

@Suite struct ArrivalDecisions {
    private static let start = Date(timeIntervalSince1970: 1_800_000_000)

    private func entry(
        _ path: String, size: Int64 = 10, modified: Int64 = 1, changedAgo: TimeInterval = 0, inode: UInt64 = 1
    ) -> FolderSnapshot.Entry {
        FolderSnapshot.Entry(
            path: path, inode: inode, size: size, modified: modified,
            changed: Int64((Self.start.timeIntervalSince1970 - changedAgo) * 1e9), isOpen: nil)
    }

    private func look(
        _ arrivals: inout Arrivals, _ entries: [FolderSnapshot.Entry], after: TimeInterval = 0,
        needsMarker: Bool = false, open: Bool? = nil
    ) -> Arrivals.Look {
        arrivals.look(
            at: FolderSnapshot(entries: entries), now: Self.start.addingTimeInterval(after),
            rule: .init(settle: 10, needsMarker: needsMarker), wants: WatchedFolder(folder: "/in").wants,
            isOpen: { _ in open })
    }

    @Test("a file is whole once it has stayed as it is, and the look says when to look again")
    func settles() {
        var arrivals = Arrivals()
        #expect(look(&arrivals, [entry("a.mp4")]).whole.isEmpty)
        #expect(look(&arrivals, [entry("a.mp4")], after: 6).nextIn == 4)
        #expect(look(&arrivals, [entry("a.mp4", size: 11)], after: 12).whole.isEmpty)
        #expect(look(&arrivals, [entry("a.mp4", size: 11, inode: 2)], after: 22).whole.isEmpty)
        #expect(look(&arrivals, [entry("a.mp4", size: 11, inode: 2)], after: 32).whole.map(\.stem) == ["a"])
    }

    @Test("one that nobody writes is judged by its time of change, so that what arrived before need not wait")
    func earlier() {
        var arrivals = Arrivals()
        #expect(look(&arrivals, [entry("a.mp4", changedAgo: 60)], open: nil).whole.isEmpty)
        #expect(look(&arrivals, [entry("b.mp4", changedAgo: 60)], open: false).whole.count == 1)
        #expect(look(&arrivals, [entry("c.mp4", changedAgo: 4)], open: false).nextIn == 6)
    }

    @Test("one that is open for writing is not taken however long it stays")
    func open() {
        var arrivals = Arrivals()
        #expect(look(&arrivals, [entry("a.mp4")], open: true).whole.isEmpty)
        let later = look(&arrivals, [entry("a.mp4")], after: 1000, open: true)
        #expect(later.whole.isEmpty && later.nextIn == 10)
    }

    @Test("a marker is enough at once, by name or stem, and needed where asked", arguments: ["a.mp4.ready", "a.ready"])
    func marker(name: String) {
        var arrivals = Arrivals()
        let found = look(&arrivals, [entry("a.mp4"), entry(name, size: 0)], needsMarker: true, open: true)
        #expect(found.whole.first?.marker == name)
        #expect(look(&arrivals, [entry("b.mp4")], after: 1000, needsMarker: true, open: false).whole.isEmpty)
    }

    @Test(
        "hidden files, empty ones, those with names for the meantime, and what is no media never are",
        arguments: [
            ".a.mp4", "x/.sync/a.mp4", "a.mp4.part", "a.mp4.tmp", "a.part", "a.mp4~", "a.txt", "a.srt", "a.crdownload",
        ])
    func never(name: String) {
        var arrivals = Arrivals()
        #expect(look(&arrivals, [entry(name)], after: 1000, open: false).whole.isEmpty)
    }

    @Test("an empty file is none")
    func empty() {
        var arrivals = Arrivals()
        #expect(look(&arrivals, [entry("a.mp4", size: 0)], after: 1000, open: false).whole.isEmpty)
    }

    @Test("scripts and casts beside a file go with it, and have to be whole too")
    func sidecars() throws {
        var arrivals = Arrivals()
        let all = [
            entry("s/film.mp4", changedAgo: 60), entry("s/film.es.srt", changedAgo: 60),
            entry("s/film.fr.script.json", changedAgo: 60), entry("s/film.fr.srt", changedAgo: 60),
            entry("s/film.cast.yaml", changedAgo: 60), entry("film.de.srt", changedAgo: 60),
            entry("s/film.notes.txt", changedAgo: 60), entry("s/film2.es.srt", changedAgo: 60),
        ]
        let whole = try #require(look(&arrivals, all, open: false).whole.first)
        #expect(
            whole.scripts.map { "\($0.key.tag) \($0.value.name)" }.sorted() == [
                "es film.es.srt", "fr film.fr.script.json",
            ])
        #expect(whole.cast?.path == "s/film.cast.yaml")
        #expect(whole.company == ["s/film.cast.yaml", "s/film.es.srt", "s/film.fr.script.json"])
        var fresh = all
        fresh[1] = entry("s/film.es.srt", size: 99, changedAgo: 2)
        #expect(look(&arrivals, fresh, open: false).whole.isEmpty)
    }

    @Test("two files of one stem get their extensions into the names of their outputs")
    func stems() {
        var arrivals = Arrivals()
        let found = look(
            &arrivals,
            [entry("a.mp4", changedAgo: 60), entry("a.mkv", changedAgo: 60), entry("b/a.mp4", changedAgo: 60)],
            open: false)
        #expect(found.whole.map(\.stem).sorted() == ["a", "a-mkv", "a-mp4"])
    }
}

/// The file system itself.
@Suite struct FolderLooks {
    @Test("a scan finds files however deep, and leaves out hidden folders, links to folders and those it is told")
    func scan() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(
            "scan-\(UInt32.random(in: 0 ... .max))")
        defer { try? FileManager.default.removeItem(at: folder) }
        for name in ["a.mp4", "s/1/b.mp4", ".hid/c.mp4", "done/d.mp4"] {
            let file = folder.appendingPathComponent(name)
            try FileManager.default.createDirectory(
                at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data("x".utf8).write(to: file)
        }
        try FileManager.default.createSymbolicLink(
            at: folder.appendingPathComponent("loop"), withDestinationURL: folder)
        let snapshot = try FolderSnapshot.of(folder.path, leavingOut: [folder.path + "/done"])
        #expect(snapshot.entries.map(\.path) == ["a.mp4", "s/1/b.mp4"])
        #expect(snapshot.folders.count == 3)
        #expect(throws: (any Error).self) { _ = try FolderSnapshot.of(folder.path + "/none") }
    }

    @Test("the kernel tells whether somebody writes to a file")
    func lease() throws {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent(
            "lease-\(UInt32.random(in: 0 ... .max))")
        defer { try? FileManager.default.removeItem(at: file) }
        try Data("x".utf8).write(to: file)
        #expect(FolderSnapshot.isOpen(file.path) == false)
        let writer = try FileHandle(forWritingTo: file)
        #expect(FolderSnapshot.isOpen(file.path) == true)
        try writer.close()
        #expect(FolderSnapshot.isOpen(file.path) == false)
    }

    @Test("inotify gives a hint for what is written or moved in")
    func hints() async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(
            "hint-\(UInt32.random(in: 0 ... .max))")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let events = try #require(FolderEvents())
        #expect(events.listen(to: folder.path))
        #expect(!events.listen(to: folder.path + "/none"))
        var hints = events.hints.makeAsyncIterator()
        try Data("x".utf8).write(to: folder.appendingPathComponent("a"))
        #expect(await hints.next() != nil)
    }
}
