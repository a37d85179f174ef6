internal import DubCore
internal import DubRunner
internal import Foundation

/// What `run --format json` prints: an interface, kept stable.
struct RunReport: Encodable {
    /// The run's name; `nil` where nothing was begun.
    var run: String?
    var items: [Item]
    /// How publishing went that is not done, as an exit code.
    private var publishing: Int32 = Exit.passed

    init(run: String?, items: [Item], published: [Int: PublishWork.Ending] = [:]) {
        self.run = run
        self.items = items
        for index in items.indices {
            self.items[index].publication = published[items[index].index].map { PublicationView($0.publication) }
        }
        publishing = PublishWork.exitCode(of: Array(published.values))
    }

    /// One media file.
    struct Item: Encodable {
        var source: String
        var status: String
        var outputs: [OutputRecord]
        var nodes: NodeCount
        var seconds: Seconds
        var error: ErrorRecord?
        /// What was published of it; `nil` where nothing was to be.
        var publication: PublicationView?
        fileprivate var index: Int

        /// What it cost, and how long the item is.
        struct Seconds: Encodable {
            var wall: Double
            var media: Double
        }

        init(_ record: ItemRecord) {
            source = record.source
            status = record.status
            outputs = record.outputs
            nodes = record.nodes
            seconds = Seconds(wall: record.wallSeconds, media: record.mediaSeconds)
            error = record.error
            index = record.index
        }

        private enum CodingKeys: String, CodingKey {
            case source, status, outputs, nodes, seconds, error, publication
        }

        /// As declared, with an explicit null where there is no error.
        func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(source, forKey: .source)
            try container.encode(status, forKey: .status)
            try container.encode(outputs, forKey: .outputs)
            try container.encode(nodes, forKey: .nodes)
            try container.encode(seconds, forKey: .seconds)
            try container.encode(error, forKey: .error)
            try container.encodeIfPresent(publication, forKey: .publication)
        }
    }

    private enum CodingKeys: String, CodingKey { case run, items }

    /// As declared, with an explicit null where nothing was begun.
    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(run, forKey: .run)
        try container.encode(items, forKey: .items)
    }

    /// 130 interrupted, 1 something failed, 75 something is not published yet, 3 something to review, 0.
    var exitCode: Int32 {
        let all = Set(items.map(\.status))
        if all.contains("cancelled") { return Exit.interrupted }
        if all.contains("failed") { return Exit.failed }
        if publishing != Exit.passed { return publishing }
        return all.contains("review") ? Exit.review : Exit.passed
    }

    /// For people: a line an item, and below it where things lie or what went wrong.
    var table: String {
        items.map { item in
            let name = Console.printable((item.source as NSString).lastPathComponent)
            let speed = item.seconds.wall > 0 ? item.seconds.media / item.seconds.wall : 0
            var lines = [
                "\(item.status.padding(toLength: 9, withPad: " ", startingAt: 0)) \(name)"
                    + "  \(item.nodes.run) run, \(item.nodes.cached) cached, \(Console.time(item.seconds.wall))"
                    + (item.nodes.run > 0 && speed > 0 ? String(format: " (%.1f× real time)", speed) : "")
            ]
            let width = item.outputs.map(\.kind.count).max() ?? 0
            lines += item.outputs.map {
                "          \($0.kind.padding(toLength: width, withPad: " ", startingAt: 0)) \(Console.printable($0.path))"
            }
            if let publication = item.publication { lines += publication.lines.map { "          \($0)" } }
            if let error = item.error {
                lines += [
                    "          error[\(error.code)]: \(Console.printable(lines: error.message, indent: 12))",
                    "          where: \(Console.printable(error.where))",
                    "          fix:   \(Console.printable(error.fix))",
                ]
            }
            return lines.joined(separator: "\n")
        }.joined(separator: "\n")
    }
}
