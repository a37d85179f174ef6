internal import DubCore

/// Items that wait for a worker, and which of them go together. Pure: it knows no tasks and no clock.
struct BatchQueue {
    /// What items must share to go into one batch.
    struct Key: Hashable {
        var task: WorkerTask
        var model: String
        var options: JSONValue
    }

    /// One item that waits.
    struct Entry: Hashable {
        /// Unique, and greater than that of every item that came before.
        var id: UInt64
        var key: Key
        /// How much work it is, in any unit: seconds of audio, characters.
        var cost: Double
        /// Whether it goes by itself: it was in a batch that broke off, and may be what broke it.
        var isAlone = false
    }

    /// By task, oldest first.
    private var waiting: [WorkerTask: [Entry]] = [:]

    /// Adds the youngest item.
    mutating func add(_ entry: Entry) {
        waiting[entry.key.task, default: []].append(entry)
    }

    /// Takes an item out; `false` where it does not wait.
    mutating func remove(_ id: UInt64) -> Bool {
        for (task, entries) in waiting {
            guard let index = entries.firstIndex(where: { $0.id == id }) else { continue }
            waiting[task]?.remove(at: index)
            return true
        }
        return false
    }

    /// The next batch of a task: the oldest item, and those that go with it whose cost is nearest, in order of cost.
    ///
    /// Items of like cost fill a padded batch best. The oldest item is always in it, so none waits for ever.
    mutating func next(for task: WorkerTask, upTo size: Int) -> [Entry] {
        guard let oldest = waiting[task]?.first else { return [] }
        guard !oldest.isAlone else {
            waiting[task]?.removeFirst()
            return [oldest]
        }
        let fellows = (waiting[task] ?? []).filter { $0.key == oldest.key && !$0.isAlone }
            .sorted { ($0.cost, $0.id) < ($1.cost, $1.id) }
        let position = fellows.firstIndex(of: oldest) ?? 0
        let start = max(0, min(position - size / 2, fellows.count - size))
        let batch = Array(fellows[start..<min(start + size, fellows.count)])
        let taken = Set(batch.map(\.id))
        waiting[task]?.removeAll { taken.contains($0.id) }
        return batch
    }

    /// How many items wait for a task.
    func count(of task: WorkerTask) -> Int { waiting[task]?.count ?? 0 }
}
