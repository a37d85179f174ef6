import DubCore
import DubHTTP
import DubTestKit
import DubWatch
import Foundation
import Testing

@testable import DubNotify

@Suite struct Recipients {
    private let notice = Notice(
        .failed, "A file failed", about: ["item.path": "/in/<film>.mp4", "run.id": "r-1"],
        error: DubError(.mediaUnreadable, "It is no film.", at: "/in/film.mp4", fix: "Send another."))

    private func body(_ request: HTTPRequest) -> String {
        if case .data(let data) = request.body { String(decoding: data, as: UTF8.self) } else { "" }
    }

    private func request(_ entry: NotifyEntry, _ notice: Notice? = nil) throws -> HTTPRequest {
        try Recipient(entry).request(
            notice ?? self.notice, version: "1.0", host: "mill", now: Date(timeIntervalSince1970: 1_700_000_000))
    }

    @Test("a webhook is signed over time and body: openssl comes to the same")
    func webhook() async throws {
        let sent = try request(
            NotifyEntry(kind: .webhook, url: .plain("https://x.example/hook"), key: .plain("secret")))
        #expect(sent.headers["Dubmill-Timestamp"] == "1700000000")
        let json = try JSONValue.parse(Data(body(sent).utf8))
        #expect(
            json["event"] == "failed" && json["error"]?["code"] == "media.unreadable"
                && json["about"]?["run.id"] == "r-1")
        try await withScratch { scratch in
            let file = scratch.appendingPathComponent("signed")
            try Data("1700000000.\(body(sent))".utf8).write(to: file)
            let process = Process()
            let output = Pipe()
            process.executableURL = URL(fileURLWithPath: "/usr/bin/openssl")
            process.arguments = ["dgst", "-sha256", "-hmac", "secret", "-r", file.path]
            process.standardOutput = output
            try process.run()
            process.waitUntilExit()
            let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
            #expect(sent.headers["Dubmill-Signature"] == "v1=\(text.prefix(64))")
        }
    }

    @Test("Slack, PagerDuty and Sentry are told in their forms")
    func forms() throws {
        let slack = try JSONValue.parse(
            Data(body(try request(NotifyEntry(kind: .slack, url: .plain("https://hooks.example/s")))).utf8))
        let text = try #require(slack["text"]?.string)
        #expect(text.contains("*A file failed* (mill)") && text.contains("`/in/&lt;film&gt;.mp4`"))
        let pager = try request(NotifyEntry(kind: .pagerduty, key: .plain("routing")))
        #expect(pager.url == "https://events.pagerduty.com/v2/enqueue")
        let event = try JSONValue.parse(Data(body(pager).utf8))
        #expect(event["routing_key"] == "routing" && event["event_action"] == "trigger")
        #expect(event["payload"]?["severity"] == "error" && event["payload"]?["source"] == "mill")
        let over = try request(
            NotifyEntry(kind: .pagerduty, key: .plain("routing")), Notice(.stuck, "It moves", isOver: true))
        let stuck = try request(NotifyEntry(kind: .pagerduty, key: .plain("routing")), Notice(.stuck, "It is stuck"))
        let (first, second) = (
            try JSONValue.parse(Data(body(stuck).utf8)), try JSONValue.parse(Data(body(over).utf8))
        )
        #expect(second["event_action"] == "resolve" && first["dedup_key"] == second["dedup_key"])
        let sentry = try request(NotifyEntry(kind: .sentry, url: .plain("https://abc@o1.sentry.example/sub/42")))
        #expect(sentry.url == "https://o1.sentry.example/sub/api/42/envelope/")
        #expect(sentry.headers["X-Sentry-Auth"]?.hasSuffix("sentry_key=abc") == true)
        let lines = body(sentry).split(separator: "\n").map { try? JSONValue.parse(Data($0.utf8)) }
        #expect(
            lines.count == 3 && lines[1]?["length"]?.integer == Int64(body(sentry).split(separator: "\n")[2].utf8.count)
        )
        #expect(lines[2]?["exception"]?["values"]?.array?.first?["type"] == "media.unreadable")
    }

    @Test("secrets come from files and variables; what is missing is told without them, and no place shows one")
    func secrets() async throws {
        try await withScratch { scratch in
            let file = scratch.appendingPathComponent("url")
            try Data("https://hooks.example/services/T0/hush\n".utf8).write(to: file)
            let slack = try Recipient(NotifyEntry(kind: .slack, url: .file(file.path)))
            #expect(slack.place == "slack at hooks.example")
            let sentry = try Recipient(
                NotifyEntry(kind: .sentry, url: .environment("DSN")), environment: ["DSN": "https://hush@h.example/1"])
            #expect(sentry.place == "sentry at h.example")
            for entry in [
                NotifyEntry(kind: .slack, url: .file("/none")), NotifyEntry(kind: .slack, url: .environment("NONE")),
                NotifyEntry(kind: .slack, url: .plain("hush")), NotifyEntry(kind: .sentry, url: .plain("https://h/1")),
            ] {
                let error = #expect(throws: DubError.self) { try Recipient(entry, environment: [:]) }
                #expect(error?.code == .settingsInvalid && error?.description.contains("hush") == false)
            }
        }
    }
}

@Suite struct Notifiers {
    @Test("what fails for now is tried again with the same delivery; what is refused is given up")
    func retries() async throws {
        let seen = Box<[(path: String, delivery: String)]>([])
        let server = try LoopbackServer { connection in
            while let request = connection.readRequest() {
                let path = request.head.first?.split(separator: " ")[1] ?? ""
                let delivery = request.head.first { $0.lowercased().hasPrefix("dubmill-delivery") } ?? ""
                seen.update { $0.append((String(path), delivery)) }
                let count = seen.value.filter { $0.path == path }.count
                if path == "/refuses" {
                    connection.answer(status: "403 Forbidden")
                } else {
                    connection.answer(status: count < 3 ? "503 Service Unavailable" : "204 No Content")
                }
            }
        }
        let outcomes = Box<[Notifier.Outcome]>([])
        let recipients = try ["/heals", "/refuses"].map {
            try Recipient(
                NotifyEntry(kind: .webhook, url: .plain("http://127.0.0.1:\(server.port)\($0)"), key: .plain("k")))
        }
        let notifier = Notifier(
            recipients, client: HTTPClient(), version: "1", host: "mill", pause: .milliseconds(5)
        ) { outcome in outcomes.update { $0.append(outcome) } }
        await notifier.post(Notice(.finished, "A file was dubbed"))
        await notifier.post(Notice(.error, "Not for webhooks"))
        await notifier.flush(within: .seconds(30))
        let heals = seen.value.filter { $0.path == "/heals" }
        #expect(heals.count == 3 && Set(heals.map(\.delivery)).count == 1)
        #expect(seen.value.filter { $0.path == "/refuses" }.count == 1)
        #expect(outcomes.value.count == 2)
        let dropped = outcomes.value.compactMap { outcome -> DubError? in
            if case .dropped(_, let error) = outcome { error } else { nil }
        }
        #expect(dropped.count == 1 && dropped.first?.what.contains("403") == true)
    }

    @Test("an error of a kind is told once a minute, and flushing gives up what does not come through")
    func floods() async throws {
        let requests = Box(0)
        let server = try LoopbackServer { connection in
            while connection.readRequest() != nil {
                requests.update { $0 += 1 }
                connection.answer(status: "503 Service Unavailable")
            }
        }
        let outcomes = Box(0)
        let notifier = Notifier(
            [try Recipient(NotifyEntry(kind: .sentry, url: .plain("http://key@127.0.0.1:\(server.port)/1")))],
            client: HTTPClient(), version: "1", host: "mill", pause: .seconds(600)
        ) { _ in outcomes.update { $0 += 1 } }
        for _ in 0..<100 {
            await notifier.post(
                Notice(.error, "node.failed", error: DubError(.mediaFailed, "x", at: "y", fix: "z")))
        }
        #expect(try await eventually { requests.value == 1 })
        await notifier.flush(within: .milliseconds(50))
        #expect(requests.value == 1 && outcomes.value == 1)
    }
}
