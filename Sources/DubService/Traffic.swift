internal import DubCore

/// How many requests were answered how.
final class Traffic: Sendable {
    private struct Key: Hashable {
        var route: String
        var status: Int
    }

    private let counts = Locked<[Key: Int]>([:])
    private let followersNow = Locked<FollowerCount?>(nil)

    var followers: FollowerCount? {
        get { followersNow.withLock { $0 } }
        set { followersNow.withLock { $0 = newValue } }
    }

    func count(_ route: String, _ status: Int) {
        counts.withLock { $0[Key(route: route, status: status), default: 0] += 1 }
    }

    var figures: [MetricFamily] {
        var requests = MetricFamily("dubmill_http_requests_total", .counter, "Requests that were answered")
        for (key, count) in counts.withLock({ $0 }).sorted(by: {
            ($0.key.route, $0.key.status) < ($1.key.route, $1.key.status)
        }) {
            requests.add(Double(count), ("route", key.route), ("status", "\(key.status)"))
        }
        return [
            requests,
            MetricFamily("dubmill_http_followers", .gauge, "Followers of events", Double(followers?.now ?? 0)),
        ]
    }
}
