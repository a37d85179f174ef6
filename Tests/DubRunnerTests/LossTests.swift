import DubCore
import DubGraph
import DubRunner
import DubStorage
import Foundation
import Testing

@Suite struct LossTests {
    @Test("a result that is lost is made again once, however many nodes have its key, and told as what it is")
    func once() async throws {
        let bench = try Bench()
        let first = try await bench.run("go go go", slots: 4)
        #expect(first.calls == ["join", "shout go", "split"] && first.text == "GO! GO! GO!")
        let shouted = bench.store.path(of: Artifact(digest: .of("GO!"), size: 3, type: "txt"))
        for (content, wanted) in [("go!", "output word is damaged"), ("GO", "output word is damaged")] {
            try Data(content.utf8).write(to: URL(filePath: shouted))
            let reasons = Locked<[String]>([])
            let again = try await bench.run("go go go", slots: 4) { event in
                if case .nodeStarted(_, _, _, let reason) = event { reasons.withLock { $0.append("\(reason)") } }
            }
            #expect(again.calls == ["shout go"], "\(again.calls)")
            #expect(reasons.withLock { $0 } == [wanted])
            #expect(again.text == "GO! GO! GO!")
        }
        try FileManager.default.removeItem(atPath: shouted)
        let missing = try await bench.run("go go go", slots: 4)
        #expect(missing.calls == ["shout go"])
    }
}
