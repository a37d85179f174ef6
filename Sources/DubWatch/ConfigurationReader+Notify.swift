internal import DubCore
internal import Foundation
internal import Yams

extension ConfigurationReader {
    /// Reads one of the `notify` of a `dubmill.yaml`.
    mutating func notified(_ node: Node) -> NotifyEntry? {
        var kind: NotifyEntry.Kind?
        var (url, key): (NotifyEntry.Value?, NotifyEntry.Value?)
        var events: Set<NotifyEntry.Event>?
        let before = faults.count
        for (name, value) in fields(node, ["kind", "url", "url-file", "url-env", "key-file", "key-env", "on"]) {
            switch name {
            case "kind":
                kind = choice(value, NotifyEntry.Kind.allCases.map(\.rawValue)).flatMap { .init(rawValue: $0) }
            case "url": url = text(value).map { .plain($0) }
            case "url-file": url = path(value).map { .file($0) }
            case "url-env": url = text(value).map { .environment($0) }
            case "key-file": key = path(value).map { .file($0) }
            case "key-env": key = text(value).map { .environment($0) }
            default:
                let names = texts(value)
                for name in names where NotifyEntry.Event(rawValue: name) == nil {
                    fault(
                        value, "`\(name)` is nothing that is told.",
                        "There are \(NotifyEntry.Event.allCases.map(\.rawValue).joined(separator: ", ")).")
                }
                events = Set(names.compactMap { NotifyEntry.Event(rawValue: $0) })
            }
        }
        guard faults.count == before else { return nil }
        guard let kind else {
            fault(node, "It lacks `kind`.", "Write `kind: webhook`, slack, pagerduty or sentry.")
            return nil
        }
        if url == nil, kind != .pagerduty {
            fault(node, "It names no address.", "Write `url: https://…`, or `url-file: FILE` where that is a secret.")
        }
        if key == nil, kind == .pagerduty || kind == .webhook {
            fault(
                node, kind == .webhook ? "There is nothing to sign with." : "There is no routing key.",
                "Write `key-file: FILE` or `key-env: VARIABLE`.")
        }
        return NotifyEntry(kind: kind, url: url, key: key, events: events, line: node.mark?.line ?? 0)
    }
}
