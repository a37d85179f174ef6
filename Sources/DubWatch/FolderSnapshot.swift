/// What lies in a watched folder at one moment.
public struct FolderSnapshot: Hashable, Sendable {
    /// A regular file.
    public struct Entry: Hashable, Sendable {
        /// From the watched folder, without a leading `/`.
        public var path: String
        /// The inode number.
        public var inode: UInt64
        /// Bytes.
        public var size: Int64
        /// Time of the last change of content, in nanoseconds since 1970.
        public var modified: Int64
        /// Time of the last change of content, name or rights, in nanoseconds since 1970. Nobody can set it back.
        public var changed: Int64
        /// Whether somebody has it open for writing; `nil` where the file system does not tell.
        public var isOpen: Bool?

        /// Describes a file.
        public init(path: String, inode: UInt64, size: Int64, modified: Int64, changed: Int64, isOpen: Bool?) {
            self.path = path
            self.inode = inode
            self.size = size
            self.modified = modified
            self.changed = changed
            self.isOpen = isOpen
        }

        /// The last part of the path.
        public var name: String { path.split(separator: "/").last.map(String.init) ?? path }

        /// The folder that it is in, from the watched folder; empty for that itself.
        public var folder: String { path.split(separator: "/").dropLast().joined(separator: "/") }
    }

    /// In the order of their paths.
    public var entries: [Entry]
    /// Absolute paths of the watched folder and the folders in it that were looked into.
    public var folders: [String]

    /// Describes a folder.
    public init(entries: [Entry], folders: [String] = []) {
        self.entries = entries.sorted { $0.path < $1.path }
        self.folders = folders
    }
}
