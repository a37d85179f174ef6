internal import DubCore
internal import DubGraph
internal import Foundation
internal import Yams

extension ConfigurationReader {
    /// Reads the `http` of a `dubmill.yaml`.
    mutating func service(_ node: Node) -> ServiceEntry {
        var entry = ServiceEntry()
        entry.line = node.mark?.line ?? 0
        let known = [
            "listen", "tls", "behind-proxy", "anonymous", "tokens", "roots", "out", "pipelines", "body", "headers",
            "followers", "connections", "idle",
        ]
        for (key, node) in fields(node, known) {
            switch key {
            case "listen": listen(node, into: &entry)
            case "tls":
                var (chain, secret): (String?, String?)
                for (key, node) in fields(node, ["certificate", "key"]) {
                    if key == "certificate" { chain = path(node) } else { secret = path(node) }
                }
                if let chain, let secret {
                    entry.certificate = ServiceEntry.Certificate(chain: chain, key: secret)
                } else {
                    fault(node, "TLS needs both files.", "Write `tls: {certificate: FILE, key: FILE}`.")
                }
            case "behind-proxy": entry.isBehindProxy = flag(node) ?? false
            case "anonymous":
                entry.anonymous =
                    choice(node, ServiceEntry.Anonymous.allCases.map(\.rawValue))
                    .flatMap { ServiceEntry.Anonymous(rawValue: $0) } ?? .nothing
            case "tokens": entry.tokens = path(node)
            case "roots": entry.roots = texts(node).map(absolute)
            case "out": entry.out = path(node)
            case "pipelines":
                entry.pipelines = texts(node).map { name in
                    name.contains("/") || name.hasSuffix(".yaml") || name.hasSuffix(".yml") ? absolute(name) : name
                }
            case "body": entry.bodyLimit = size(node, 1024...(1 << 30)) ?? entry.bodyLimit
            case "headers": entry.headerLimit = size(node, 1024...(1 << 20)) ?? entry.headerLimit
            case "followers": entry.followers = whole(node, 1...100_000) ?? entry.followers
            case "connections": entry.connections = whole(node, 1...100_000) ?? entry.connections
            case "idle":
                entry.idle = duration(node) ?? entry.idle
                if entry.idle < 0.1 { fault(node, "That is too short.", "Give 100ms or more.") }
            default: continue
            }
        }
        return entry
    }

    /// `8720`, `127.0.0.1:8720`, `[::]:8720`.
    private mutating func listen(_ node: Node, into entry: inout ServiceEntry) {
        guard let text = text(node) else { return }
        let colon = text.lastIndex(of: ":")
        let host = colon.map { String(text[..<$0]) } ?? "127.0.0.1"
        let bare = host.hasPrefix("[") && host.hasSuffix("]") ? String(host.dropFirst().dropLast()) : host
        let digits = colon.map { text[text.index(after: $0)...] } ?? text[...]
        guard let port = Int(digits), (0...65535).contains(port), !bare.isEmpty, !bare.contains(":") || bare != host
        else {
            return fault(node, "`\(text)` is no address.", "Write HOST:PORT, such as 127.0.0.1:8720.")
        }
        (entry.host, entry.port) = (bare, port)
    }

    /// Bytes.
    private mutating func size(_ node: Node, _ range: ClosedRange<Int64>) -> Int? {
        guard let size = node.string.flatMap({ Quantity.size($0) ?? Int64($0) }), range.contains(size) else {
            fault(
                node, "`\(node.string ?? "")` is no size from \(range.lowerBound) to \(range.upperBound) bytes.",
                "Write a number and a unit: 64KiB, 1MiB.")
            return nil
        }
        return Int(size)
    }
}
