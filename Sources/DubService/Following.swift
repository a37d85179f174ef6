internal import DubCore
internal import Foundation

/// One follower of a run's events.
struct Following: Sendable {
    let desk: any Desk
    let id: String
    /// The last event that came before the connection was lost, as it was called.
    let last: String?

    private static let silence = Duration.seconds(15)
    private static let end = "end"

    /// Whether nothing will come any more: the answer to whom the end was told already.
    ///
    /// - Throws: `run.unknown`.
    func isOver() async throws -> Bool {
        let run = try await desk.run(id)
        return last == Self.end && run.view.status.isEnd
    }

    /// Writes events until the run ends.
    @concurrent
    func write(to writer: inout EventWriter) async throws {
        try await writer.retry(after: 2000)
        if let feed = await desk.feed(of: id) { try await follow(feed, &writer) }
        try await watch(&writer)
    }

    /// A run of this daemon: what it tells.
    @concurrent
    private func follow(_ feed: RunFeed, _ writer: inout EventWriter) async throws {
        var position: UInt64
        if let known = number(in: feed) {
            position = known
        } else {
            position = feed.last
            try await whole(feed, position, &writer)
        }
        while true {
            try Task.checkCancellation()
            switch await feed.next(after: position, atMost: Self.silence) {
            case .events(let events):
                for event in events {
                    try await writer.event(event.name, id: "\(feed.name)-\(event.number)", event.data)
                    position = event.number
                }
            case .lagged(let now):
                try await whole(feed, now, &writer)
                position = now
            case .nothing: try await writer.pulse()
            case .end: return
            }
        }
    }

    private func number(in feed: RunFeed) -> UInt64? {
        guard let last, last.hasPrefix(feed.name + "-") else { return nil }
        return UInt64(last.dropFirst(feed.name.count + 1))
    }

    @concurrent
    private func whole(_ feed: RunFeed, _ number: UInt64, _ writer: inout EventWriter) async throws {
        try await writer.event("run", id: "\(feed.name)-\(number)", try await desk.run(id).json())
    }

    /// A run of another process, or one that has ended: what the ledger tells, when that changes.
    @concurrent
    private func watch(_ writer: inout EventWriter) async throws {
        var told: JSONValue?
        var quiet = ContinuousClock.now
        while true {
            let run = try await desk.run(id)
            let now = try run.json()
            if run.view.status.isEnd { return try await writer.event("end", id: Self.end, now) }
            if now != told {
                try await writer.event("run", id: "ledger", now)
                (told, quiet) = (now, .now)
            } else if ContinuousClock.now - quiet > Self.silence {
                try await writer.pulse()
                quiet = .now
            }
            try await Task.sleep(for: .seconds(1))
        }
    }
}

/// How many follow, of how many that may.
final class FollowerCount: Sendable {
    /// A follower's place, free again with the last reference to it.
    final class Place: Sendable {
        private let count: FollowerCount

        init(_ count: FollowerCount) {
            self.count = count
        }

        deinit {
            count.taken.withLock { $0 -= 1 }
        }
    }

    private let most: Int
    fileprivate let taken = Locked(0)

    init(most: Int) {
        self.most = most
    }

    /// How many follow now.
    var now: Int { taken.withLock { $0 } }

    /// - Throws: `followers.too-many`.
    func take() throws(DubError) -> Place {
        let isFree = taken.withLock { taken in
            guard taken < most else { return false }
            taken += 1
            return true
        }
        guard isFree else {
            throw DubError(
                .followersTooMany, "\(most) follow events, and no more may.", at: "http: followers",
                fix: "Close some, try again later, or raise the limit.")
        }
        return Place(self)
    }
}
