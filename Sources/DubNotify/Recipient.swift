internal import Crypto
public import DubCore
internal import DubHTTP
public import DubWatch
public import Foundation

/// Somebody who is told, with the secrets that takes.
public struct Recipient: Sendable {
    let entry: NotifyEntry
    private let url: String
    private let key: String

    /// Finds the secrets of an entry.
    ///
    /// - Throws: `settings.invalid` for a file or variable that there is not, and for what is no address. The message
    ///   holds no secret.
    public init(
        _ entry: NotifyEntry, environment: [String: String] = ProcessInfo.processInfo.environment
    ) throws(DubError) {
        self.entry = entry
        url = try Self.read(entry.url, "url", environment) ?? "https://events.pagerduty.com/v2/enqueue"
        key = try Self.read(entry.key, "key", environment) ?? ""
        let isAddress = url.hasPrefix("https://") || url.hasPrefix("http://")
        guard isAddress, !url.utf8.contains(where: { $0 <= 32 }), entry.kind != .sentry || Self.sentry(url) != nil
        else {
            throw DubError(
                .settingsInvalid, "That is no address for \(entry.kind.rawValue).", at: "notify: url",
                fix: entry.kind == .sentry ? "Give a DSN: https://KEY@HOST/PROJECT." : "Give https://HOST/PATH.")
        }
    }

    /// `slack at hooks.slack.com`: what may be shown. Paths of webhooks are secrets.
    var place: String {
        let rest = url.drop { $0 != "/" }.drop { $0 == "/" }.prefix { $0 != "/" && $0 != "?" }
        return "\(entry.kind.rawValue) at \(rest.split(separator: "@").last ?? "?")"
    }

    private static func read(
        _ value: NotifyEntry.Value?, _ name: String, _ environment: [String: String]
    ) throws(DubError) -> String? {
        let (text, place): (String?, String)
        switch value {
        case nil: return nil
        case .plain(let plain): return plain
        case .file(let path): (text, place) = (try? String(contentsOfFile: path, encoding: .utf8), path)
        case .environment(let variable): (text, place) = (environment[variable], "$\(variable)")
        }
        let trimmed = text?.trimmingCharacters(in: .whitespacesAndNewlines) ?? ""
        guard !trimmed.isEmpty else {
            throw DubError(
                .settingsInvalid, "The \(name) cannot be read, or is empty.", at: "notify: \(place)",
                fix: "Put it there, alone, readable for dubmill.")
        }
        return trimmed
    }

    // MARK: - Requests

    /// What is sent.
    ///
    /// - Parameters:
    ///   - version: what the program calls itself.
    ///   - now: when it is sent.
    func request(_ notice: Notice, version: String, host: String, now: Date) -> HTTPRequest {
        switch entry.kind {
        case .webhook: webhook(notice, host, now)
        case .slack: json(url, Self.slack(notice, host))
        case .pagerduty: json(url, pagerduty(notice, host))
        case .sentry: sentry(notice, version, host, now)
        }
    }

    private func json(_ url: String, _ body: JSONValue, _ more: [HTTPHeaders.Field] = []) -> HTTPRequest {
        HTTPRequest(
            "POST", url, headers: HTTPHeaders([.init(name: "Content-Type", value: "application/json")] + more),
            body: .data(Data(body.canonical.utf8)),
            patience: .init(connect: .seconds(10), idle: .seconds(20), total: .seconds(30)), responseLimit: 64 << 10)
    }

    static func webhook(_ notice: Notice, _ host: String) -> JSONValue {
        var body: [String: JSONValue] = [
            "event": .string(notice.event.rawValue), "id": .string(notice.id.uuidString), "host": .string(host),
            "time": .string(notice.time.formatted(.iso8601)), "what": .string(notice.what),
            "about": .object(notice.about.mapValues { .string($0) }), "over": .bool(notice.isOver),
        ]
        if let error = notice.error {
            body["error"] = [
                "code": .string(error.code.name), "message": .string(error.what), "where": .string(error.place),
                "fix": .string(error.fix),
            ]
        }
        return .object(body)
    }

    /// Signed as GitHub and Stripe do it: HMAC-SHA256 over the time and the body, so that neither is sent again later.
    private func webhook(_ notice: Notice, _ host: String, _ now: Date) -> HTTPRequest {
        let body = Self.webhook(notice, host)
        let time = String(Int(now.timeIntervalSince1970))
        let code = HMAC<SHA256>.authenticationCode(
            for: Data("\(time).\(body.canonical)".utf8), using: SymmetricKey(data: Data(key.utf8)))
        let signature = code.map { byte in (byte < 16 ? "0" : "") + String(byte, radix: 16) }.joined()
        return json(
            url, body,
            [
                .init(name: "Dubmill-Timestamp", value: time),
                .init(name: "Dubmill-Signature", value: "v1=\(signature)"),
                .init(name: "Dubmill-Delivery", value: notice.id.uuidString),
            ])
    }

    private static func slack(_ notice: Notice, _ host: String) -> JSONValue {
        func escaped(_ text: String) -> String {
            text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
        }
        var lines = ["*\(escaped(notice.what))* (\(escaped(host)))"]
        lines += notice.about.sorted { $0.key < $1.key }.map {
            "\(escaped($0.key)): `\(escaped($0.value).replacing("`", with: "'"))`"
        }
        if let error = notice.error {
            lines.append("`\(escaped(error.code.name))` \(escaped(error.what)) \(escaped(error.fix))")
        }
        return ["text": .string(lines.joined(separator: "\n"))]
    }

    private func pagerduty(_ notice: Notice, _ host: String) -> JSONValue {
        // One incident a file or queue, however often it is told.
        let subject = notice.about["item.path"] ?? notice.about["run.id"] ?? host
        var details = notice.about.mapValues { JSONValue.string($0) }
        if let error = notice.error {
            details["error.code"] = .string(error.code.name)
            details["error.fix"] = .string(error.fix)
        }
        return [
            "routing_key": .string(key), "event_action": notice.isOver ? "resolve" : "trigger",
            "dedup_key": .string("dubmill/\(notice.event.rawValue)/\(Digest.of(subject).hex.prefix(32))"),
            "client": "dubmill",
            "payload": [
                "summary": .string(String((notice.what + (notice.error.map { ": \($0.what)" } ?? "")).prefix(1024))),
                "source": .string(host), "severity": notice.event == .finished ? "info" : "error",
                "timestamp": .string(notice.time.formatted(.iso8601)), "component": "daemon",
                "class": .string(notice.event.rawValue), "custom_details": .object(details),
            ],
        ]
    }

    /// What a DSN says: `https://KEY@HOST/PROJECT`.
    private static func sentry(_ dsn: String) -> (url: String, key: String)? {
        guard let scheme = dsn.range(of: "://"), let at = dsn.lastIndex(of: "@"),
            let slash = dsn.lastIndex(of: "/"), at > scheme.upperBound, slash > at
        else { return nil }
        let key = dsn[scheme.upperBound..<at].prefix { $0 != ":" }
        let project = dsn[dsn.index(after: slash)...]
        guard !key.isEmpty, !project.isEmpty else { return nil }
        let base = "\(dsn[..<scheme.upperBound])\(dsn[dsn.index(after: at)..<slash])"
        return ("\(base)/api/\(project)/envelope/", String(key))
    }

    private func sentry(_ notice: Notice, _ version: String, _ host: String, _ now: Date) -> HTTPRequest {
        let (place, key) = Self.sentry(url) ?? (url, "")
        let id = notice.id.uuidString.replacing("-", with: "").lowercased()
        let code = notice.error?.code.name ?? notice.event.rawValue
        let event: JSONValue = [
            "event_id": .string(id), "timestamp": .number(notice.time.timeIntervalSince1970), "platform": "other",
            "level": "error", "logger": "dubmill", "release": .string("dubmill@\(version)"),
            "server_name": .string(host),
            "exception": ["values": [["type": .string(code), "value": .string(notice.error?.what ?? notice.what)]]],
            "tags": .object(["code": .string(code)]),
            "extra": .object(
                notice.about.mapValues { .string($0) }.merging([
                    "where": .string(notice.error?.place ?? ""), "fix": .string(notice.error?.fix ?? ""),
                    "event": .string(notice.what),
                ]) { $1 }),
            "fingerprint": [.string(code), .string(notice.what)],
        ]
        let text = event.canonical
        let head: JSONValue = ["event_id": .string(id), "sent_at": .string(now.formatted(.iso8601))]
        let item: JSONValue = ["type": "event", "length": .integer(Int64(text.utf8.count))]
        var request = json(place, .null)
        request.headers["Content-Type"] = "application/x-sentry-envelope"
        request.headers["X-Sentry-Auth"] =
            "Sentry sentry_version=7, sentry_client=dubmill/\(version), sentry_key=\(key)"
        request.body = .data(Data("\(head.canonical)\n\(item.canonical)\n\(text)\n".utf8))
        return request
    }
}
