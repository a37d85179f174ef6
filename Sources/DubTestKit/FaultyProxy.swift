internal import DubHTTP
internal import Foundation

/// Stands between a client and a server, and spoils what passes, request by request.
public final class FaultyProxy: Sendable {
    /// What happens to a request.
    public enum Fate: Sendable {
        case pass
        /// The connection is closed before the server hears of it.
        case drop
        /// The server does it, and the connection is closed before the client hears of it.
        case loseAnswer
        /// Nothing happens until the client gives up.
        case hang
        /// One bit of what goes up is changed.
        case flipBody
        /// One bit of what comes back is changed.
        case flipAnswer
    }

    /// The first lines of the requests that came.
    public let requests = Box<[String]>([])
    /// Decides by the first line.
    public var rule: @Sendable (String) -> Fate {
        get { decide.value }
        set { decide.value = newValue }
    }
    /// `http://127.0.0.1:PORT`.
    public let address: String
    private let decide = Box<@Sendable (String) -> Fate>({ _ in .pass })
    private let server: LoopbackServer

    /// Listens, and hands on to `target`, an address without a path.
    public init(to target: String) throws {
        let requests = requests
        let decide = decide
        let client = HTTPClient()
        server = try LoopbackServer { connection in
            while let request = connection.readRequest() {
                requests.update { $0.append(request.head[0]) }
                let fate = decide.value(request.head[0])
                switch fate {
                case .drop: return
                case .hang: return connection.waitForClose()
                default: break
                }
                guard let answer = Self.forward(request, fate, to: target, by: client), fate != .loseAnswer else {
                    return
                }
                let isHead = request.head[0].hasPrefix("HEAD")
                var fields = answer.headers.fields.filter { $0.name.lowercased() != "transfer-encoding" }
                if !isHead {
                    fields.removeAll { $0.name.lowercased() == "content-length" }
                    fields.append(.init(name: "Content-Length", value: "\(answer.body.count)"))
                }
                let head = fields.map { "\($0.name): \($0.value)\r\n" }.joined()
                connection.write("HTTP/1.1 \(answer.status) Said\r\n\(head)\r\n")
                connection.write(fate == .flipAnswer ? Self.flipped(answer.body) : answer.body)
            }
        }
        address = "http://127.0.0.1:\(server.port)"
    }

    /// Asks the server the same; blocks the connection's own thread.
    private static func forward(
        _ request: LoopbackConnection.Request, _ fate: Fate, to target: String, by client: HTTPClient
    ) -> HTTPResponse? {
        let words = request.head[0].split(separator: " ")
        var headers = HTTPHeaders()
        for line in request.head.dropFirst() {
            guard let colon = line.firstIndex(of: ":") else { continue }
            let name = String(line[..<colon])
            guard !["content-length", "accept"].contains(name.lowercased()) else { continue }
            headers.fields.append(
                .init(name: name, value: line[line.index(after: colon)...].trimmingCharacters(in: .whitespaces)))
        }
        let body = fate == .flipBody ? flipped(request.body) : request.body
        let asked = HTTPRequest(
            String(words[0]), target + words[1], headers: headers,
            body: words[0] == "PUT" || words[0] == "POST" ? .data(body) : .none)
        let result = Box<HTTPResponse?>(nil)
        let done = DispatchSemaphore(value: 0)
        // The thread waits for it: the connection is served by a thread, the client is asynchronous.
        Task {
            result.value = try? await client.send(asked)
            done.signal()
        }
        done.wait()
        return result.value
    }

    private static func flipped(_ data: Data) -> Data {
        var data = data
        if !data.isEmpty { data[data.startIndex + data.count / 2] ^= 1 }
        return data
    }
}
