internal import DubCore

/// What is left of a batch that may break off and be taken up elsewhere. Pure.
///
/// After it has broken off once its items go one by one, so that one item which breaks its worker is found out and
/// takes no other with it.
struct PoolRun {
    /// All results so far, in order of completion.
    private(set) var results: [ItemResult] = []
    private var left: [(id: String, item: JSONValue)]
    private var breaks: [String: Int] = [:]
    private var isAlone = false
    private let mostBreaks: Int

    /// - Parameter mostBreaks: how often the stream of an item may break off before the item is given up; ≥ 1.
    init(_ items: [JSONValue], mostBreaks: Int) {
        left = items.map { ($0["id"]?.string ?? "", $0) }
        self.mostBreaks = mostBreaks
    }

    /// What is to be sent next; nothing when all is done.
    var next: [JSONValue] { isAlone ? left.prefix(1).map(\.item) : left.map(\.item) }

    /// Takes a result; `false` for one that belongs to no item, or to one that has its result.
    mutating func take(_ result: ItemResult) -> Bool {
        guard let index = left.firstIndex(where: { $0.id == result.id }) else { return false }
        left.remove(at: index)
        results.append(result)
        return true
    }

    /// Notes that the stream of `sent` broke off; gives the items that are given up.
    mutating func broke(_ sent: [JSONValue], why: String) -> [ItemResult] {
        isAlone = true
        let ids = Set(sent.compactMap { $0["id"]?.string })
        var lost: [ItemResult] = []
        for (id, _) in left where ids.contains(id) {
            breaks[id, default: 0] += 1
            guard breaks[id, default: 0] >= mostBreaks else { continue }
            let message = "the connection broke off \(mostBreaks) times at this item; the last time: \(why)"
            lost.append(ItemResult(id: id, outcome: .failed(WorkerFault(code: "internal", message: message))))
        }
        for result in lost { _ = take(result) }
        return lost
    }
}
