internal import DubCore
internal import DubStorage
internal import Foundation

/// The setting `store-budget`: a run that has ended removes what is over it.
struct StoreBudget: Sendable, Hashable {
    /// Bytes that objects may take.
    var bytes: Int64

    /// - Throws: `settings.invalid` for what is no size.
    init?(_ settings: Settings) throws {
        guard let text = settings.value("store-budget", flag: nil) else { return nil }
        guard let size = ByteCount(argument: text) else {
            throw DubError(
                .settingsInvalid, "`store-budget` is \(text), and has to be a size.", at: "store-budget",
                fix: "Give bytes, or a number with a unit, such as 50GiB.")
        }
        bytes = size.bytes
    }

    /// Removes what is over the budget, least recently used first, and says so where there was something.
    ///
    /// What goes wrong here is told and changes nothing of the run.
    /// - Parameter isDone: whether no run of this process needs anything any more.
    func keep(
        _ machine: Machine, isDone: Bool, tell: @Sendable (String) -> Void = { Console.note($0) }
    ) async {
        do {
            let report = try await Housekeeping(store: machine.store, ledger: machine.ledger).collect(
                .init(budget: bytes), isDone: isDone)
            let freed = report.orphans.bytes + report.evicted.bytes
            guard freed > 0 else { return }
            tell(
                "The store was over \(ByteCount.text(bytes)): \(ByteCount.text(freed)) of what was not used for longest"
                    + " removed.")
        } catch {
            tell("\(error)")
        }
    }
}
