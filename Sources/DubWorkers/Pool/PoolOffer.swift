internal import DubCore

/// What the workers of a pool can do together, and which of them do the same.
///
/// The first worker that has a model installed says which weights and revision are meant: results have to be the same
/// wherever they are made. A worker with others under that name is not asked for it.
struct PoolOffer {
    private struct Key: Hashable {
        var task: WorkerTask
        var model: String
    }

    private struct Make: Hashable {
        var digest: String?
        var revision: Int
    }

    private var agreed: [Key: Make] = [:]
    private(set) var merged = Capabilities(tasks: [:])

    /// Adds what one worker says; the models that it has in another make.
    mutating func add(_ capabilities: Capabilities) -> [String] {
        var strange: [String] = []
        for (task, models) in capabilities.tasks {
            for model in models {
                let index = merged.tasks[task]?.firstIndex { $0.model == model.model }
                if let index, model.isInstalled, merged.tasks[task]?[index].isInstalled == false {
                    merged.tasks[task]?[index] = model
                } else if index == nil {
                    merged.tasks[task, default: []].append(model)
                }
                guard model.isInstalled else { continue }
                let key = Key(task: task, model: model.model)
                let make = Make(digest: model.digest, revision: model.revision)
                if let known = agreed[key], known != make { strange.append(model.model) }
                agreed[key] = agreed[key] ?? make
            }
        }
        return strange.sorted()
    }

    /// Whether a worker that says this does what the pool means by a model.
    func serves(_ capabilities: Capabilities, _ task: WorkerTask, _ name: String) -> Bool {
        guard let model = capabilities.model(name, for: task), model.isInstalled else { return false }
        return agreed[Key(task: task, model: name)] == Make(digest: model.digest, revision: model.revision)
    }
}
