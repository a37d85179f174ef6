internal import DubCore
internal import Foundation

/// Which processes on this machine hold claims: each keeps a file locked for as long as it lives.
///
/// The kernel ends the lock with the process, however that ends, so a claim needs no heartbeat and no clock: it is
/// void as soon as its owner's file can be locked by somebody else. See docs/adr/0005-durability.md.
final class Owners: Sendable {
    /// This process's name among the owners.
    let own: String
    private let folder: String
    private let descriptor: Int32

    /// Locks a file of its own in `folder`.
    ///
    /// - Throws: `ledger.failed` where that cannot be.
    init(folder: String) throws(DubError) {
        self.folder = folder
        mkdir(folder, 0o755)
        own = UUID().uuidString
        let path = "\(folder)/\(own)"
        descriptor = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0o644)
        guard descriptor >= 0, flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            throw SQLiteLedger.failed(
                POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO), path)
        }
        for name in (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? [] { _ = isAlive(name) }
    }

    deinit {
        unlink("\(folder)/\(own)")
        close(descriptor)
    }

    /// Whether the process that this name belongs to lives. The file of a dead one is removed.
    func isAlive(_ owner: String) -> Bool {
        if owner == own { return true }
        guard !owner.contains("/") else { return false }
        let path = "\(folder)/\(owner)"
        let other = open(path, O_RDWR | O_CLOEXEC)
        guard other >= 0 else { return errno != ENOENT }
        defer { close(other) }
        guard flock(other, LOCK_EX | LOCK_NB) == 0 else { return true }
        unlink(path)
        return false
    }
}
