internal import DubCore
internal import DubHTTP
internal import Foundation

/// Files from elsewhere, kept in a folder under their digests: `SHA256/NAME`.
///
/// What was fetched once is not fetched again while the server's mark of it stays; what was broken off goes on with the
/// pieces that are missing. `known/` says which mark was which digest, `partial/` holds what is on its way.
public struct InputCache: Sendable {
    private let folder: String
    /// The bytes of a piece.
    private let pieceSize: Int64
    private static let piecesAtOnce = 4
    /// In bytes; more than any store keeps as one object.
    private static let largest: Int64 = 1 << 44

    /// Keeps files in a folder, which is made where it is missing.
    public init(folder: String, pieceSize: Int64 = 16 << 20) {
        self.folder = folder
        self.pieceSize = pieceSize
    }

    private struct Known: Codable {
        var version: RemoteVersion
        var sha256: Digest
        var size: Int64
        var name: String
    }

    /// Brings a file here.
    ///
    /// - Returns: where it is; nobody changes it there.
    /// - Throws: `input.changed` where it is replaced meanwhile, `object.damaged` where it is not what its store says;
    ///   `output.unwritable`; what the file throws; `CancellationError`.
    public func fetch(_ file: some RemoteFile) async throws -> String {
        let version = try await file.look()
        let mark = Digest.of(file.address).hex
        let index = "\(folder)/known/\(mark).json"
        func found() -> String? {
            guard !version.tag.isEmpty, let data = FileManager.default.contents(atPath: index),
                let known = try? JSONDecoder().decode(Known.self, from: data), known.version == version
            else { return nil }
            let path = "\(folder)/\(known.sha256.hex)/\(known.name)"
            return FileState(path: path)?.size == known.size ? path : nil
        }
        if let path = found() { return path }
        try prepare()
        let content = Digest.of("\(version.tag)\n\(version.size ?? -1)").short
        let partial = "\(folder)/partial/\(mark.prefix(32))-\(content)"
        let journal = try await PieceJournal(path: partial + ".pieces")
        // Who held it before may have brought it.
        if let path = found() { return path }
        clear(but: partial, of: String(mark.prefix(32)))
        try await bring(file, version, to: partial, journal)
        let digest = try Digest.of(fileAt: partial)
        if let wanted = version.sha256, wanted != digest {
            unlink(partial)
            journal.remove()
            throw DubError(
                .objectDamaged, "What came is not what was stored: its SHA-256 is \(digest.short)….", at: file.address,
                fix: "Put it there again from its source.")
        }
        let path = try keep(partial, file, version, digest, index: index)
        journal.remove()
        return path
    }

    private func bring(
        _ file: some RemoteFile, _ version: RemoteVersion, to partial: String, _ journal: PieceJournal
    ) async throws {
        guard let size = version.size, size > 0, !version.tag.isEmpty else {
            unlink(partial)
            return try await file.fetchWhole(into: partial)
        }
        guard size <= Self.largest else {
            throw DubError(
                .objectRefused, "It is said to be \(size) bytes long.", at: file.address, fix: "Check the address.")
        }
        if FileState(path: partial)?.size != size { try journal.begin() }
        let descriptor = open(partial, O_WRONLY | O_CREAT | O_CLOEXEC, 0o644)
        guard descriptor >= 0, ftruncate(descriptor, off_t(size)) == 0 else {
            if descriptor >= 0 { close(descriptor) }
            throw unwritable(partial)
        }
        close(descriptor)
        do {
            try await bringPieces(file, version, size, to: partial, journal)
        } catch let error as DubError where error.code == .httpOtherRange {
            unlink(partial)
            try journal.begin()
            try await file.fetchWhole(into: partial)
        }
        // The piece that came last may be the only one of another version that a server let through.
        guard try await file.look() == version else { throw DubError.inputChanged(file.address) }
    }

    private func bringPieces(
        _ file: some RemoteFile, _ version: RemoteVersion, _ size: Int64, to partial: String, _ journal: PieceJournal
    ) async throws {
        let count = Int((size + pieceSize - 1) / pieceSize)
        var missing = (0..<count).filter { !journal.done.contains($0) }[...]
        let length = pieceSize
        let flushed = open(partial, O_RDONLY | O_CLOEXEC)
        defer { if flushed >= 0 { close(flushed) } }
        try await withThrowingTaskGroup(of: Int.self) { group in
            func start() {
                guard let piece = missing.popFirst() else { return }
                let from = Int64(piece) * length
                group.addTask {
                    try await file.fetch(from..<min(from + length, size), of: version, into: partial)
                    return piece
                }
            }
            for _ in 0..<Self.piecesAtOnce { start() }
            while let piece = try await group.next() {
                // Before it is noted: a power cut must not leave a note of bytes that are not there.
                guard fsync(flushed) == 0 else { throw unwritable(partial) }
                journal.note(piece)
                start()
            }
        }
    }

    private func keep(
        _ partial: String, _ file: some RemoteFile, _ version: RemoteVersion, _ digest: Digest, index: String
    ) throws -> String {
        let place = "\(folder)/\(digest.hex)"
        let name = Self.name(of: file)
        let path = "\(place)/\(name)"
        mkdir(place, 0o755)
        let size = FileState(path: partial)?.size ?? 0
        let descriptor = open(partial, O_RDONLY | O_CLOEXEC)
        defer { if descriptor >= 0 { close(descriptor) } }
        // A run that has it open, or knows it by its inode, keeps it.
        guard descriptor >= 0, fsync(descriptor) == 0 else { throw unwritable(path) }
        if link(partial, path) != 0 {
            // What is there is the same, or was damaged.
            let isSame = errno == EEXIST && (try? Digest.of(fileAt: path)) == digest
            guard isSame || rename(partial, path) == 0 else { throw unwritable(path) }
        }
        unlink(partial)
        let known = Known(version: version, sha256: digest, size: size, name: name)
        do {
            try JSONEncoder().encode(known).write(to: URL(filePath: index), options: .atomic)
        } catch {
            throw unwritable(index)
        }
        return path
    }

    /// Its name, not hidden, and short enough for a file system with its extension.
    private static func name(of file: some RemoteFile) -> String {
        let name = file.name.hasPrefix(".") ? "_" + file.name : file.name
        guard name.utf8.count > 200 else { return name }
        let type = (name as NSString).pathExtension
        var stem = (name as NSString).deletingPathExtension[...]
        while stem.utf8.count > 180 { stem.removeLast() }
        return type.isEmpty || type.utf8.count > 16 ? String(stem) : "\(stem).\(type)"
    }

    private func prepare() throws {
        do {
            for name in ["known", "partial"] {
                try FileManager.default.createDirectory(
                    atPath: "\(folder)/\(name)", withIntermediateDirectories: true)
            }
        } catch {
            throw unwritable(folder)
        }
    }

    /// Removes pieces of versions that are no more.
    private func clear(but partial: String, of mark: String) {
        let own = (partial as NSString).lastPathComponent
        for name in (try? FileManager.default.contentsOfDirectory(atPath: "\(folder)/partial")) ?? []
        where name.hasPrefix(mark) && !name.hasPrefix(own) {
            unlink("\(folder)/partial/\(name)")
        }
    }

    private func unwritable(_ path: String) -> DubError {
        DubError(
            .outputUnwritable, "The input cannot be kept: \(String(cString: strerror(errno))).", at: path,
            fix: "Make room, or choose another folder with --store.")
    }
}

/// Which pieces of a file are here: a line for each, in a file that is locked while somebody fetches.
private final class PieceJournal {
    private(set) var done: Set<Int> = []
    private let path: String
    private let descriptor: Int32

    /// Waits until nobody else has it.
    init(path: String) async throws {
        self.path = path
        while true {
            let opened = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
            guard opened >= 0 else {
                throw DubError(
                    .outputUnwritable, "The input cannot be kept: \(String(cString: strerror(errno))).", at: path,
                    fix: "Make room, or choose another folder with --store.")
            }
            var (here, named) = (stat(), stat())
            // Whoever had the lock may have removed the file before we got it.
            if flock(opened, LOCK_EX | LOCK_NB) == 0, fstat(opened, &here) == 0, stat(path, &named) == 0,
                here.st_ino == named.st_ino
            {
                descriptor = opened
                break
            }
            close(opened)
            try await Task.sleep(for: .milliseconds(50))
        }
        let text = (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
        // A line that was torn is a piece that is fetched again.
        let whole = text.hasSuffix("\n") ? text : String(text[..<(text.lastIndex(of: "\n") ?? text.startIndex)])
        done = Set(whole.split(separator: "\n").compactMap { Int($0) })
    }

    deinit { close(descriptor) }

    func begin() throws {
        done = []
        guard ftruncate(descriptor, 0) == 0 else {
            throw DubError(
                .outputUnwritable, "The input cannot be kept.", at: path, fix: "Check the disk.")
        }
    }

    func note(_ piece: Int) {
        let line = Array("\(piece)\n".utf8)
        _ = line.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
    }

    func remove() { unlink(path) }
}
