public import Foundation
internal import Glibc

/// A folder that is watched, and what is asked of the files in it.
public struct WatchedFolder: Hashable, Sendable {
    /// What becomes of a file that is done.
    public enum After: String, Sendable, CaseIterable {
        case keep
        case move
        case delete
    }

    /// What holds for files whose names fit a pattern.
    public struct Rule: Hashable, Sendable {
        /// As a shell's; of the name alone, or of the path from the watched folder where it has a `/`.
        public var pattern: String
        /// What is asked of them.
        public var order: FileOrder
        /// Where it stands.
        public var line: Int

        /// Describes a rule.
        public init(pattern: String, order: FileOrder, line: Int) {
            self.pattern = pattern
            self.order = order
            self.line = line
        }

        func fits(_ path: String) -> Bool { WatchedFolder.fits(path, pattern) }
    }

    /// The absolute path.
    public var folder: String
    /// Seconds that a file has to stay as it is.
    public var settle: TimeInterval?
    /// Whether only a marker makes a file whole.
    public var needsMarker: Bool?
    /// Seconds between looks without a hint.
    public var rescan: TimeInterval?
    /// What becomes of a file that is done.
    public var after: After?
    /// Where files go that are done, absolute; `done` in the folder where it is not given.
    public var done: String?
    /// Where files go that fail, absolute; `quarantine` in the folder where it is not given.
    public var quarantine: String?
    /// Patterns of the files that are taken; media by their extensions where there is none.
    public var files: [String]?
    /// What is asked of the files.
    public var order = FileOrder()
    /// The first that fits counts, over `order`.
    public var rules: [Rule] = []
    /// The configuration and the line in it that it is from.
    public var file = ""
    /// See `file`.
    public var line = 0

    /// Watches a folder with no wishes.
    public init(folder: String) {
        self.folder = folder
    }

    /// This, and what `base` says beside it. Its rules come first.
    public func over(_ base: WatchedFolder) -> WatchedFolder {
        var all = self
        all.settle = settle ?? base.settle
        all.needsMarker = needsMarker ?? base.needsMarker
        all.rescan = rescan ?? base.rescan
        all.after = after ?? base.after
        all.done = done ?? base.done
        all.quarantine = quarantine ?? base.quarantine
        all.files = files ?? base.files
        all.order = order.over(base.order)
        all.rules = rules + base.rules
        return all
    }

    /// What is asked of a file.
    ///
    /// - Parameter path: from the watched folder.
    public func order(for path: String) -> FileOrder {
        rules.first { $0.fits(path) }.map { $0.order.over(order) } ?? order
    }

    /// Whether a file is one of those that are taken.
    public func wants(_ path: String) -> Bool {
        guard let files else { return Arrivals.media.contains((path as NSString).pathExtension.lowercased()) }
        return files.contains { Self.fits(path, $0) }
    }

    /// Whether it is a prefix of a bucket, `s3://bucket/prefix`.
    public var isPrefix: Bool { folder.hasPrefix("s3://") }

    /// Where files go that are done.
    public var doneFolder: String { done ?? "\(folder)/done" }
    /// Where files go that fail.
    public var quarantineFolder: String { quarantine ?? "\(folder)/quarantine" }
    /// Where what is made goes, rules aside.
    public var outFolder: String { order.out ?? "\(folder)/dubbed" }

    /// Folders in which nothing is looked for, though they may lie inside.
    public var leftOut: Set<String> {
        Set([doneFolder, quarantineFolder, outFolder] + rules.compactMap(\.order.out))
    }

    static func fits(_ path: String, _ pattern: String) -> Bool {
        let text = pattern.contains("/") ? path : path.split(separator: "/").last.map(String.init) ?? path
        return fnmatch(pattern, text, 0) == 0
    }
}
