import DubCore
import DubLedger
import DubPublish
import DubRunner
import DubTestKit
import Foundation

/// An item that a run has made, its files in a folder, with a ledger beside them.
struct Made {
    let folder: URL
    let ledger: SQLiteLedger
    var item: ItemRecord

    init(in folder: URL, languages: [String: String] = ["es": "pass"]) throws {
        self.folder = folder
        ledger = try SQLiteLedger(path: folder.appendingPathComponent("ledger.sqlite").path)
        item = ItemRecord(index: 0, source: "/films/a film.mp4", status: "passed")
        item.sha256 = Digest.of("a film")
        for (language, verdict) in languages.sorted(by: { $0.key < $1.key }) {
            let isRefused = verdict == "fail"
            if isRefused {
                item.status = "failed"
                item.error = ErrorRecord(DubError(.init(name: "verdict.fail"), "It hums.", at: "a", fix: "b"))
            }
            try add(isRefused ? "quarantined-video" : "video", language, "mp4", "picture in \(language)")
            if !isRefused { try add("subtitles", language, "srt", "words in \(language)") }
            try add("verdict", language, "verdict.json", #"{"verdict": "\#(verdict)", "engines": {"stub": 2}}"#)
        }
    }

    mutating func add(_ kind: String, _ language: String?, _ suffix: String, _ content: String) throws {
        let path = folder.appendingPathComponent(
            ["a film", language, suffix].compactMap(\.self).joined(separator: ".")
        ).path
        try Data(content.utf8).write(to: URL(fileURLWithPath: path))
        item.outputs.append(OutputRecord(kind: kind, language: language, path: path, sha256: .of(content)))
    }

    func draft(
        to place: String, run: String = "r-1", retain: Int? = nil, force: Bool = false,
        at now: Date = Date(timeIntervalSince1970: 1_800_000_000)
    ) throws -> PublicationDraft.Result {
        try PublicationDraft(
            run: run, item: item, source: .init(name: "a film.mp4", sha256: item.sha256 ?? .of(""), size: 6),
            engines: [EngineRecord(stage: "transcribe", name: "stub", digest: "d")], version: "0.0.0",
            order: PublishOrder(to: place, retainDays: retain), isForced: force
        ).make(
            now: now, locate: { output in FileIdentity(path: output.path).map { (output.path, $0.size) } },
            read: { FileManager.default.contents(atPath: $0.path) })
    }

    func publisher(_ destination: any Destination, fallback: String? = nil) -> Publisher {
        Publisher(outbox: ledger, destination: destination) { _ in fallback }
    }

    /// What is written of a publication.
    func written(_ publication: Publication) async throws -> Publication? {
        try await ledger.publication(named: publication.id)
    }
}

/// That what a manifest names is there, and nothing else.
///
/// - Returns: what is wrong.
func faults(of publication: Publication, at destination: any Destination, in prefix: String = "") async throws
    -> [String]
{
    var faults: [String] = []
    let keys = try await destination.keys(under: prefix)
    guard keys.contains(publication.manifestKey) else { return ["there is no manifest among \(keys)"] }
    let manifest = try PublicationManifest(try await destination.read(publication.manifestKey))
    for file in manifest.files {
        let there = try await destination.look(at: file.key)
        if there?.sha256 != file.sha256 || there?.size != file.size {
            faults.append("\(file.key) is \(String(describing: there))")
        }
    }
    let named = Set(manifest.files.map(\.key) + [publication.manifestKey])
    if Set(keys) != named { faults.append("there are \(keys), and named are \(named.sorted())") }
    return faults
}
