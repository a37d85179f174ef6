public import DubCore
internal import Foundation

/// The one who may remove objects from a store: there is one at a time, and everybody else goes on working.
public final class Removal: Sendable {
    private let store: FileStore
    private let lock: Int32
    private let pins: Locked<PinReader>

    /// Objects whose names are taken away together: few, so that one that turns out to be pinned is back at once.
    private static let batch = 64

    /// Begins; what one before, who was killed, left half-done is undone.
    ///
    /// - Parameter isDone: this process's own pins do not count: it needs nothing from the store any more.
    /// - Throws: `store.busy` where somebody else is at it; `output.unwritable`.
    public init(in store: FileStore, isDone: Bool = false) throws(DubError) {
        self.store = store
        let path = store.root + "/removal.lock"
        lock = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0o644)
        pins = Locked(PinReader(folder: store.root + "/pins", exempt: isDone ? store.pins.name : nil))
        guard lock >= 0 else { throw store.unwritable(errno, path) }
        guard flock(lock, LOCK_EX | LOCK_NB) == 0 else {
            throw DubError(
                .storeBusy, "Objects are being removed from this store already.", at: store.root,
                fix: "Wait until that is done.", persistence: .transient)
        }
        store.eachFile { folder, name in
            guard name.hasSuffix(FileStore.removing) else { return }
            let path = "\(store.root)/objects/\(folder)/\(name)"
            Self.giveBack(path, String(path.dropLast(FileStore.removing.count)))
        }
        pins.withLock { $0.update() }
    }

    deinit { if lock >= 0 { close(lock) } }

    /// Removes objects that no living process relies on.
    ///
    /// - Returns: those that are gone.
    /// - Throws: `output.unwritable` where a name cannot be changed; nothing is half-done then.
    public func remove(_ objects: [StoredObject]) throws -> [StoredObject] {
        try remove(objects) { pins, object in !pins.isPinned(object.digest) }
    }

    /// Removes objects whose bytes are not what their names promise, whoever relies on them: they are of no use.
    ///
    /// - Returns: those that are gone; not those that somebody has made again meanwhile.
    /// - Throws: `output.unwritable`, `CancellationError`.
    public func removeDamaged(_ objects: [StoredObject]) throws -> [StoredObject] {
        try remove(objects) { [store] _, object in
            let path = store.path(of: object) + FileStore.removing
            return try !FileStore.isWhole(path, object.digest)
        }
    }

    private func remove(
        _ objects: [StoredObject], if isUnneeded: (PinReader, StoredObject) throws -> Bool
    ) throws -> [StoredObject] {
        var gone: [StoredObject] = []
        for start in stride(from: 0, to: objects.count, by: Self.batch) {
            try Task.checkCancellation()
            let batch = objects[start..<min(objects.count, start + Self.batch)]
            var taken: [(object: StoredObject, path: String)] = []
            defer { for one in taken { Self.giveBack(one.path + FileStore.removing, one.path) } }
            for object in batch {
                let path = store.path(of: object)
                if rename(path, path + FileStore.removing) == 0 {
                    taken.append((object, path))
                } else if errno != ENOENT {
                    throw store.unwritable(errno, path)
                }
            }
            let pins = pins.withLock { pins in
                pins.update()
                return pins
            }
            var kept: [(object: StoredObject, path: String)] = []
            for one in taken {
                if try isUnneeded(pins, one.object), unlink(one.path + FileStore.removing) == 0 {
                    gone.append(one.object)
                } else {
                    kept.append(one)
                }
            }
            taken = kept
        }
        return gone
    }

    /// An object has its name again, unless it was made anew under it.
    private static func giveBack(_ path: String, _ name: String) {
        if link(path, name) == 0 || errno == EEXIST { unlink(path) } else { rename(path, name) }
    }
}

extension FileStore {
    /// What dead processes have left in `scratch/`, with its bytes.
    public func leavings() -> [(path: String, bytes: Int64)] {
        let folder = "\(root)/scratch"
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return names.filter { !pins.isAlive(scratch: $0) }.map { name in
            let path = "\(folder)/\(name)"
            let below = (try? FileManager.default.subpathsOfDirectory(atPath: path)) ?? []
            let sizes = ([path] + below.map { "\(path)/\($0)" }).compactMap { path -> Int64? in
                var status = stat()
                guard lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
                return Int64(status.st_size)
            }
            return (path, sizes.reduce(0, +))
        }
    }

    /// Removes what dead processes have left in `scratch/`.
    public func sweep() {
        for one in leavings() { try? FileManager.default.removeItem(atPath: one.path) }
    }
}

extension DubError.Code {
    /// Somebody else removes objects from the store.
    public static let storeBusy = Self(name: "store.busy")
}
