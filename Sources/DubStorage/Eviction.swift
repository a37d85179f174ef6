public import DubCore
public import DubRunner
public import Foundation

/// Which objects of a store may go: those that no result names, and those of the results that were of no use for the
/// longest. A decision: nothing is touched.
public struct Eviction: Sendable {
    /// What is to stay within bounds.
    public struct Limits: Sendable, Hashable {
        /// Bytes that objects may take.
        public var budget: Int64?
        /// Results that no run used since then go.
        public var unusedSince: Date?

        /// No limits.
        public init(budget: Int64? = nil, unusedSince: Date? = nil) {
            self.budget = budget
            self.unusedSince = unusedSince
        }
    }

    /// Objects that no result names and nobody relies on.
    public private(set) var orphans: [StoredObject] = []
    /// Objects of results that are given up, and of no other.
    public private(set) var evicted: [StoredObject] = []
    /// Results that are given up.
    public private(set) var results: [StoredResult] = []
    /// Bytes of all objects that stay.
    public private(set) var bytesLeft: Int64 = 0

    /// Decides.
    ///
    /// - Parameter isPinned: whether a living process relies on an object: it stays, and so do the results it is part of.
    public init(
        of objects: [StoredObject], results: [StoredResult], limits: Limits, isPinned: (Digest) -> Bool
    ) {
        var present: [StoredObject.Name: StoredObject] = [:]
        for object in objects { present[object.name] = object }
        var users: [StoredObject.Name: Int] = [:]
        for result in results { for name in Set(result.artifacts.map(\.name)) { users[name, default: 0] += 1 } }
        for object in objects {
            if users[object.name] == nil, !isPinned(object.digest) {
                orphans.append(object)
            } else {
                bytesLeft += object.size
            }
        }
        guard limits != Limits() else { return }
        // By the order of runs; the time when it was made tells those of one run apart.
        for result in results.sorted(by: { ($0.lastRun, $0.made) < ($1.lastRun, $1.made) }) {
            let isOld = limits.unusedSince.map { result.lastUse < $0 } ?? false
            let isOver = limits.budget.map { bytesLeft > $0 } ?? false
            guard isOld || isOver, !result.artifacts.contains(where: { isPinned($0.digest) }) else { continue }
            let names = Set(result.artifacts.map(\.name))
            let freed = names.filter { users[$0] == 1 }.compactMap { present[$0] }
            for name in names { users[name, default: 1] -= 1 }
            evicted += freed
            bytesLeft -= freed.reduce(0) { $0 + $1.size }
            self.results.append(result)
        }
    }

    /// Which of the given-up results are of no use any more, now that some objects are gone.
    ///
    /// - Parameter before: what was there before anything was removed.
    public func forgettable(gone: [StoredObject], before: [StoredObject]) -> [StoredResult] {
        let left = Set(before.map(\.name)).subtracting(gone.map(\.name))
        return results.filter { !$0.artifacts.allSatisfy { left.contains($0.name) } }
    }
}
