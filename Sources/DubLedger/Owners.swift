internal import DubCore

/// Which processes on this machine hold claims: each keeps a file locked for as long as it lives.
///
/// A claim needs no heartbeat and no clock: it is void as soon as its owner's file can be locked by somebody else.
/// See docs/adr/0005-durability.md.
final class Owners: Sendable {
    private let presence: Presence

    /// This process's name among the owners.
    var own: String { presence.name }

    /// Locks a file of its own in `folder`.
    ///
    /// - Throws: `ledger.failed` where that cannot be.
    init(folder: String) throws(DubError) {
        do {
            presence = try Presence(in: folder)
        } catch {
            throw SQLiteLedger.failed(error, folder)
        }
    }

    /// Whether the process that this name belongs to lives. The file of a dead one is removed.
    func isAlive(_ owner: String) -> Bool { presence.isAlive(owner) }
}
