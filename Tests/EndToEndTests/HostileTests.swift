import DubCore
import DubHTTP
import DubTestKit
import Foundation
import Testing

extension EndToEnd {
    /// The daemon's control API: what it refuses.
    @Suite struct Hostile {
        private func with(_ more: String = "", _ body: (ServiceKit, String) async throws -> Void) async throws {
            try await withScratch { scratch in
                let service = try await ServiceKit(in: scratch, more)
                let (daemon, address) = try await service.start()
                try service.put("a.mp4", "a")
                try await body(service, address)
                // Whatever it was, the daemon lives and does its work.
                #expect(try await service.submit(address, "a.mp4").status == 202)
                #expect(try await service.kit.stop(daemon).status == 0)
                #expect(daemon.saidSoFar.contains("Fatal error") == false)
            }
        }

        @Test("without a token, or with one that is not known, there is health and the description alone")
        func tokens() async throws {
            try await with { service, address in
                for path in ["/healthz", "/readyz", "/openapi.json"] {
                    #expect(try await service.ask("GET", address, path, token: nil).status == 200)
                }
                for path in ["/v1/runs", "/v1/runs/x", "/v1/runs/x/events", "/metrics"] {
                    let reply = try await service.ask("GET", address, path, token: nil)
                    #expect(reply.status == 401 && reply.code == "token.missing", "\(path)")
                    #expect(reply.headers["WWW-Authenticate"]?.hasPrefix("Bearer") == true)
                    #expect(try await service.ask("GET", address, path, token: "dubmill_guess").status == 401)
                }
                #expect(
                    try await service.post(address, "/v1/runs", ["sources": ["a.mp4"]], token: service.reader).status
                        == 403)
                #expect(try await service.get(address, "/v1/runs").status == 200)
                let removed = try await service.kit.mill.dubmill("token", "remove", "grafana")
                #expect(removed.status == 0)
                #expect(try await service.get(address, "/v1/runs").status == 401, "at once")
                let file = service.kit.mill.path("user/.config/dubmill/tokens.json")
                let rights = try FileManager.default.attributesOfItem(atPath: file)[.posixPermissions] as? Int
                #expect(rights == 0o600)
                let text = try String(contentsOfFile: file, encoding: .utf8)
                #expect(!text.contains(service.writer) && text.contains("sha256"))
                // A file that others may read opens nothing.
                chmod(file, 0o644)
                #expect(try await service.post(address, "/v1/runs", ["sources": ["a.mp4"]]).status >= 400)
                chmod(file, 0o600)
            }
        }

        @Test("what is told to everybody on this machine is not told to a web page whose name points here")
        func anonymous() async throws {
            try await with("anonymous: read") { service, address in
                #expect(try await service.ask("GET", address, "/v1/runs", token: nil).status == 200)
                let page = try await service.ask("GET", address, "/v1/runs", token: nil, ["Host": "evil.example"])
                #expect(page.status == 401)
                let write = try await service.ask("POST", address, "/v1/runs", token: nil)
                #expect(write.status == 401)
            }
        }

        @Test("a body that is too large is refused before it is read, announced or not")
        func hugeBody() async throws {
            try await with("body: 4KiB") { service, address in
                let large = String(repeating: " ", count: 8192)
                let told = try await service.post(address, "/v1/runs", ["sources": [.string(large)]])
                #expect(told.status == 413 && told.code == "request.too-large")
                let head = """
                    POST /v1/runs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \(service.writer)\r\n\
                    Content-Type: application/json\r\n
                    """
                let announced = try RawConnection(address)
                announced.send(head + "Content-Length: 900000000000\r\n\r\n{")
                #expect(announced.readToEnd()?.hasPrefix("HTTP/1.1 413") == true)
                let chunked = try RawConnection(address)
                chunked.send(head + "Transfer-Encoding: chunked\r\n\r\n")
                for _ in 0..<8 { chunked.send("400\r\n" + String(repeating: " ", count: 1024) + "\r\n") }
                #expect(chunked.readToEnd()?.hasPrefix("HTTP/1.1 413") == true)
                // A body where none belongs is read no further either.
                let needless = try RawConnection(address)
                needless.send("GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 900000000\r\n\r\n")
                #expect(needless.readToEnd()?.hasPrefix("HTTP/1.1 413") == true)
            }
        }

        @Test(
            "what lies outside the roots is refused alike, whether it is there or not; so are links out of them and URLs"
        )
        func traversal() async throws {
            try await with { service, address in
                let mill = service.kit.mill
                try FileManager.default.createSymbolicLink(
                    atPath: mill.path("library/link.mp4"), withDestinationPath: "/etc/passwd")
                for source in [
                    "/etc/passwd", "/etc/none", "../dubmill.yaml", "../../../../etc/passwd", "x/../../dubmill.yaml",
                    "link.mp4", mill.path("library/../cheap.yaml"), mill.path("library-else/a.mp4"),
                    "http://169.254.169.254/latest/meta-data", "file:///etc/passwd", "s3://bucket/key",
                ] {
                    let reply = try await service.submit(address, source)
                    #expect(reply.status == 403 && reply.code == "source.refused", "\(source): \(reply.text)")
                }
                #expect(try await service.submit(address, "none.mp4").status == 422)
                #expect(try await service.submit(address, ".").status == 422)
                for (name, value) in [
                    ("out", "../elsewhere"), ("out", "/tmp"), ("script", "/etc/passwd"), ("cast", "../dubmill.yaml"),
                ] {
                    let reply = try await service.post(
                        address, "/v1/runs",
                        .object(["sources": ["a.mp4"], "pipeline": "cheap", name: .string(value)]))
                    #expect(reply.status == 403, "\(name)")
                }
                let bed = try await service.post(
                    address, "/v1/runs",
                    ["sources": ["a.mp4"], "to": ["es"], "parameters": ["bed": "/etc/passwd"]])
                #expect(bed.status == 403)
                for pipeline in [mill.path("cheap.yaml"), "../cheap", "transcribe"] {
                    let reply = try await service.post(
                        address, "/v1/runs", ["sources": ["a.mp4"], "pipeline": .string(pipeline)])
                    #expect(reply.code == "pipeline.refused", "\(pipeline)")
                }
                #expect(try await service.get(address, "/v1/runs/..%2f..%2fetc%2fpasswd").status == 404)
                #expect(try await service.get(address, "/v1/runs").json["runs"] == [])
            }
        }

        @Test("line ends in addresses, fields and names end up in no header")
        func headerInjection() async throws {
            try await with { service, address in
                let split = try RawConnection(address)
                split.send(
                    "GET /v1/runs/x%0d%0aSet-Cookie:%20a=b HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \(service.reader)\r\nConnection: close\r\n\r\n"
                )
                let answer = try #require(split.readToEnd())
                #expect(answer.hasPrefix("HTTP/1.1 404") && !answer.lowercased().contains("\r\nset-cookie"))
                // Two lengths, or a length beside chunks, are how requests are smuggled.
                for fields in [
                    "Content-Length: 2\r\nContent-Length: 40", "Content-Length: 2\r\nTransfer-Encoding: chunked",
                    "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", "Bad Name: x", "X: a\u{1}b\rc",
                ] {
                    let smuggled = try RawConnection(address)
                    smuggled.send("POST /v1/runs HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\(fields)\r\n\r\n{}")
                    #expect(smuggled.readToEnd()?.hasPrefix("HTTP/1.1 4") == true, "\(fields)")
                }
                let name = try await service.submit(address, "a\r\nX-Evil: 1.mp4")
                #expect(name.status == 400 && name.headers["X-Evil"] == nil)
                let large = try RawConnection(address)
                large.send(
                    "GET /healthz HTTP/1.1\r\nHost: x\r\nX-Large: \(String(repeating: "x", count: 64 << 10))\r\n\r\n")
                #expect(large.readToEnd()?.hasPrefix("HTTP/1.1 4") == true)
            }
        }

        @Test("who sends slowly, or nothing, or takes nothing, is let go of; others are served meanwhile")
        func slow() async throws {
            try await with("idle: 1s\nconnections: 64") { service, address in
                let silent = try RawConnection(address)
                let head = try RawConnection(address)
                head.send("GET /healthz HT")
                let body = try RawConnection(address)
                body.send(
                    "POST /v1/runs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \(service.writer)\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
                )
                let drip = Task.detached {
                    for _ in 0..<40 where body.send(" ") { try await Task.sleep(for: .milliseconds(100)) }
                }
                #expect(try await service.get(address, "/healthz").status == 200)
                for connection in [silent, head, body] {
                    let answer = await Task.detached { connection.readToEnd() }.value
                    #expect(answer != nil, "it was not closed")
                }
                drip.cancel()
                #expect(try await service.get(address, "/healthz").status == 200)
            }
        }

        @Test(
            "what is no request in JSON is told what is wrong with it",
            arguments: [
                "", "{", "[]", "null", "{\"sources\": \"a.mp4\"}", "{\"sources\": []}", "{\"sources\": [1]}",
                "{\"sources\": [\"a.mp4\"], \"colour\": 1}", "{\"sources\": [\"a.mp4\"], \"priority\": 1e99}",
                "{\"sources\": [\"a.mp4\"], \"parameters\": {\"x\": {\"y\": null}}}", "{\"sources\": [\"a\\u0000b\"]}",
                "{\"sources\": [\"a.mp4\", \"a.mp4\"]}", "\u{feff}x",
            ])
        func badJSON(text: String) async throws {
            try await with { service, address in
                let reply = try await service.ask(
                    "POST", address, "/v1/runs", token: service.writer, ["Content-Type": "application/json"],
                    Data(text.utf8))
                #expect(reply.status == 400 && reply.code == "request.invalid", "\(reply.text)")
                #expect(reply.headers["Content-Type"] == "application/problem+json")
                for member in ["detail", "where", "fix"] { #expect(reply.json[member]?.string?.isEmpty == false) }
            }
        }

        @Test("deep nesting, other kinds of bodies, other methods and unknown addresses are refused")
        func oddities() async throws {
            try await with { service, address in
                func send(_ text: String, _ type: String) async throws -> ServiceKit.Reply {
                    try await service.ask(
                        "POST", address, "/v1/runs", token: service.writer, ["Content-Type": type], Data(text.utf8))
                }
                let deep = String(repeating: "[", count: 100_000) + String(repeating: "]", count: 100_000)
                #expect(try await send(deep, "application/json").status == 400)
                #expect(try await send("sources=a.mp4", "application/x-www-form-urlencoded").status == 415)
                let method = try await service.ask("DELETE", address, "/v1/runs", token: service.writer)
                #expect(method.status == 405 && method.headers["Allow"] == "GET, HEAD, POST")
                #expect(try await service.get(address, "/").status == 404)
                #expect(try await service.get(address, "/v1/runs?limit=0").status == 400)
                #expect(try await service.get(address, "/v1/runs?limit=2&limit=3").status == 400)
                #expect(try await service.get(address, "/v1/runs?colour=%ff").status == 400)
                #expect(try await service.get(address, "/healthz?x=1").status == 400)
            }
        }

        @Test("off loopback it listens with a token and TLS, or behind a proxy, and not otherwise")
        func refused() async throws {
            try await withScratch { scratch in
                let service = try await ServiceKit(in: scratch)
                let mill = service.kit.mill
                func check(_ http: String, _ expected: String?) async throws {
                    try service.kit.write("dubmill.yaml", "http:\n  \(http.replacing("; ", with: "\n  "))\n")
                    let outcome = try await mill.dubmill("daemon", "--config", mill.path("dubmill.yaml"), "--check")
                    #expect(outcome.status == (expected == nil ? 0 : 64), "\(http): \(outcome.stderr)")
                    if let expected { #expect(outcome.stderr.contains(expected), "\(http): \(outcome.stderr)") }
                }
                try await Tool.run(
                    "/usr/bin/openssl",
                    [
                        "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days",
                        "2", "-keyout", mill.path("key.pem"), "-out", mill.path("cert.pem"), "-subj", "/CN=localhost",
                        "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
                    ], in: scratch)
                let tls = "tls: {certificate: cert.pem, key: key.pem}"
                try await check("listen: 0.0.0.0:8720", "in the clear")
                try await check("listen: \"[::]:8720\"", "in the clear")
                try await check("listen: 0.0.0.0:8720; \(tls)", nil)
                try await check("listen: 0.0.0.0:8720; behind-proxy: true", nil)
                try await check("listen: 0.0.0.0:8720; \(tls); anonymous: read", "more than this machine")
                try await check("behind-proxy: true; anonymous: metrics", "more than this machine")
                try await check("listen: 0.0.0.0:8720; \(tls); tokens: none.json", "there is no token")
                try await check("tls: {certificate: cert.pem, key: cert.pem}", "cannot be used")
                try await check("roots: [nowhere]; out: made", "no folder")
                try await check("roots: [library]", "no `out`")
                try await check("listen: here", "no address")
                try await check("colour: red", "colour")
            }
        }

        @Test("it speaks TLS where it has a certificate, and a port that is taken is no riddle")
        func speaksTLS() async throws {
            try await withScratch { scratch in
                let service = try await ServiceKit(in: scratch, "tls: {certificate: cert.pem, key: key.pem}")
                let mill = service.kit.mill
                try await Tool.run(
                    "/usr/bin/openssl",
                    [
                        "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days",
                        "2", "-keyout", mill.path("key.pem"), "-out", mill.path("cert.pem"), "-subj", "/CN=localhost",
                        "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
                    ], in: scratch)
                let (daemon, address) = try await service.start()
                let health = try await Tool.run(
                    "/usr/bin/python3",
                    [
                        "-c",
                        "import ssl,sys,urllib.request as u; print(u.urlopen(sys.argv[1], context=ssl.create_default_context(cafile=sys.argv[2])).read().decode())",
                        "https://\(address)/healthz", mill.path("cert.pem"),
                    ], in: scratch)
                #expect(health.contains("ok"))
                let plain = try RawConnection(address)
                plain.send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
                #expect(plain.readToEnd()?.contains("200") != true)
                try service.kit.write("other.yaml", "http: {listen: \"\(address)\"}\n")
                let second = try await mill.dubmill("daemon", "--config", mill.path("other.yaml"))
                #expect(second.status == 75 && second.stderr.contains("service.unavailable"), "\(second.stderr)")
                #expect(try await service.kit.stop(daemon).status == 0)
            }
        }
    }
}
