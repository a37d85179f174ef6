public import DubCore
public import DubRunner
public import Foundation

/// An item of a run, made into what is to be published of it. Decides, and does nothing.
public struct PublicationDraft: Sendable {
    /// The run's name.
    public var run: String
    /// The item, as it ended.
    public var item: ItemRecord
    /// What was dubbed.
    public var source: PublicationManifest.Source
    /// The models that took part.
    public var engines: [EngineRecord]
    /// Which dubmill this is.
    public var version: String
    /// Where, and for how long.
    public var order: PublishOrder
    /// Whether what the gate refused is published too.
    public var isForced: Bool

    /// Describes what is asked for.
    public init(
        run: String, item: ItemRecord, source: PublicationManifest.Source, engines: [EngineRecord], version: String,
        order: PublishOrder, isForced: Bool
    ) {
        self.run = run
        self.item = item
        self.source = source
        self.engines = engines
        self.version = version
        self.order = order
        self.isForced = isForced
    }

    /// What comes of it.
    public struct Result: Sendable {
        /// What is to be published.
        public var publication: Publication
        /// Languages that are left out, since the gate refused them; "" where there is none.
        public var refused: [String]
    }

    /// What of a verdict counts here.
    private struct Measured: Decodable {
        var verdict: String
        var engines: [String: Int]?
    }

    /// Who speaks is the business of who dubs.
    private static let kept: Set = ["cast", "quarantined-cast", "quarantined-reason"]
    private static let quarantined = "quarantined-"

    /// Decides what is published, and under which names.
    ///
    /// - Parameters:
    ///   - now: when it is intended.
    ///   - locate: where the bytes of an output can be read, and how many they are; `nil` where they are gone.
    ///   - read: the bytes of a small output.
    /// - Throws: `publication.refused`, `publication.unfinished`, `publication.changed`; `object.address`.
    public func make(
        now: Date, locate: (OutputRecord) -> (path: String, size: Int64)?, read: (OutputRecord) -> Data?
    ) throws -> Result {
        let address = try DestinationAddress(order.to)
        try checkEnd()
        let dubs = try measured(read)
        let refused = Set(dubs.filter { $0.verdict == "fail" }.map { $0.language ?? "" })
        var outputs = item.outputs.filter { !Self.kept.contains($0.kind) && !$0.kind.hasPrefix(Self.quarantined) }
        var published = dubs
        if isForced {
            outputs += try forced(refused)
        } else {
            outputs.removeAll { refused.contains($0.language ?? "") }
            published.removeAll { refused.contains($0.language ?? "") }
        }
        guard !outputs.isEmpty else { throw nothing(refused) }
        let folder = address.prefix + Self.folder(source)
        let files = Self.once(try outputs.map { try file($0, in: folder, locate) })
        let isForced = published.contains(where: \.forced)
        let id = Self.id(address, source, files, isForced)
        let expires = order.retainDays.map { Self.day(now.addingTimeInterval(Double($0) * 86_400)) }
        let worst = ["fail", "review", "pass"].first { grade in published.contains { $0.verdict == grade } }
        let manifest = PublicationManifest(
            publication: id, published: now, expires: expires, dubmill: version, run: run, item: item.index,
            source: source, verdict: worst, forced: isForced, dubs: published, engines: engines,
            files: files.map(PublicationManifest.File.init))
        var order = order
        order.to = address.text
        let publication = Publication(
            id: id, run: run, item: item.index, source: item.source, order: order,
            folder: address.bucket.map { "s3://\($0)/\(folder)" } ?? "\(address.text)/\(folder)", files: files,
            manifestKey: "\(folder)/\(id)/\(PublicationManifest.name)", manifest: try manifest.text, expires: expires,
            verdict: worst, isForced: isForced, begun: now)
        return Result(publication: publication, refused: self.isForced ? [] : refused.sorted())
    }

    // MARK: - What is published

    /// - Throws: `publication.unfinished` for an item that failed otherwise than by its verdict, or did not end.
    private func checkEnd() throws(DubError) {
        if item.status == "passed" || item.status == "review" { return }
        if item.status == "failed", item.error?.code == "verdict.fail" { return }
        let why = item.error.map { " (\($0.code))" } ?? ""
        throw DubError(
            .publicationUnfinished, "The item is \(item.status)\(why), and what there is of it is not published.",
            at: item.source, fix: "dubmill retry \(run), and publish the run that comes of it.")
    }

    private func measured(_ read: (OutputRecord) -> Data?) throws(DubError) -> [PublicationManifest.Dub] {
        var dubs: [PublicationManifest.Dub] = []
        for output in item.outputs where output.kind == "verdict" {
            guard let data = read(output), let measured = try? JSONDecoder().decode(Measured.self, from: data) else {
                throw gone(output, "The verdict")
            }
            dubs.append(
                .init(
                    language: output.language, verdict: measured.verdict, forced: measured.verdict == "fail",
                    lines: measured.engines ?? [:]))
        }
        return dubs.sorted { ($0.language ?? "") < ($1.language ?? "") }
    }

    /// What was refused, and kept apart.
    private func forced(_ refused: Set<String>) throws(DubError) -> [OutputRecord] {
        var outputs: [OutputRecord] = []
        for output in item.outputs where output.kind.hasPrefix(Self.quarantined) && !Self.kept.contains(output.kind) {
            var output = output
            output.kind = String(output.kind.dropFirst(Self.quarantined.count))
            outputs.append(output)
        }
        let kept = Set(outputs.map { $0.language ?? "" })
        if let lost = refused.subtracting(kept).min() {
            throw DubError(
                .publicationRefused,
                "The gate refused this dub\(lost.isEmpty ? "" : " (\(lost))"), and it was not kept anywhere.",
                at: item.source, fix: "Run again with --quarantine DIR, which costs nothing, and publish that run.")
        }
        return outputs
    }

    private func nothing(_ refused: Set<String>) -> DubError {
        guard !refused.isEmpty else {
            return DubError(
                .publicationUnfinished, "The run made no files of this item.", at: item.source,
                fix: "See dubmill status \(run).")
        }
        return DubError(
            .publicationRefused, "The gate refused this item\(item.error.map { ": \($0.message)" } ?? ".")",
            at: item.source,
            fix: "Mend what the verdict tells and run again, or publish it all the same with --force.")
    }

    private func file(
        _ output: OutputRecord, in folder: String, _ locate: (OutputRecord) -> (path: String, size: Int64)?
    ) throws(DubError) -> Publication.File {
        guard let place = locate(output) else { throw gone(output, "The output") }
        let name = Self.tidy((output.path as NSString).lastPathComponent)
        return Publication.File(
            kind: output.kind, language: output.language, key: "\(folder)/\(output.sha256.hex.prefix(16))/\(name)",
            path: place.path, size: place.size, sha256: output.sha256,
            type: MediaType.of((name as NSString).pathExtension))
    }

    /// Each file once, though it lies in two places, in the order of their keys.
    private static func once(_ files: [Publication.File]) -> [Publication.File] {
        var known: Set<[String]> = []
        return files.filter { known.insert([$0.key, $0.kind, $0.language ?? ""]).inserted }
            .sorted { ($0.key, $0.kind, $0.language ?? "") < ($1.key, $1.kind, $1.language ?? "") }
    }

    private func gone(_ output: OutputRecord, _ what: String) -> DubError {
        DubError(
            .publicationChanged, "\(what) is not there any more, or is not what the run made.", at: output.path,
            fix: "Give the same `dubmill run` again: what is missing is made anew.")
    }

    // MARK: - Names

    /// `film-3f2a9c01d4e5`: for people its name, and for films of one name what tells them apart.
    static func folder(_ source: PublicationManifest.Source) -> String {
        "\(tidy((source.name as NSString).deletingPathExtension))-\(source.sha256.short)"
    }

    /// A name without what would make folders or break lines, of 200 bytes at most.
    private static func tidy(_ name: String) -> String {
        var tidy = ""
        for character in name {
            let isFine =
                character != "/" && character.unicodeScalars.allSatisfy { $0.properties.generalCategory != .control }
            let next = isFine ? String(character) : "_"
            if tidy.utf8.count + next.utf8.count > 200 { break }
            tidy += next
        }
        return tidy.isEmpty || tidy.allSatisfy { $0 == "." } ? "_" : tidy
    }

    /// Equal for equal content at an equal place, whichever run made it.
    private static func id(
        _ address: DestinationAddress, _ source: PublicationManifest.Source, _ files: [Publication.File],
        _ isForced: Bool
    ) -> String {
        let content = JSONValue.object([
            "to": .string(address.text), "source": .string(source.sha256.hex), "forced": .bool(isForced),
            "files": .array(
                files.map { file in
                    [
                        "kind": .string(file.kind), "language": file.language.map { .string($0) } ?? .null,
                        "key": .string(file.key), "sha256": .string(file.sha256.hex),
                    ]
                }),
        ])
        return String(Digest.of(content.canonical).hex.prefix(16))
    }

    /// `2026-12-31`, in UTC.
    static func day(_ date: Date) -> String { String(date.formatted(.iso8601).prefix(10)) }
}
