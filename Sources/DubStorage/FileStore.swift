public import DubCore
public import DubRunner
public import Foundation

/// A store in a folder: `objects/ab/cdef….wav`, `scratch/` on the same disk, and `pins/`, a file a living process.
///
/// Small objects are not synced: their digest is checked whenever they are looked up, so one that a power cut took or
/// tore is found and made again. See docs/adr/0005-durability.md.
public struct FileStore: Store {
    /// The folder, absolute.
    public let root: String
    let pins: Pins

    /// Artifacts up to this size are read again whenever they are looked up.
    static let quickCheckBytes: Int64 = 256 << 10

    /// Opens a store, making its folders.
    ///
    /// - Throws: `output.unwritable` where they cannot be made.
    public init(root: String) throws {
        self.root = URL(filePath: root).standardizedFileURL.path(percentEncoded: false)
        do {
            for folder in ["objects", "scratch"] {
                try FileManager.default.createDirectory(
                    atPath: "\(self.root)/\(folder)", withIntermediateDirectories: true)
            }
            pins = try Pins(folder: self.root + "/pins")
        } catch {
            throw DubError(
                .outputUnwritable, "The store cannot be made or written: \(error.localizedDescription).",
                at: self.root, fix: "Make room, or choose a folder that you may write, with --store.", cause: error)
        }
    }

    /// `objects/ab/cdef….type` below the root.
    public func path(of artifact: Artifact) -> String { path(of: artifact.digest, type: artifact.type) }

    func path(of digest: Digest, type: String) -> String {
        let hex = digest.hex
        var path = root
        path.reserveCapacity(root.utf8.count + 76 + type.utf8.count)
        path += "/objects/"
        path += hex.prefix(2)
        path += "/"
        path += hex.dropFirst(2)
        path += "."
        path += type
        return path
    }

    /// Size by `stat`; up to 256 KiB also the digest.
    public func state(of artifact: Artifact) -> ArtifactState {
        // Before it is looked at: see Pins.
        pins.add(artifact.digest)
        return look(at: path(of: artifact), for: artifact)
    }

    private func look(at path: String, for artifact: Artifact) -> ArtifactState {
        guard artifact.size <= Self.quickCheckBytes else {
            guard let file = FileIdentity(path: path) else { return .missing }
            return file.size == artifact.size ? .intact : .damaged
        }
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return .missing }
        defer { close(file) }
        return digest(of: file, size: artifact.size) == artifact.digest ? .intact : .damaged
    }

    /// The digest of an open small file; `nil` where it has not that size or cannot be read.
    private func digest(of file: Int32, size: Int64) -> Digest? {
        // A byte more, so that a file that is too long shows.
        withUnsafeTemporaryAllocation(byteCount: Int(size) + 1, alignment: 16) { buffer in
            var filled = 0
            while filled < buffer.count {
                let count = pread(file, buffer.baseAddress.map { $0 + filled }, buffer.count - filled, off_t(filled))
                if count < 0, errno == EINTR { continue }
                guard count >= 0 else { return nil }
                if count == 0 { break }
                filled += count
            }
            guard filled == Int(size) else { return nil }
            return .of(UnsafeRawBufferPointer(rebasing: buffer[..<filled]))
        }
    }

    /// Digests, syncs and renames the file; an equal artifact that is already there is replaced by equal bytes.
    public func adopt(fileAt path: String, type: String) throws -> Artifact {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        var status = stat()
        guard file >= 0, fstat(file, &status) == 0 else {
            if file >= 0 { close(file) }
            throw DubError(.inputMissing, "A stage's output is gone.", at: path, fix: "Run again.")
        }
        defer { close(file) }
        let size = Int64(status.st_size)
        let small = size <= Self.quickCheckBytes ? digest(of: file, size: size) : nil
        let artifact = Artifact(digest: try small ?? Digest.of(fileAt: path), size: size, type: type)
        try place(path, file, as: artifact)
        return artifact
    }

    /// Writes a temporary file, syncs and renames it.
    public func put(_ data: Data, type: String) throws -> Artifact {
        let artifact = Artifact(digest: .of(data), size: Int64(data.count), type: type)
        if holds(artifact) { return artifact }
        let temporary = "\(root)/scratch/\(pins.freshName())"
        let file = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
        guard file >= 0 else { throw unwritable(errno, temporary) }
        defer { close(file) }
        var written = 0
        while written < data.count {
            let count = data.withUnsafeBytes {
                write(file, $0.baseAddress.map { $0 + written }, data.count - written)
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else {
                let problem = errno
                unlink(temporary)
                throw unwritable(problem, temporary)
            }
            written += count
        }
        try place(temporary, file, as: artifact)
        return artifact
    }

    /// `scratch/NAME`.
    public func makeScratch() throws -> String {
        let path = "\(root)/scratch/\(pins.freshName())"
        guard mkdir(path, 0o755) == 0 else { throw unwritable(errno, path) }
        return path
    }

    /// Moves a file, open as `file`, to where it belongs.
    private func place(_ temporary: String, _ file: Int32, as artifact: Artifact) throws {
        pins.add(artifact.digest)
        let path = path(of: artifact)
        let isSynced = artifact.size > Self.quickCheckBytes
        // Found when it is needed, which is seldom.
        var folder: String { (path as NSString).deletingLastPathComponent }
        do {
            // Before the name: an object of the right size holds what it should, whatever is cut off when.
            if isSynced, fsync(file) != 0 { throw unwritable(errno, temporary) }
            if rename(temporary, path) != 0 {
                guard errno == ENOENT, mkdir(folder, 0o755) == 0 || errno == EEXIST, rename(temporary, path) == 0
                else { throw unwritable(errno, path) }
            }
            if isSynced { try FileSync.sync(folder) }
        } catch {
            unlink(temporary)
            throw error
        }
    }

    func unwritable(_ problem: Int32, _ path: String) -> DubError {
        DubError(
            .outputUnwritable, "The store cannot be written: \(String(cString: strerror(problem))).", at: path,
            fix: "Make room (`dubmill store gc` removes what is not needed), or choose another folder with --store.")
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
