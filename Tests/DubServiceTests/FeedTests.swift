import DubCore
import DubTestKit
import Testing

@testable import DubService

@Suite struct Feeds {
    private func numbers(_ news: RunFeed.News) -> [UInt64]? {
        if case .events(let events) = news { events.map(\.number) } else { nil }
    }

    @Test("what came after a number is given, and waited for")
    func order() async throws {
        let feed = RunFeed()
        feed.publish("node", 1)
        feed.publish("node", 2)
        #expect(numbers(await feed.next(after: 0, atMost: .seconds(5))) == [1, 2])
        #expect(numbers(await feed.next(after: 1, atMost: .seconds(5))) == [2])
        async let waited = feed.next(after: 2, atMost: .seconds(60))
        async let other = feed.next(after: 2, atMost: .seconds(60))
        feed.publish("node", 3)
        let (one, two) = await (waited, other)
        #expect(numbers(one) == [3] && numbers(two) == [3])
        guard case .nothing = await feed.next(after: 3, atMost: .milliseconds(5)) else {
            Issue.record("there was something")
            return
        }
        feed.end()
        feed.publish("node", 4)
        #expect(feed.last == 3)
        guard case .end = await feed.next(after: 3, atMost: .seconds(60)) else {
            Issue.record("it had not ended")
            return
        }
    }

    @Test(
        "who lags behind what is kept, or is ahead of it, looks at the whole again; no more than twice as much is kept")
    func lag() async throws {
        let feed = RunFeed(kept: 10)
        for number in 1...100 { feed.publish("node", .integer(Int64(number))) }
        guard case .lagged(let to) = await feed.next(after: 5, atMost: .seconds(5)) else {
            Issue.record("all of it was kept")
            return
        }
        #expect(to == 100)
        let kept = try #require(numbers(await feed.next(after: 90, atMost: .seconds(5))))
        #expect(kept == Array(91...100))
        guard case .lagged = await feed.next(after: 1000, atMost: .seconds(5)) else {
            Issue.record("the future was known")
            return
        }
    }

    @Test("who is cancelled waits no more")
    func cancelled() async throws {
        let feed = RunFeed()
        let task = Task { await feed.next(after: 0, atMost: .seconds(600)) }
        task.cancel()
        guard case .end = await task.value else {
            Issue.record("it went on")
            return
        }
    }
}
