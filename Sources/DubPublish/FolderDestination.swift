internal import DubCore
internal import DubObjects
public import Foundation

/// A folder of this machine: for archives, and for network mounts.
///
/// A file appears under its name whole, or not at all; what is there is told by its bytes.
public struct FolderDestination: Destination {
    private let root: String

    /// Publishes below a folder, which is made where it is missing.
    public init(_ root: String) {
        self.root = root
    }

    /// The path.
    public func address(of key: String) -> String { root == "/" ? "/\(key)" : "\(root)/\(key)" }

    /// Reads it.
    public func look(at key: String) async throws -> Thing? {
        let path = address(of: key)
        var status = stat()
        guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
        return Thing(size: Int64(status.st_size), sha256: try Digest.of(fileAt: path), expires: nil)
    }

    /// Copies a file beside its place, flushes it, and gives it its name.
    public func put(fileAt path: String, as key: String, _ mark: Mark, isNew: Bool) async throws {
        let place = address(of: key)
        let folder = (place as NSString).deletingLastPathComponent
        let interim = "\(folder)/.dubmill-\(getpid())-\(UUID().uuidString).part"
        defer { unlink(interim) }
        do {
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            sweep(folder)
            try FileManager.default.copyItem(atPath: path, toPath: interim)
        } catch {
            guard FileManager.default.isReadableFile(atPath: path) else {
                throw DubError(.inputMissing, "The file cannot be read.", at: path, fix: "Make it again.")
            }
            throw unwritable(error.localizedDescription, place)
        }
        guard try Digest.of(fileAt: interim) == mark.sha256 else {
            throw DubError(.inputChanged, "The file is not what it was.", at: path, fix: "Make it again.")
        }
        // Links in the output folder may be of a mode that only their owner reads.
        chmod(interim, 0o644)
        try flush(interim)
        if isNew {
            var there = stat()
            // Where there are no hard links: the item's folder is held by this publication alone.
            let isPlaced =
                link(interim, place) == 0
                || [EPERM, EOPNOTSUPP, ENOSYS].contains(errno) && lstat(place, &there) != 0
                    && rename(interim, place) == 0
            guard isPlaced else {
                if errno == EEXIST {
                    throw DubError(
                        .objectExists, "There is such a file already.", at: place, fix: "Choose another folder.")
                }
                throw unwritable(String(cString: strerror(errno)), place)
            }
        } else if rename(interim, place) != 0 {
            throw unwritable(String(cString: strerror(errno)), place)
        }
        try flush(folder)
    }

    /// Reads a file.
    public func read(_ key: String) async throws -> Data {
        guard let data = FileManager.default.contents(atPath: address(of: key)) else {
            throw DubError(
                .objectMissing, "There is no such file.", at: address(of: key), fix: "Publish it again.")
        }
        return data
    }

    /// Every file below a folder, whole ones alone.
    public func keys(under prefix: String) async throws -> [String] {
        let names = FileManager.default.enumerator(atPath: address(of: prefix))?.compactMap { $0 as? String } ?? []
        let folder = prefix.isEmpty || prefix.hasSuffix("/") ? prefix : prefix + "/"
        return names.filter { name in
            var status = stat()
            return !(name as NSString).lastPathComponent.hasPrefix(".dubmill-")
                && stat(address(of: folder + name), &status) == 0 && status.st_mode & S_IFMT == S_IFREG
        }.map { folder + $0 }.sorted()
    }

    /// Removes the file, and its folders below the root that hold nothing any more.
    public func remove(_ key: String) async throws -> Int {
        let path = address(of: key)
        let wasThere = unlink(path) == 0
        guard wasThere || errno == ENOENT || errno == ENOTDIR else {
            throw unwritable(String(cString: strerror(errno)), path)
        }
        var folder = (path as NSString).deletingLastPathComponent
        while folder.count > root.count, rmdir(folder) == 0 { folder = (folder as NSString).deletingLastPathComponent }
        return wasThere ? 1 : 0
    }

    /// Removes what those left who were killed: who publishes here holds the item's folder.
    private func sweep(_ folder: String) {
        for name in (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        where name.hasPrefix(".dubmill-") && name.hasSuffix(".part") && !name.hasPrefix(".dubmill-\(getpid())-") {
            unlink("\(folder)/\(name)")
        }
    }

    private func flush(_ path: String) throws {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        defer { if descriptor >= 0 { close(descriptor) } }
        guard descriptor >= 0, fsync(descriptor) == 0 else {
            throw unwritable(String(cString: strerror(errno)), path)
        }
    }

    private func unwritable(_ what: String, _ path: String) -> DubError {
        DubError(
            .outputUnwritable, "The file cannot be published: \(what).", at: path,
            fix: "Make room, or let dubmill write there.")
    }
}
