import DubCore
import DubHTTP
import DubTestKit
import Foundation
import Testing

@Suite struct HTTPClientTests {
    private let client = HTTPClient()

    @Test("sends method, headers and body, and gathers status, headers and body")
    func exchange() async throws {
        let seen = Box<LoopbackConnection.Request?>(nil)
        let server = try LoopbackServer { connection in
            seen.value = connection.readRequest()
            connection.answer("grist", status: "404 Not Found", headers: ["X-Mill: turns", "x-two: a: b"])
        }
        let request = HTTPRequest(
            "PUT", "http://127.0.0.1:\(server.port)/a%20b/../c?x=~y",
            headers: ["X-Empty": "", "X-Full": "1"],
            body: .data(Data("flour".utf8)))
        let response = try await client.send(request)
        #expect(response.status == 404)
        #expect(response.headers["X-MILL"] == "turns")
        #expect(response.headers["x-two"] == "a: b")
        #expect(String(decoding: response.body, as: UTF8.self) == "grist")
        let sent = try #require(seen.value)
        #expect(sent.head.first == "PUT /a%20b/../c?x=~y HTTP/1.1")
        #expect(sent.body == Data("flour".utf8))
        #expect(sent.head.contains("X-Full: 1"))
        #expect(sent.head.contains { $0.hasPrefix("X-Empty:") })
        #expect(!sent.head.contains { $0.hasPrefix("Expect") || $0.hasPrefix("Content-Type") })
    }

    @Test("sends an empty body as one of no bytes", arguments: ["POST", "PUT"])
    func emptyBody(method: String) async throws {
        let seen = Box<LoopbackConnection.Request?>(nil)
        let server = try LoopbackServer { connection in
            while let request = connection.readRequest() {
                seen.value = request
                connection.answer()
            }
        }
        for body in [HTTPRequest.Body.none, .data(Data())] {
            let request = HTTPRequest(method, "http://127.0.0.1:\(server.port)/", body: body)
            #expect(try await client.send(request).status == 200)
            #expect(seen.value?.head.contains("Content-Length: 0") == true)
        }
        #expect(server.connections == 1, "the connection is used again")
    }

    @Test("sends a stretch of a file, and tells when the file is shorter")
    func fileBody() async throws {
        try await withScratch { scratch in
            let seen = Box<LoopbackConnection.Request?>(nil)
            let server = try LoopbackServer { connection in
                while let request = connection.readRequest() {
                    seen.value = request
                    connection.answer()
                }
            }
            let path = scratch.appendingPathComponent("f").path
            try Data("0123456789".utf8).write(to: URL(fileURLWithPath: path))
            func request(_ offset: Int64, _ length: Int64) -> HTTPRequest {
                HTTPRequest(
                    "PUT", "http://127.0.0.1:\(server.port)/",
                    body: .file(path: path, offset: offset, length: length))
            }
            #expect(try await client.send(request(3, 4)).status == 200)
            #expect(seen.value?.body == Data("3456".utf8))
            #expect(seen.value?.head.contains("Content-Length: 4") == true)
            #expect(await failure { _ = try await client.send(request(8, 4)) }?.code == .inputMissing)
        }
    }

    @Test("writes a good answer into a file, a range into its place, and leaves the file alone for any other")
    func download() async throws {
        try await withScratch { scratch in
            let server = try LoopbackServer { connection in
                while let request = connection.readRequest() {
                    switch request.head[0].split(separator: " ")[1] {
                    case "/range":
                        connection.answer(
                            "345", status: "206 Partial Content", headers: ["Content-Range: bytes 3-5/10"])
                    case "/missing": connection.answer("no such thing", status: "404 Not Found")
                    default: connection.answer("grist")
                    }
                }
            }
            func request(_ path: String) -> HTTPRequest {
                HTTPRequest("GET", "http://127.0.0.1:\(server.port)/\(path)")
            }
            let path = scratch.appendingPathComponent("f").path
            let missing = try await client.download(request("missing"), to: path)
            #expect(missing.status == 404 && missing.body == Data("no such thing".utf8))
            #expect(!FileManager.default.fileExists(atPath: path))
            #expect(try await client.download(request("whole"), to: path).body.isEmpty)
            #expect(
                await failure { _ = try await client.download(request("whole"), to: path) }?.code == .outputUnwritable)
            _ = try await client.download(request("range"), to: path, stretch: 3..<6)
            #expect(try String(contentsOfFile: path, encoding: .utf8) == "gri345")
            for (asked, stretch) in [("range", Int64(2)..<5), ("whole", 0..<5)] {
                let error = await failure { _ = try await client.download(request(asked), to: path, stretch: stretch) }
                #expect(error?.code == .httpOtherRange)
            }
            #expect(try String(contentsOfFile: path, encoding: .utf8) == "gri345")
        }
    }

    @Test("speaks over a Unix socket, whatever the proxies")
    func unixSocket() async throws {
        try await withScratch { scratch in
            let path = scratch.appendingPathComponent("s").path
            let server = try LoopbackServer(at: path) { connection in
                _ = connection.readRequest()
                connection.answer(status: "204 No Content")
            }
            #expect(try await client.send(HTTPRequest("GET", "http://mill/", socketPath: path)).status == 204)
            #expect(server.connections == 1)
        }
    }

    @Test("runs a hundred transfers side by side")
    func sideBySide() async throws {
        let server = try LoopbackServer { connection in
            guard let request = connection.readRequest() else { return }
            connection.answer(request.head[0])
        }
        let statuses = try await withThrowingTaskGroup(of: Int.self) { group in
            for number in 0..<100 {
                group.addTask {
                    try await client.send(HTTPRequest("GET", "http://127.0.0.1:\(server.port)/\(number)"))
                        .status
                }
            }
            return try await group.reduce(into: 0) { total, _ in total += 1 }
        }
        #expect(statuses == 100)
    }

    @Test("tells that nobody listens, and that a repeat can help")
    func unreachable() async throws {
        try await withScratch { scratch in
            let request = HTTPRequest(
                "GET", "http://mill/", socketPath: scratch.appendingPathComponent("s").path)
            let error = await failure { _ = try await client.send(request) }
            #expect(error?.code == .httpUnreachable)
            #expect(error?.persistence == .transient)
        }
    }

    @Test("gives up on a server that stays silent", arguments: [true, false])
    func silence(total: Bool) async throws {
        let server = try LoopbackServer { connection in
            _ = connection.readRequest()
            connection.waitForClose()
        }
        var request = HTTPRequest("GET", "http://127.0.0.1:\(server.port)/")
        request.patience = total ? .init(idle: nil, total: .milliseconds(200)) : .init(idle: .seconds(1))
        let begin = ContinuousClock.now
        let error = await failure { _ = try await client.send(request) }
        #expect(error?.code == .httpTimeout)
        #expect(error?.persistence == .transient)
        #expect(ContinuousClock.now - begin < .seconds(total ? 2 : 5))
    }

    @Test("tells an answer that broke off from one that ended")
    func brokenOff() async throws {
        let server = try LoopbackServer { connection in
            _ = connection.readRequest()
            connection.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf\nx")
        }
        let request = HTTPRequest("GET", "http://127.0.0.1:\(server.port)/")
        let error = await failure { _ = try await client.send(request) }
        #expect(error?.code == .httpFailed)
        #expect(error?.persistence == .transient)

        var iterator = try await client.lines(request).makeAsyncIterator()
        #expect(try await iterator.next() == Data("half".utf8), "whole lines come first")
        let late = await failure { _ = try await iterator.next() }
        #expect(late?.code == .httpFailed)
    }

    @Test("takes no more than it was allowed")
    func limit() async throws {
        let server = try LoopbackServer { connection in
            _ = connection.readRequest()
            connection.answer(String(repeating: "x", count: 1000))
        }
        var request = HTTPRequest("GET", "http://127.0.0.1:\(server.port)/")
        request.responseLimit = 1000
        #expect(try await client.send(request).body.count == 1000)
        request.responseLimit = 999
        let error = await failure { [request] in _ = try await client.send(request) }
        #expect(error?.code == .httpFailed)
        #expect(error?.persistence == .permanent)
        let late = await failure { [request] in for try await _ in try await client.lines(request) {} }
        #expect(late?.code == .httpFailed)
    }

    @Test("follows no redirect, and speaks http and https alone")
    func bounds() async throws {
        let server = try LoopbackServer { connection in
            _ = connection.readRequest()
            connection.answer(status: "302 Found", headers: ["Location: http://127.0.0.1:1/"])
        }
        #expect(try await client.send(HTTPRequest("GET", "http://127.0.0.1:\(server.port)/")).status == 302)
        for url in ["file:///etc/passwd", "ftp://127.0.0.1/", "http://127.0.0.1/ x", "gopher://x/"] {
            let error = await failure { _ = try await client.send(HTTPRequest("GET", url)) }
            #expect(error?.code == .httpFailed)
            #expect(error?.persistence == .permanent)
        }
        for headers: HTTPHeaders in [["A": "b\r\nC: d"], ["A b": "c"], ["": "c"], ["A\n": "c"]] {
            let error = await failure {
                _ = try await client.send(HTTPRequest("GET", "http://h/", headers: headers))
            }
            #expect(error?.code == .httpFailed)
        }
    }

    @Test("shows neither query nor password")
    func place() {
        let url = "https://me:secret@store.example/bucket/key?X-Amz-Signature=abc#part"
        #expect(HTTPRequest("GET", url).place == "https://store.example/bucket/key")
        #expect(HTTPRequest("GET", "http://w/v1/x?y", socketPath: "/run/s").place == "/run/s:/v1/x")
    }

    @Test("ends a cancelled exchange within 100 ms, and the server sees it", arguments: [true, false])
    func cancel(whole: Bool) async throws {
        let asked = Box(0)
        let closed = Box(0)
        let server = try LoopbackServer { connection in
            _ = connection.readRequest()
            if !whole {
                connection.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\na\n\r\n")
            }
            asked.update { $0 += 1 }
            connection.waitForClose()
            closed.update { $0 += 1 }
        }
        let request = HTTPRequest("GET", "http://127.0.0.1:\(server.port)/")
        // The best of five: other tests share the cores, and their delays are not ours.
        var best = Duration.seconds(100)
        for turn in 1...5 {
            let task = Task {
                if whole { return _ = try await client.send(request) }
                for try await _ in try await client.lines(request) {}
            }
            #expect(try await eventually { asked.value == turn })
            let begin = ContinuousClock.now
            task.cancel()
            await #expect(throws: CancellationError.self) { try await task.value }
            best = min(best, ContinuousClock.now - begin)
            #expect(try await eventually { closed.value == turn })
        }
        #expect(best < .milliseconds(100))
    }

    @Test("does not send for a task that is cancelled already")
    func cancelledBefore() async throws {
        let server = try LoopbackServer { $0.waitForClose() }
        let request = HTTPRequest("GET", "http://127.0.0.1:\(server.port)/")
        let task = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            _ = try await client.send(request)
        }
        await #expect(throws: CancellationError.self) { try await task.value }
    }
}
