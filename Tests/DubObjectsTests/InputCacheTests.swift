import DubCore
import DubHTTP
import DubTestKit
import Foundation
import Testing

@testable import DubObjects

/// A server of one file, which may change, know no ranges, or go away after some pieces.
private final class FileServer: Sendable {
    struct State: Sendable {
        var content = Data()
        var tag = #""one""#
        var knowsRanges = true
        /// How many answers with a body of more than a byte it still gives.
        var answers = Int.max
        /// What it becomes once so many of them were given.
        var next: (after: Int, content: Data, tag: String)?
        var given = 0
    }

    let state: Box<State>
    let requests = Box<[String]>([])
    private let server: LoopbackServer

    init(_ initial: State) throws {
        let state = Box(initial)
        let requests = requests
        server = try LoopbackServer { connection in
            while let request = connection.readRequest() {
                let range = request.head.first { $0.lowercased().hasPrefix("range: bytes=") }.map { $0.dropFirst(13) }
                requests.update { $0.append(String(range ?? "all")) }
                var now = state.value
                if let next = now.next, now.given >= next.after { (now.content, now.tag) = (next.content, next.tag) }
                let wanted = request.head.first { $0.lowercased().hasPrefix("if-match: ") }.map {
                    String($0.dropFirst(10))
                }
                if let wanted, wanted != now.tag {
                    connection.write("HTTP/1.1 412 Changed\r\nContent-Length: 0\r\n\r\n".utf8)
                    continue
                }
                var (body, head) = (now.content, "200 OK\r\n")
                if now.knowsRanges, let range {
                    let ends = range.split(separator: "-").compactMap { Int($0) }
                    body = now.content[ends[0]...min(ends[1], now.content.count - 1)]
                    head = "206 Part\r\nContent-Range: bytes \(ends[0])-\(ends[1])/\(now.content.count)\r\n"
                }
                if body.count > 1 {
                    guard now.answers > 0 else { return }
                    state.update {
                        $0.answers -= 1
                        $0.given += 1
                    }
                }
                connection.write("HTTP/1.1 \(head)ETag: \(now.tag)\r\nContent-Length: \(body.count)\r\n\r\n".utf8)
                connection.write(body)
            }
        }
        self.state = state
    }

    func file(_ query: String = "?sig=hush", isOwnAllowed: Bool = true) throws -> WebFile {
        try WebFile(
            "http://127.0.0.1:\(server.port)/a%20film.mp4\(query)", client: HTTPClient(), isOwnAllowed: isOwnAllowed,
            retries: RetryPolicy(attempts: 2, first: .milliseconds(1)))
    }
}

@Suite struct InputCacheTests {
    private let content = Data((0..<50_000).map { UInt8(truncatingIfNeeded: $0 &* 7) })

    private func with(
        _ change: (inout FileServer.State) -> Void = { _ in },
        _ body: (FileServer, InputCache, URL) async throws -> Void
    ) async throws {
        try await withScratch { scratch in
            var state = FileServer.State()
            state.content = content
            change(&state)
            try await body(
                try FileServer(state),
                InputCache(folder: scratch.appendingPathComponent("inputs").path, pieceSize: 8192),
                scratch)
        }
    }

    /// All that a folder holds, as text.
    private func texts(in folder: URL) -> String {
        let names = FileManager.default.enumerator(atPath: folder.path)?.compactMap { $0 as? String } ?? []
        return names.map { name in
            name
                + String(
                    decoding: FileManager.default.contents(atPath: folder.path + "/" + name) ?? Data(), as: UTF8.self)
        }.joined()
    }

    @Test("comes in pieces under its digest and its name, is fetched once, and its query is kept nowhere")
    func once() async throws {
        try await with { server, cache, scratch in
            let path = try await cache.fetch(server.file())
            #expect(path == "\(scratch.path)/inputs/\(Digest.of(content).hex)/a film.mp4")
            #expect(FileManager.default.contents(atPath: path) == content)
            #expect(server.requests.value.count == 9, "a look, seven pieces, a look: \(server.requests.value)")
            #expect(try await cache.fetch(server.file("?sig=other")) == path)
            #expect(server.requests.value.count == 10)
            #expect(!texts(in: scratch).contains("hush"))
            #expect(try FileManager.default.contentsOfDirectory(atPath: "\(scratch.path)/inputs/partial").isEmpty)
            // Another content has another place; that of before stays.
            server.state.update { ($0.content, $0.tag) = (Data("new film".utf8), #""two""#) }
            let other = try await cache.fetch(server.file())
            #expect(other != path && FileManager.default.contents(atPath: other) == Data("new film".utf8))
            #expect(FileManager.default.contents(atPath: path) == content)
        }
    }

    @Test("broken off, it goes on with the pieces that are missing")
    func resumes() async throws {
        try await with {
            $0.answers = 3
        } _: { server, cache, _ in
            let error = await failure { _ = try await cache.fetch(server.file()) }
            #expect(error?.persistence == .transient, "\(String(describing: error))")
            server.state.update { $0.answers = .max }
            server.requests.value = []
            let path = try await cache.fetch(server.file())
            #expect(FileManager.default.contents(atPath: path) == content)
            #expect(server.requests.value.count <= 2 + 7 - 1, "\(server.requests.value)")
        }
    }

    @Test("replaced while it is fetched, it is refused, and the next time fetched anew")
    func changed() async throws {
        let other = Data(content.reversed())
        try await with {
            $0.next = (3, other, #""two""#)
        } _: { server, cache, scratch in
            let error = await failure { _ = try await cache.fetch(server.file()) }
            #expect(error?.code == .inputChanged, "\(String(describing: error))")
            let path = try await cache.fetch(server.file())
            #expect(FileManager.default.contents(atPath: path) == other)
            #expect(try FileManager.default.contentsOfDirectory(atPath: "\(scratch.path)/inputs/partial").isEmpty)
        }
    }

    @Test("a server without ranges, or whose tag says nothing, gives it in one piece")
    func whole() async throws {
        for tag in [#""one""#, #"W/"one""#] {
            try await with {
                $0.knowsRanges = false
                $0.tag = tag
            } _: { server, cache, _ in
                let path = try await cache.fetch(server.file())
                #expect(FileManager.default.contents(atPath: path) == content)
            }
        }
    }

    @Test("two who want it at once fetch it once")
    func together() async throws {
        try await with { server, cache, _ in
            async let first = cache.fetch(server.file())
            async let second = cache.fetch(server.file())
            let paths = try await [first, second]
            #expect(paths[0] == paths[1])
            #expect(server.requests.value.count { $0 != "0-0" } == 7, "\(server.requests.value)")
        }
    }

    @Test("an address without TLS is refused")
    func plain() async {
        let error = await failure { _ = try WebFile("http://films.example/x?sig=hush", client: HTTPClient()) }
        #expect(error?.code == .objectAddress && error.map { !"\($0)".contains("hush") } == true)
    }

    @Test(
        "addresses of one's own network are refused, however they are written",
        arguments: ["127.0.0.1", "localhost", "[::1]", "2130706433", "169.254.169.254", "10.0.0.1"])
    func own(host: String) async throws {
        let file = try WebFile("https://\(host)/x?sig=hush", client: HTTPClient())
        let error = await failure { _ = try await InputCache(folder: "/nonexistent").fetch(file) }
        #expect(error?.code == .httpOwnAddress, "\(String(describing: error))")
        #expect(error.map { !"\($0)".contains("hush") } == true)
    }

    @Test("a redirect is not followed, and what is not handed out says why", arguments: [302, 403, 404])
    func refused(status: Int) async throws {
        let server = try LoopbackServer { connection in
            while connection.readRequest() != nil {
                connection.write(
                    "HTTP/1.1 \(status) No\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n".utf8)
            }
        }
        try await withScratch { scratch in
            let file = try WebFile(
                "http://127.0.0.1:\(server.port)/x?sig=hush", client: HTTPClient(), isOwnAllowed: true)
            let error = await failure { _ = try await InputCache(folder: scratch.path).fetch(file) }
            let codes: [Int: DubError.Code] = [302: .objectRefused, 403: .objectDenied, 404: .objectMissing]
            #expect(error?.code == codes[status] && error.map { !"\($0)".contains("hush") } == true)
        }
    }
}
