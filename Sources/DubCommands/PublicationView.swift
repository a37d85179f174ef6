internal import DubCore
internal import DubPublish
internal import DubRunner
internal import Foundation

/// A publication as `publish`, `publications` and `run` print it: an interface, kept stable.
struct PublicationView: Encodable {
    var id: String
    /// `pending`, `done`, `erasing` or `erased`.
    var state: String
    var run: String
    var item: Int
    var source: String
    var to: String
    /// The address of the manifest: there once the state is `done`.
    var manifest: String
    var files: Int
    /// All files, the manifest aside.
    var bytes: Int64
    var verdict: String?
    var forced: Bool
    var expires: String?
    var attempts: Int
    var begun: Date
    var changed: Date
    var error: ErrorRecord?

    init(_ publication: Publication) {
        id = publication.id
        state = publication.state.rawValue
        run = publication.run
        item = publication.item
        source = publication.source
        to = publication.order.to
        let bucket = (try? DestinationAddress(publication.order.to))?.bucket
        manifest = (bucket.map { "s3://\($0)/" } ?? publication.order.to + "/") + publication.manifestKey
        files = publication.files.count
        bytes = publication.files.reduce(0) { $0 + $1.size }
        verdict = publication.verdict
        forced = publication.isForced
        expires = publication.expires
        attempts = publication.attempts
        begun = publication.begun
        changed = publication.changed
        error = publication.error
    }

    private enum CodingKeys: String, CodingKey {
        case id, state, run, item, source, to, manifest, files, bytes, verdict, forced, expires, attempts, begun
        case changed, error
    }

    /// As declared, with an explicit null for what is not there.
    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(id, forKey: .id)
        try container.encode(state, forKey: .state)
        try container.encode(run, forKey: .run)
        try container.encode(item, forKey: .item)
        try container.encode(source, forKey: .source)
        try container.encode(to, forKey: .to)
        try container.encode(manifest, forKey: .manifest)
        try container.encode(files, forKey: .files)
        try container.encode(bytes, forKey: .bytes)
        try container.encode(verdict, forKey: .verdict)
        try container.encode(forced, forKey: .forced)
        try container.encode(expires, forKey: .expires)
        try container.encode(attempts, forKey: .attempts)
        try container.encode(begun, forKey: .begun)
        try container.encode(changed, forKey: .changed)
        try container.encode(error, forKey: .error)
    }

    /// For people.
    var lines: [String] {
        let what =
            "\(files) files, \(ByteCount.text(bytes))"
            + (forced ? ", against its verdict" : "") + (expires.map { ", until \($0)" } ?? "")
        var lines = ["\(state) \(id)  \(what)", "  \(Console.printable(manifest))"]
        if state != "done", let error {
            lines += [
                "  error[\(error.code)]: \(Console.printable(error.message))",
                "  where: \(Console.printable(error.where))", "  fix:   \(Console.printable(error.fix))",
            ]
        }
        return lines
    }
}
