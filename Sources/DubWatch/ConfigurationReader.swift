public import DubCore
public import DubGraph
internal import DubSchedule
internal import Foundation
internal import Yams

/// Reads what a daemon is told, from YAML, with every fault and its line.
public struct ConfigurationReader {
    let file: String
    let folder: String
    private(set) var faults: [Fault] = []

    /// - Parameter file: what it is called in faults; relative paths in it are relative to its folder.
    init(_ file: String) {
        self.file = file
        folder = (file as NSString).deletingLastPathComponent
    }

    /// Reads the `watch`, `timetables`, `http`, `notify` and `daemon` of a `dubmill.yaml`.
    ///
    /// - Parameters:
    ///   - file: its absolute path.
    ///   - others: what else may stand there, and is somebody else's to read.
    /// - Throws: `settings.invalid` with every fault.
    public static func daemon(
        _ text: String, file: String, others: [String]
    ) throws(DubError) -> DaemonConfiguration {
        var reader = Self(file)
        var configuration = DaemonConfiguration()
        if let root = reader.root(text) {
            let base = reader.base(root)
            configuration.base = base
            for (key, node) in reader.fields(root, ["watch", "timetables", "daemon", "http", "notify"] + others) {
                switch key {
                case "watch":
                    configuration.folders = reader.list(node).compactMap { reader.watched($0, base: base) }
                case "timetables":
                    configuration.timetables = reader.list(node).compactMap { reader.timetable($0, base: base) }
                case "daemon":
                    for (key, node) in reader.fields(node, ["items", "drain", "stuck"]) {
                        if key == "items", let number = reader.whole(node, 1...1000) { configuration.items = number }
                        if key == "drain", let time = reader.duration(node) { configuration.drain = time }
                        if key == "stuck", let time = reader.duration(node) { configuration.stuck = max(time, 0.1) }
                    }
                case "http": configuration.http = reader.service(node)
                case "notify":
                    configuration.notify = reader.list(node).compactMap { reader.notified($0) }
                default: continue
                }
            }
            reader.unlike(configuration.folders.map { ($0.folder, $0.line) }, "folder")
            reader.unlike(configuration.timetables.map { ($0.name, $0.line) }, "name")
        }
        try reader.end()
        return configuration
    }

    /// Reads the `.dubmill.yaml` of a watched folder.
    ///
    /// - Throws: `settings.invalid` with every fault.
    public static func folder(_ text: String, file: String) throws(DubError) -> WatchedFolder {
        var reader = Self(file)
        var watched = WatchedFolder(folder: reader.folder)
        watched.file = file
        if let root = reader.root(text) { reader.read(root, into: &watched, with: []) }
        try reader.end()
        return watched
    }

    /// What holds for all folders and timetables: settings that `run` reads too.
    private mutating func base(_ root: Node) -> FileOrder {
        var order = FileOrder()
        for (key, node) in root.mapping ?? [:] { take(key.string ?? "", node, into: &order) }
        (order.defaults, order.parameters) = (order.parameters, [:])
        return order
    }

    private mutating func watched(_ node: Node, base: FileOrder) -> WatchedFolder? {
        var watched = WatchedFolder(folder: "")
        (watched.file, watched.line) = (file, node.mark?.line ?? 0)
        read(node, into: &watched, with: ["folder"])
        guard !watched.folder.isEmpty else {
            if node.mapping != nil, node.mapping?["folder"] == nil {
                fault(node, "It names no folder.", "Write `folder: PATH`.")
            }
            return nil
        }
        watched.order = watched.order.over(base)
        if watched.isPrefix { checkPrefix(watched, node) }
        return watched
    }

    /// A folder, or a prefix of a bucket as it is written.
    private mutating func watchedPlace(_ node: Node) -> String? {
        guard let text = text(node), text.hasPrefix("s3://") else { return path(node) }
        return String(text.reversed().drop { $0 == "/" }.reversed())
    }

    /// What lies in a bucket stays where it is, and what is made of it cannot lie beside it.
    private mutating func checkPrefix(_ watched: WatchedFolder, _ node: Node) {
        if watched.after ?? .keep != .keep {
            fault(node, "Objects in a bucket are neither moved nor deleted.", "Leave `after` out, or write `keep`.")
        }
        if watched.order.out == nil, watched.order.publish == nil {
            fault(
                node, "It says not where what is made goes.", "Write `publish: s3://bucket/prefix`, or `out: FOLDER`.")
        }
    }

    private mutating func read(_ node: Node, into watched: inout WatchedFolder, with more: [String]) {
        let known = ["settle", "ready", "rescan", "after", "done", "quarantine", "files", "rules"]
        for (key, node) in fields(node, more + known + Self.orderKeys) {
            switch key {
            case "folder": watched.folder = watchedPlace(node) ?? ""
            case "settle": watched.settle = duration(node)
            case "ready": watched.needsMarker = choice(node, ["optional", "required"]).map { $0 == "required" }
            case "rescan":
                watched.rescan = duration(node)
                if let rescan = watched.rescan, rescan < 1 { fault(node, "That is too often.", "Give 1s or more.") }
            case "after":
                watched.after = choice(node, WatchedFolder.After.allCases.map(\.rawValue)).flatMap {
                    WatchedFolder.After(rawValue: $0)
                }
            case "done": watched.done = path(node)
            case "quarantine": watched.quarantine = path(node)
            case "files": watched.files = texts(node)
            case "rules":
                for rule in list(node) {
                    var read = WatchedFolder.Rule(pattern: "", order: FileOrder(), line: rule.mark?.line ?? 0)
                    for (key, value) in fields(rule, ["match"] + Self.orderKeys) {
                        if key == "match" {
                            read.pattern = text(value) ?? ""
                        } else {
                            take(key, value, into: &read.order)
                        }
                    }
                    if read.pattern.isEmpty, rule.mapping?["match"] == nil {
                        fault(rule, "The rule says not which files it is for.", "Write `match: \"*.trailer.*\"`.")
                    }
                    watched.rules.append(read)
                }
            default: take(key, node, into: &watched.order)
            }
        }
    }

    private mutating func timetable(_ node: Node, base: FileOrder) -> TimetableEntry? {
        var (name, source): (String?, TimetableEntry.Source?)
        var (cron, zone): (CronExpression?, TimeZone?)
        var order = FileOrder()
        var (jitter, missed, overlap) = (0.0, Timetable.Missed.once, Timetable.Overlap.skip)
        var isPaused = false
        let before = faults.count
        let known = ["name", "cron", "zone", "jitter", "missed", "overlap", "paused", "batch", "files"]
        for (key, node) in fields(node, known + Self.orderKeys) {
            switch key {
            case "name": name = text(node)
            case "cron": cron = said(node) { (text) throws(DubError) in try CronExpression(text) }
            case "zone": zone = said(node) { (text) throws(DubError) in try TimeZone(named: text) }
            case "jitter": jitter = duration(node) ?? 0
            case "missed":
                missed =
                    choice(node, Timetable.Missed.allCases.map(\.rawValue)).flatMap { .init(rawValue: $0) } ?? .once
            case "overlap":
                overlap =
                    choice(node, Timetable.Overlap.allCases.map(\.rawValue)).flatMap { .init(rawValue: $0) } ?? .skip
            case "paused": isPaused = flag(node) ?? false
            case "batch", "files":
                if source != nil { fault(node, "It has both `batch` and `files`.", "Keep one of them.") }
                source = key == "batch" ? path(node).map { .manifest($0) } : .files(texts(node).map(absolute))
            default: take(key, node, into: &order)
            }
        }
        guard faults.count == before else { return nil }
        guard let name, let cron, let source else {
            let missing = [name == nil ? "name" : nil, cron == nil ? "cron" : nil, source == nil ? "batch" : nil]
            fault(
                node, "It lacks \(missing.compactMap(\.self).map { "`\($0)`" }.joined(separator: ", ")).",
                "A timetable has a name, a cron expression, and a batch or files.")
            return nil
        }
        return TimetableEntry(
            name: name,
            timetable: Timetable(cron: cron, zone: zone ?? .gmt, jitter: jitter, missed: missed, overlap: overlap),
            isPaused: isPaused, source: source, order: order.over(base), file: file, line: node.mark?.line ?? 0)
    }

    // MARK: - Faults

    /// Takes a fault in.
    mutating func fault(_ node: Node?, _ what: String, _ fix: String) {
        faults.append(
            Fault(file: file, line: node?.mark?.line ?? 0, column: node?.mark?.column ?? 0, what: what, fix: fix))
    }

    /// Takes in a fault where there is no node.
    mutating func faulty(line: Int, column: Int = 1, _ what: String, _ fix: String) {
        faults.append(Fault(file: file, line: line, column: column, what: what, fix: fix))
    }

    private mutating func unlike(_ names: [(String, Int)], _ key: String) {
        var known: Set<String> = []
        for (name, line) in names where !known.insert(name).inserted {
            faults.append(
                Fault(
                    file: file, line: line, column: 1, what: "`\(name)` is there twice.", fix: "Give each \(key) once.")
            )
        }
    }

    /// The end of a reading.
    func end() throws(DubError) {
        if !faults.isEmpty { throw .faulty(faults) }
    }
}

extension DubError {
    /// All faults of a configuration as one error.
    public static func faulty(_ faults: [Fault]) -> DubError {
        let faults = faults.sorted { ($0.file, $0.line, $0.column) < ($1.file, $1.line, $1.column) }
        let first = faults.first
        let place = first?.location ?? "configuration"
        guard faults.count > 1, let first else {
            return DubError(.settingsInvalid, first?.what ?? "It is faulty.", at: place, fix: first?.fix ?? "Mend it.")
        }
        return DubError(
            .settingsInvalid,
            "There are \(faults.count) faults, the first being: \(first.what)\n"
                + faults.map { "    \($0)" }.joined(separator: "\n"), at: place,
            fix: "Mend each of them; the file is read as a whole.")
    }
}
