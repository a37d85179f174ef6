import DubCore
import DubTestKit
import Testing

@testable import DubWorkers

@Suite struct BatchQueueTests {
    private func key(_ model: String) -> BatchQueue.Key {
        BatchQueue.Key(task: .translate, model: model, options: [:])
    }

    @Test(
        "forms batches in order of cost, of bounded size, with the oldest item in each, and loses none",
        arguments: 0..<30)
    func batches(seed: Int) {
        var random = SeededRandom(seed: UInt64(seed))
        var queue = BatchQueue()
        var waiting: [UInt64: BatchQueue.Entry] = [:]
        for id in 1...UInt64(100) {
            let key = key(Bool.random(using: &random) ? "a" : "b")
            let entry = BatchQueue.Entry(
                id: id, key: key, cost: .random(in: 0...10, using: &random).rounded())
            queue.add(entry)
            waiting[id] = entry
        }
        while let oldest = waiting.keys.min() {
            if Int.random(in: 0..<5, using: &random) == 0,
                let gone = waiting.keys.randomElement(using: &random)
            {
                let removed = [queue.remove(gone), queue.remove(gone)]
                #expect(removed == [true, false])
                waiting[gone] = nil
                continue
            }
            let batch = queue.next(for: .translate, upTo: 8)
            #expect((1...8).contains(batch.count))
            #expect(batch.contains { $0.id == oldest })
            #expect(Set(batch.map(\.key)).count == 1)
            #expect(batch.map(\.cost) == batch.map(\.cost).sorted())
            for entry in batch { #expect(waiting.removeValue(forKey: entry.id) == entry) }
        }
        let left = queue.next(for: .translate, upTo: 8)
        #expect(left.isEmpty)
        #expect(queue.count(of: .translate) == 0)
    }

    @Test("an item that was in a batch which broke off goes by itself, before and after others")
    func alone() {
        var queue = BatchQueue()
        for id in UInt64(1)...6 {
            queue.add(.init(id: id, key: key("a"), cost: 1, isAlone: id == 1 || id == 4))
        }
        var batches: [[UInt64]] = []
        while queue.count(of: .translate) > 0 { batches.append(queue.next(for: .translate, upTo: 8).map(\.id)) }
        #expect(batches == [[1], [2, 3, 5, 6], [4]])
    }

    @Test("takes the items whose cost is nearest to the oldest")
    func nearest() {
        var queue = BatchQueue()
        for (id, cost) in [5.0, 100, 6, 1, 4, 99].enumerated() {
            queue.add(.init(id: UInt64(id), key: key("a"), cost: cost))
        }
        let batches = [queue.next(for: .translate, upTo: 3), queue.next(for: .translate, upTo: 3)]
        #expect(batches.map { $0.map(\.cost) } == [[4, 5, 6], [1, 99, 100]])
    }
}
