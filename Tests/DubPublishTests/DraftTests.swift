import DubCore
import DubRunner
import DubTestKit
import Foundation
import Testing

@testable import DubPublish

@Suite struct DraftTests {
    @Test("names come of the content and the place, not of the run or the time")
    func names() async throws {
        try await withScratch { scratch in
            let made = try Made(in: scratch)
            let first = try made.draft(to: "s3://films/dubbed/").publication
            let second = try made.draft(to: "s3://films/dubbed", run: "r-2", at: Date()).publication
            #expect(first.id == second.id && first.files == second.files)
            #expect(first.folder == "s3://films/dubbed/a film-\(Digest.of("a film").short)")
            let video = try #require(first.files.first { $0.kind == "video" })
            let digest = Digest.of("picture in es").hex.prefix(16)
            #expect(video.key == "dubbed/a film-\(Digest.of("a film").short)/\(digest)/a film.es.mp4")
            #expect(video.type == "video/mp4" && video.size == 13)
            #expect(first.manifestKey == "dubbed/a film-\(Digest.of("a film").short)/\(first.id)/manifest.json")
            #expect(try made.draft(to: "s3://films").publication.id != first.id)
            #expect(try made.draft(to: "s3://films/dubbed", retain: 3).publication.id == first.id)
            var other = made
            try other.add("subtitles", "es", "vtt", "more")
            #expect(try other.draft(to: "s3://films/dubbed").publication.id != first.id)
        }
    }

    @Test("the manifest holds every file, what was dubbed, by which engines, and the verdict")
    func manifest() async throws {
        try await withScratch { scratch in
            let made = try Made(in: scratch, languages: ["es": "pass", "fr": "review"])
            let publication = try made.draft(to: "/archive", retain: 30).publication
            let text = try JSONValue.parse(Data(publication.manifest.utf8))
            #expect(text["version"] == 1 && text["verdict"] == "review" && text["forced"] == false)
            #expect(text["expires"] == "2027-02-14" && text["published"] == "2027-01-15T08:00:00Z")
            #expect(text["run"] == "r-1" && text["item"] == 0 && text["dubmill"] == "0.0.0")
            #expect(text["source"]?["sha256"] == .string(Digest.of("a film").hex))
            #expect(text["engines"]?.array?.first?["name"] == "stub")
            #expect(text["dubs"]?.array?.map { $0["language"] } == ["es", "fr"])
            #expect(text["dubs"]?.array?.first?["lines"] == ["stub": 2])
            let files = try #require(text["files"]?.array)
            #expect(files.count == 6 && files.allSatisfy { $0["sha256"]?.string?.count == 64 && $0["key"] != nil })
            let read = try PublicationManifest(Data(publication.manifest.utf8))
            #expect(try read.text == publication.manifest)
        }
    }

    @Test("a language that the gate refused is left out; all of them refused is an error that says what to do")
    func refused() async throws {
        try await withScratch { scratch in
            let made = try Made(in: scratch, languages: ["es": "pass", "fr": "fail"])
            let result = try made.draft(to: "/archive")
            #expect(result.refused == ["fr"])
            #expect(result.publication.files.allSatisfy { $0.language == "es" })
            #expect(result.publication.verdict == "pass" && !result.publication.isForced)
            let none = try Made(in: scratch, languages: ["fr": "fail"])
            let error = await failure { _ = try none.draft(to: "/archive") }
            #expect(
                error?.code == .publicationRefused && error?.fix.contains("--force") == true,
                "\(String(describing: error))")
        }
    }

    @Test("with force it is published under a name of its own, and the manifest says so")
    func forced() async throws {
        try await withScratch { scratch in
            let made = try Made(in: scratch, languages: ["es": "pass", "fr": "fail"])
            let publication = try made.draft(to: "/archive", force: true).publication
            #expect(publication.isForced && publication.verdict == "fail")
            #expect(publication.files.contains { $0.kind == "video" && $0.language == "fr" })
            let manifest = try PublicationManifest(Data(publication.manifest.utf8))
            #expect(manifest.forced && manifest.dubs.map(\.forced) == [false, true])
            #expect(try made.draft(to: "/archive").publication.id != publication.id)
            var lost = made
            lost.item.outputs.removeAll { $0.kind.hasPrefix("quarantined") }
            let error = await failure { _ = try lost.draft(to: "/archive", force: true) }
            #expect(error?.code == .publicationRefused && error?.fix.contains("--quarantine") == true)
        }
    }

    @Test("what did not end, failed otherwise or has lost its files is not published")
    func unfinished() async throws {
        try await withScratch { scratch in
            var made = try Made(in: scratch)
            for status in ["running", "waiting", "cancelled", "failed"] {
                made.item.status = status
                #expect(await failure { _ = try made.draft(to: "/a", force: true) }?.code == .publicationUnfinished)
            }
            made.item.status = "passed"
            try FileManager.default.removeItem(atPath: made.item.outputs[0].path)
            #expect(await failure { _ = try made.draft(to: "/a") }?.code == .publicationChanged)
            made.item.outputs = []
            #expect(await failure { _ = try made.draft(to: "/a") }?.code == .publicationUnfinished)
        }
    }

    @Test(
        "a place is a bucket with a prefix, or an absolute path",
        arguments: [
            ("s3://films", "s3://films", ""), ("s3://films//a//b/", "s3://films/a/b", "a/b/"), ("/x/../y/", "/y", ""),
        ])
    func places(text: String, said: String, prefix: String) throws {
        let address = try DestinationAddress(text)
        #expect(address.text == said && address.prefix == prefix)
    }

    @Test(
        "what is none is refused, and no query of it is told",
        arguments: ["films", "s3://", "s3://a", "s3://films/../x", "https://h/x?sig=hush", "s3://films/x?sig=hush"])
    func noPlaces(text: String) async {
        let error = await failure { _ = try DestinationAddress(text) }
        #expect(error?.code.name == "object.address")
        #expect(error.map { !"\($0)".contains("hush") } == true)
    }
}
