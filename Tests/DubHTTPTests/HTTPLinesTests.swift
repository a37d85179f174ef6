import DubHTTP
import DubTestKit
import Foundation
import Testing

@Suite struct HTTPLinesTests {
    private let client = HTTPClient()

    @Test("gives the lines that were sent, wherever the chunks end", arguments: 0..<8)
    func oddBoundaries(seed: Int) async throws {
        var random = SeededRandom(seed: UInt64(seed))
        let lines = (0..<200).map {
            "{\"id\":\($0),\"text\":\"\(String(repeating: "ñ漢", count: .random(in: 0...20, using: &random)))\"}"
        }
        var pieces: [[UInt8]] = []
        var rest = Array((lines.joined(separator: "\n") + "\n").utf8)[...]
        while !rest.isEmpty {
            pieces.append(Array(rest.prefix(.random(in: 1...97, using: &random))))
            rest = rest.dropFirst(pieces[pieces.count - 1].count)
        }
        let server = try LoopbackServer { [pieces] connection in
            _ = connection.readRequest()
            connection.write(
                "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            for piece in pieces {
                connection.write(Array("\(String(piece.count, radix: 16))\r\n".utf8) + piece + [13, 10])
            }
            connection.write("0\r\nX-Trailer: no\r\n\r\n")
        }
        let answer = try await client.lines(HTTPRequest("GET", "http://127.0.0.1:\(server.port)/"))
        #expect(answer.status == 200)
        #expect(answer.headers["x-trailer"] == nil)
        var found: [String] = []
        for try await line in answer { found.append(String(decoding: line, as: UTF8.self)) }
        #expect(found == lines)
    }

    @Test("gives each line as soon as it is there")
    func prompt() async throws {
        let turn = DispatchSemaphore(value: 0)
        let server = try LoopbackServer { connection in
            _ = connection.readRequest()
            connection.write("HTTP/1.1 200 OK\r\n\r\n")
            for number in 0..<5 {
                connection.write("line \(number)\nli")
                turn.wait()
                connection.write("ne\n")
                turn.wait()
            }
        }
        var count = 0
        for try await _ in try await client.lines(HTTPRequest("GET", "http://127.0.0.1:\(server.port)/")) {
            count += 1
            turn.signal()
        }
        #expect(count == 10)
    }

    @Test("makes the server wait for a reader that lags behind, and loses nothing")
    func backPressure() async throws {
        let sent = Box(0)
        let line = String(repeating: "x", count: 9_999) + "\n"
        let server = try LoopbackServer { connection in
            _ = connection.readRequest()
            connection.write("HTTP/1.1 200 OK\r\nContent-Length: 50000000\r\n\r\n")
            for _ in 0..<5000 {
                guard connection.write(line) else { return }
                sent.value += 1
            }
        }
        let answer = try await client.lines(HTTPRequest("GET", "http://127.0.0.1:\(server.port)/"))
        // The server stands still when nothing more is sent for a tenth of a second.
        var last = -1
        #expect(
            try await eventually {
                defer { last = sent.value }
                try await Task.sleep(for: .milliseconds(100))
                return last == sent.value
            })
        #expect(sent.value < 2500, "\(sent.value) of 5000 lines were taken with nobody reading")
        var bytes = 0
        for try await line in answer { bytes += line.count + 1 }
        #expect(bytes == 50_000_000)
    }

    @Test("breaks the transfer off when nobody reads any more")
    func dropped() async throws {
        let closed = Box(false)
        let server = try LoopbackServer { connection in
            _ = connection.readRequest()
            connection.write("HTTP/1.1 200 OK\r\n\r\none\n")
            connection.waitForClose()
            closed.value = true
        }
        for try await line in try await client.lines(HTTPRequest("GET", "http://127.0.0.1:\(server.port)/")) {
            #expect(line == Data("one".utf8))
            break
        }
        #expect(try await eventually { closed.value })
    }
}
