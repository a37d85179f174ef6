public import DubCore
public import DubRunner
public import Foundation

/// A store in a folder: `objects/ab/cdef….wav`, and `scratch/` on the same disk.
///
/// What survives a power cut: large artifacts are flushed before they have their name. Small ones are not, which would
/// cost a hundred times what writing them does; they are read and digested whenever they are looked up, so one that the
/// power cut took or tore is found out and made again (docs/adr/0005-durability.md).
public struct FileStore: Store {
    /// The folder, absolute.
    public let root: String

    /// Artifacts up to this size are read again whenever they are looked up, and not flushed when they are written.
    private static let smallBytes: Int64 = 256 << 10

    /// Opens a store, making its folders.
    ///
    /// - Throws: `output.unwritable` where they cannot be made.
    public init(root: String) throws {
        self.root = URL(filePath: root).standardizedFileURL.path(percentEncoded: false)
        let shelves = (0..<256).map { "objects/" + String($0 + 256, radix: 16).dropFirst() }
        let isNew = access("\(self.root)/\(shelves[255])", F_OK) != 0
        for folder in ["objects", "scratch"] + (isNew ? shelves : []) {
            do {
                try FileManager.default.createDirectory(
                    atPath: "\(self.root)/\(folder)", withIntermediateDirectories: true)
            } catch {
                throw DubError(
                    .outputUnwritable, "The store cannot be made: \(error.localizedDescription).", at: self.root,
                    fix: "Choose a folder that you may write, with --store.", cause: error)
            }
        }
    }

    /// `objects/ab/cdef….type` below the root.
    public func path(of artifact: Artifact) -> String {
        let hex = artifact.digest.hex
        return "\(root)/objects/\(hex.prefix(2))/\(hex.dropFirst(2)).\(artifact.type)"
    }

    /// Size by `stat`; up to 256 KiB also the digest.
    public func holds(_ artifact: Artifact) -> Bool {
        let path = path(of: artifact)
        guard artifact.size <= Self.smallBytes else { return FileIdentity(path: path)?.size == artifact.size }
        return SmallFile.digest(path, size: Int(artifact.size)) == artifact.digest
    }

    /// Digests, syncs and renames the file; an equal artifact that is already there is replaced by equal bytes.
    public func adopt(fileAt path: String, type: String) throws -> Artifact {
        let digest = try Digest.of(fileAt: path)
        guard let file = FileIdentity(path: path) else {
            throw DubError(.inputMissing, "A stage's output is gone.", at: path, fix: "Run again.")
        }
        let artifact = Artifact(digest: digest, size: file.size, type: type)
        try place(path, as: artifact)
        return artifact
    }

    /// Writes a temporary file, syncs and renames it.
    public func put(_ data: Data, type: String) throws -> Artifact {
        let artifact = Artifact(digest: .of(data), size: Int64(data.count), type: type)
        if holds(artifact) { return artifact }
        if artifact.size <= Self.smallBytes {
            do {
                if try SmallFile.create(path(of: artifact), data) { return artifact }
            } catch {
                throw unwritable(String(cString: strerror(error.errno)), path(of: artifact))
            }
        }
        let temporary = "\(root)/scratch/\(UUID().uuidString)"
        do {
            try data.write(to: URL(filePath: temporary))
        } catch {
            try? FileManager.default.removeItem(atPath: temporary)
            throw unwritable(error.localizedDescription, temporary)
        }
        try place(temporary, as: artifact)
        return artifact
    }

    /// `scratch/UUID`.
    public func makeScratch() throws -> String {
        let path = "\(root)/scratch/\(UUID().uuidString)"
        do {
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
        } catch {
            throw unwritable(error.localizedDescription, path)
        }
        return path
    }

    /// Removes scratch folders that processes which died have left, older than a day.
    public func sweep(before time: Date) {
        let folder = "\(root)/scratch"
        for name in (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? [] {
            let path = "\(folder)/\(name)"
            let modified = (try? FileManager.default.attributesOfItem(atPath: path))?[.modificationDate] as? Date
            if let modified, modified < time { try? FileManager.default.removeItem(atPath: path) }
        }
    }

    private func place(_ temporary: String, as artifact: Artifact) throws {
        let path = path(of: artifact)
        let isSmall = artifact.size <= Self.smallBytes
        do {
            if !isSmall { try FileSync.sync(temporary) }
            guard rename(temporary, path) == 0 else { throw unwritable(String(cString: strerror(errno)), path) }
            if !isSmall { try FileSync.sync((path as NSString).deletingLastPathComponent) }
        } catch {
            unlink(temporary)
            throw error
        }
    }

    private func unwritable(_ reason: String, _ path: String) -> DubError {
        DubError(
            .outputUnwritable, "The store cannot be written: \(reason).", at: path,
            fix: "Make room, or choose another folder with --store.")
    }
}

/// Flushing to the disk.
public enum FileSync {
    /// Flushes a file or a folder.
    ///
    /// - Throws: `output.unwritable` where the disk reports a failure.
    public static func sync(_ path: String) throws(DubError) {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        defer { if descriptor >= 0 { close(descriptor) } }
        guard descriptor >= 0, fsync(descriptor) == 0 else {
            throw DubError(
                .outputUnwritable, "The disk did not take the data: \(String(cString: strerror(errno))).", at: path,
                fix: "Check the disk's space and health.")
        }
    }
}
