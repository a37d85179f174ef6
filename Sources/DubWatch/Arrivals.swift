public import DubCore
public import Foundation

/// A file that has arrived whole, with what belongs to it.
public struct Arrival: Hashable, Sendable {
    /// The file.
    public var file: FolderSnapshot.Entry
    /// Scripts beside it, by language: `film.es.srt`, `film.es.script.json`.
    public var scripts: [Language: FolderSnapshot.Entry]
    /// The cast beside it: `film.cast.yaml`.
    public var cast: FolderSnapshot.Entry?
    /// The marker that says it is whole, where there is one.
    public var marker: String?
    /// What its outputs are called.
    public var stem: String

    /// The paths of all that goes where the file goes.
    public var company: [String] {
        (scripts.values.map(\.path) + [cast?.path, marker].compactMap(\.self)).sorted()
    }
}

/// Tells, look by look, which files of a folder are whole.
///
/// A file is whole where a marker beside it says so (`film.mp4.ready` or `film.ready`), or where nobody has it open
/// for writing and it has stayed as it is for a while. Hidden files, empty ones, and those that programs write under
/// a name for the meantime (`.part`, `.tmp`, …) never are.
///
/// Pure: it is shown what lies there and told what time it is.
public struct Arrivals: Sendable {
    /// What is asked of a file before it is taken.
    public struct Rule: Hashable, Sendable {
        /// Seconds that it has to stay as it is, ≥ 0.
        public var settle: TimeInterval
        /// Whether only a marker will do.
        public var needsMarker: Bool

        /// Describes a rule.
        public init(settle: TimeInterval = 10, needsMarker: Bool = false) {
            self.settle = settle
            self.needsMarker = needsMarker
        }
    }

    /// What one look came to.
    public struct Look: Sendable {
        /// Files that are whole, in the order of their paths.
        public var whole: [Arrival] = []
        /// Seconds after which the next one may be, where that is a matter of time alone.
        public var nextIn: TimeInterval?
    }

    private struct Seen {
        var entry: FolderSnapshot.Entry
        var since: Date
    }

    private var seen: [String: Seen] = [:]

    /// Nothing was seen yet.
    public init() {}

    /// Extensions of names that files have for the meantime.
    public static let unfinished: Set = ["part", "tmp", "partial", "crdownload", "filepart", "download", "!ut"]
    /// Files that are media by their names, where a folder does not say which are.
    public static let media: Set = [
        "mp4", "m4v", "mov", "mkv", "webm", "avi", "ts", "m2ts", "mts", "mpg", "mpeg", "mxf", "wmv", "flv", "ogv",
        "3gp",
        "m4a", "mp3", "aac", "wav", "flac", "ogg", "opus", "aiff", "aif", "caf", "wma", "mka",
    ]

    /// Looks once.
    ///
    /// - Parameters:
    ///   - snapshot: what lies there.
    ///   - now: the present, by the clock that file times are of.
    ///   - wants: whether a file is to be taken at all, by its path: media, not what lies beside them.
    public mutating func look(
        at snapshot: FolderSnapshot, now: Date, rule: Rule, wants: (String) -> Bool,
        isOpen: (FolderSnapshot.Entry) -> Bool?
    ) -> Look {
        var next: [String: Seen] = [:]
        for entry in snapshot.entries {
            var same = entry
            same.isOpen = nil
            if let before = seen[entry.path], before.entry == same {
                next[entry.path] = before
            } else {
                next[entry.path] = Seen(entry: same, since: now)
            }
        }
        seen = next
        let byPath = Dictionary(snapshot.entries.map { ($0.path, $0) }, uniquingKeysWith: { first, _ in first })
        let media = snapshot.entries.filter { Self.isFinished($0) && wants($0.path) }
        let stems = Dictionary(grouping: media, by: { Self.stem(of: $0.path) }).mapValues(\.count)
        var companions: [String: [FolderSnapshot.Entry]] = [:]
        for entry in snapshot.entries where !wants(entry.path) {
            companions[entry.folder, default: []].append(entry)
        }
        var look = Look()
        for entry in media {
            let marker = ["\(entry.path).ready", "\(Self.stem(of: entry.path)).ready"].first { byPath[$0] != nil }
            if marker == nil, rule.needsMarker { continue }
            var arrival = Self.company(of: entry, among: companions[entry.folder] ?? [])
            arrival.marker = marker
            arrival.stem = ((entry.name as NSString).deletingPathExtension)
            if stems[Self.stem(of: entry.path), default: 1] > 1 {
                // `film.mp4` and `film.mkv` would write the same files.
                arrival.stem += "-" + (entry.name as NSString).pathExtension
            }
            let company = arrival.scripts.values + [arrival.cast].compactMap(\.self)
            let waits = (company + (marker == nil ? [entry] : [])).map {
                wait(for: $0, now: now, settle: rule.settle, isOpen: isOpen)
            }
            let longest = waits.max() ?? 0
            if longest <= 0 {
                look.whole.append(arrival)
            } else {
                look.nextIn = min(look.nextIn ?? longest, longest)
            }
        }
        return look
    }

    /// Seconds until a file counts as whole; 0 where it does.
    private func wait(
        for entry: FolderSnapshot.Entry, now: Date, settle: TimeInterval, isOpen: (FolderSnapshot.Entry) -> Bool?
    ) -> TimeInterval {
        var unchanged = now.timeIntervalSince(seen[entry.path]?.since ?? now)
        // On a machine's own disk the time of change is by this clock: what arrived while nobody looked need not wait.
        let open = isOpen(entry)
        if open == false {
            unchanged = max(unchanged, now.timeIntervalSince1970 - Double(entry.changed) / 1e9)
        }
        if open == true { return max(settle, 1) }
        return max(0, settle - unchanged)
    }

    /// Whether a file may be whole by its name and size.
    static func isFinished(_ entry: FolderSnapshot.Entry) -> Bool {
        let type = (entry.name as NSString).pathExtension.lowercased()
        return entry.size > 0 && !entry.path.split(separator: "/").contains { $0.hasPrefix(".") }
            && !unfinished.contains(type) && !entry.name.hasSuffix("~")
    }

    private static func stem(of path: String) -> String { (path as NSString).deletingPathExtension }

    private static func company(of file: FolderSnapshot.Entry, among entries: [FolderSnapshot.Entry]) -> Arrival {
        var arrival = Arrival(file: file, scripts: [:], stem: "")
        let begin = (file.name as NSString).deletingPathExtension + "."
        for entry in entries where entry.name.hasPrefix(begin) && entry.size > 0 {
            let rest = entry.name.dropFirst(begin.count)
            if ["cast.yaml", "cast.yml", "cast.json"].contains(rest) {
                arrival.cast = entry
                continue
            }
            let ends = [".script.json", ".script.csv", ".srt", ".vtt", ".csv"]
            guard let end = ends.first(where: { rest.hasSuffix($0) }),
                let language = try? Language(String(rest.dropLast(end.count)))
            else { continue }
            // Of several in a language the one that holds the most: `ends` in their order.
            let known = arrival.scripts[language].flatMap { before in ends.firstIndex { before.name.hasSuffix($0) } }
            if let known, known <= ends.firstIndex(of: end) ?? 0 { continue }
            arrival.scripts[language] = entry
        }
        return arrival
    }
}
