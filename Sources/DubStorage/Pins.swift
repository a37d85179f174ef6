public import DubCore
internal import Foundation

/// What this process relies on in a store, so that nobody removes it: the digests of all that it looked at or placed.
///
/// A digest is appended to the process's file in `pins/` before the object is looked at, or given its name. Whoever
/// removes objects takes one's name away, reads the pins, and gives the name back where it is pinned. So either the
/// pin was there to be read, or the object is found to be gone and is made again; no clock and no lock is needed. The
/// file counts as long as its process lives: see `Presence`.
final class Pins: Sendable {
    private let presence: Presence
    private let count = Locked(0)

    init(folder: String) throws(POSIXError) {
        presence = try Presence(in: folder)
    }

    /// This process's name among the users of the store.
    var name: String { presence.name }

    /// Pins an object.
    func add(_ digest: Digest) {
        let written = digest.withBytes { write(presence.descriptor, $0.baseAddress, $0.count) }
        // A full disk: a change of mode needs no room, and says that everything is pinned.
        if written != Self.size { fchmod(presence.descriptor, Self.everything) }
    }

    /// A name in `scratch/` that nobody else has, and that tells whose it is.
    func freshName() -> String {
        let number = count.withLock { count in
            count += 1
            return count
        }
        return "\(presence.name).\(number)"
    }

    /// Whether the process lives that made a name in `scratch/`.
    func isAlive(scratch name: String) -> Bool { presence.isAlive(String(name.prefix { $0 != "." })) }

    fileprivate static let size = 32
    fileprivate static let everything: mode_t = 0o444
}

/// The pins of all who live, read again and again while objects are removed.
struct PinReader {
    private let folder: String
    /// A name that does not count.
    private let exempt: String?
    private var ends: [String: Int] = [:]
    private var digests: Set<Digest> = []
    /// Somebody could not write down what they rely on.
    private(set) var isEverythingPinned = false

    init(folder: String, exempt: String? = nil) {
        self.folder = folder
        self.exempt = exempt
    }

    /// Reads what was pinned since the last time. What was pinned once stays so, though its process has ended.
    mutating func update() {
        for name in Presence.living(in: folder) where name != exempt { read(name) }
    }

    func isPinned(_ digest: Digest) -> Bool { isEverythingPinned || digests.contains(digest) }

    private mutating func read(_ name: String) {
        let file = open("\(folder)/\(name)", O_RDONLY | O_CLOEXEC)
        guard file >= 0 else {
            // It has just ended, or cannot be read.
            if errno != ENOENT { isEverythingPinned = true }
            return
        }
        defer { close(file) }
        var at = ends[name, default: 0]
        var buffer = [UInt8](repeating: 0, count: 2048 * Pins.size)
        while true {
            let count = buffer.withUnsafeMutableBytes { pread(file, $0.baseAddress, $0.count, off_t(at)) }
            if count < 0 { isEverythingPinned = true }
            // A pin that is being written is read next time.
            guard count >= Pins.size else { break }
            for start in stride(from: 0, through: count - Pins.size, by: Pins.size) {
                if let digest = Digest(bytes: buffer[start..<start + Pins.size]) { digests.insert(digest) }
            }
            at += count / Pins.size * Pins.size
        }
        ends[name] = at
        // After its content: who could not write a pin has changed the mode since.
        var status = stat()
        if fstat(file, &status) != 0 || status.st_mode & 0o222 == 0 { isEverythingPinned = true }
    }
}

extension FileStore {
    /// Which objects living processes rely on, as of now.
    ///
    /// - Parameter isDone: this process's own do not count.
    public func pinned(isDone: Bool = false) -> (Digest) -> Bool {
        var reader = PinReader(folder: root + "/pins", exempt: isDone ? pins.name : nil)
        reader.update()
        return reader.isPinned
    }
}
