import DubCore
import DubTestKit
import Foundation
import Testing

extension EndToEnd {
    /// What a daemon tells its service manager, and people.
    @Suite struct Managed {
        @Test("the service manager is told ready, reloading and ready again, signs of life, stopping")
        func notify() async throws {
            try await withScratch { scratch in
                let kit = try DaemonKit(in: scratch)
                try kit.configure()
                let manager = try NotifySocket(at: kit.mill.path("notify"))
                let daemon = try await kit.start(["NOTIFY_SOCKET": manager.path, "WATCHDOG_USEC": "200000"])
                #expect(try await eventually { manager.messages.first?.hasPrefix("READY=1\nSTATUS=1 folders") == true })
                #expect(try await eventually { manager.messages.filter { $0 == "WATCHDOG=1" }.count >= 3 })
                daemon.signal(SIGHUP)
                #expect(try await kit.said("configuration.reloaded", by: daemon))
                #expect(
                    try await eventually {
                        let told = manager.messages.filter { $0 != "WATCHDOG=1" }
                        return told.count == 3 && told[1].hasPrefix("RELOADING=1\nMONOTONIC_USEC=")
                            && told[2].hasPrefix("READY=1")
                    })
                #expect(try await kit.stop(daemon).status == 0)
                #expect(manager.messages.contains { $0.hasPrefix("STOPPING=1") })
            }
        }

        @Test("a webhook is told what finished, failed and was put apart, with a signature, and no secret is logged")
        func webhook() async throws {
            try await withScratch { scratch in
                let bodies = Box<[JSONValue]>([])
                let signed = Box(0)
                let server = try LoopbackServer { connection in
                    while let request = connection.readRequest() {
                        if let body = try? JSONValue.parse(request.body) { bodies.update { $0.append(body) } }
                        if request.head.contains(where: { $0.lowercased().hasPrefix("dubmill-signature: v1=") }) {
                            signed.update { $0 += 1 }
                        }
                        connection.answer()
                    }
                }
                let kit = try DaemonKit(in: scratch)
                try kit.write("hook.key", "hush-hush-key\n")
                try kit.configure(
                    also:
                        "notify: [{kind: webhook, url: \"http://127.0.0.1:\(server.port)/hush-path\", key-file: hook.key}]"
                )
                let daemon = try await kit.start()
                try kit.drop("a.mp4", "a")
                try kit.drop("b.mp4", "fail")
                #expect(try await eventually(within: .seconds(30)) { bodies.value.count == 3 })
                #expect(Set(bodies.value.compactMap { $0["event"]?.string }) == ["finished", "failed", "quarantined"])
                let failed = try #require(bodies.value.first { $0["event"] == "failed" })
                #expect(failed["about"]?["item.path"]?.string?.hasSuffix("/in/b.mp4") == true)
                #expect(failed["error"]?["code"]?.string?.isEmpty == false && signed.value == 3)
                #expect(try await kit.stop(daemon).status == 0)
                #expect(!daemon.saidSoFar.contains("hush"))
            }
        }

        @Test("a queue in which nothing comes to its end is told once, and again when it moves")
        func stuck() async throws {
            try await withScratch { scratch in
                let events = Box<[JSONValue]>([])
                let server = try LoopbackServer { connection in
                    while let request = connection.readRequest() {
                        if let body = try? JSONValue.parse(request.body) { events.update { $0.append(body) } }
                        connection.answer(status: "202 Accepted")
                    }
                }
                let kit = try DaemonKit(in: scratch)
                try kit.configure(
                    also: """
                        daemon: {items: 1, stuck: 200ms}
                        notify: [{kind: pagerduty, url: "http://127.0.0.1:\(server.port)/", key-env: PD_KEY, on: [stuck]}]
                        """)
                let daemon = try await kit.start(["PD_KEY": "routing"])
                try kit.drop("a.mp4", "wait go")
                #expect(try await eventually { kit.executed == ["wait go"] })
                try kit.drop("b.mp4", "b")
                #expect(try await eventually(within: .seconds(30)) { events.value.first?["event_action"] == "trigger" })
                try kit.write("go", "")
                #expect(try await eventually(within: .seconds(30)) { events.value.last?["event_action"] == "resolve" })
                #expect(events.value.count == 2 && events.value.allSatisfy { $0["routing_key"] == "routing" })
                #expect(try await kit.stop(daemon).status == 0)
            }
        }

        @Test("who is to be told is checked beforehand")
        func checked() async throws {
            try await withScratch { scratch in
                let kit = try DaemonKit(in: scratch)
                for (notify, expected) in [
                    ("{kind: slack, url-file: none}", "cannot be read"),
                    ("{kind: webhook, url: \"https://x/\"}", "sign"),
                    ("{kind: mail}", "choices"), ("{kind: pagerduty, key-env: NONE}", "$NONE"),
                    ("{kind: slack, url: \"https://x/\", on: [dinner]}", "dinner"),
                ] {
                    try kit.configure(also: "notify: [\(notify)]")
                    let outcome = try await kit.mill.dubmill(
                        "daemon", "--config", kit.mill.path("dubmill.yaml"), "--check")
                    #expect(outcome.status == 64 && outcome.stderr.contains(expected), "\(outcome.stderr)")
                }
            }
        }
    }
}

/// The socket of a service manager, on which a test reads what is told.
final class NotifySocket: Sendable {
    let path: String
    private let descriptor: Int32
    private let said = Box<[String]>([])

    /// What came so far.
    var messages: [String] { said.value }

    init(at path: String) throws {
        self.path = path
        descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8)) }
        let status = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard status == 0 else { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
        Thread.detachNewThread { [descriptor, said] in
            var buffer = [UInt8](repeating: 0, count: 4096)
            while true {
                let count = recv(descriptor, &buffer, buffer.count, 0)
                guard count > 0 else { return }
                let text = String(decoding: buffer[..<count], as: UTF8.self)
                said.update { $0.append(text) }
            }
        }
    }

    deinit {
        shutdown(descriptor, Int32(SHUT_RDWR))
        close(descriptor)
    }
}
