import DubCore
import DubHTTP
import DubTestKit
import Foundation

/// A daemon with its control API on a free port, tokens for it, and files to submit.
struct ServiceKit {
    let kit: DaemonKit
    let writer: String
    let reader: String
    private let client = HTTPClient()

    /// Configures the API; `more` are further keys of `http`, `also` further parts of the file.
    init(in scratch: URL, _ more: String = "", also: String = "") async throws {
        kit = try DaemonKit(in: scratch)
        for folder in ["library", "made"] {
            try FileManager.default.createDirectory(atPath: kit.mill.path(folder), withIntermediateDirectories: true)
        }
        try Self.configure(kit, more, also)
        writer = try await Self.token(kit.mill, "ci", "write")
        reader = try await Self.token(kit.mill, "grafana", "read")
    }

    private static func configure(_ kit: DaemonKit, _ more: String, _ also: String) throws {
        try kit.write(
            "dubmill.yaml",
            """
            http:
              listen: 127.0.0.1:0
              roots: [library]
              out: made
              pipelines: [cheap.yaml, dub]
            \(more.split(separator: "\n").map { "  \($0)" }.joined(separator: "\n"))
            \(also)
            """)
    }

    private static func token(_ mill: Mill, _ name: String, _ scope: String) async throws -> String {
        let outcome = try await mill.dubmill("token", "add", name, "--scope", scope)
        guard outcome.status == 0 else { throw Tool.Failed(description: outcome.stderr) }
        return outcome.stdout.trimmingCharacters(in: .whitespacesAndNewlines)
    }

    /// Starts the daemon.
    ///
    /// - Returns: it, and where it listens: `127.0.0.1:40123`.
    func start() async throws -> (Running, String) {
        let daemon = try await kit.start()
        guard let address = kit.events("http.listening", by: daemon).first?["address"]?.string else {
            throw Tool.Failed(description: "nobody listens: \(daemon.saidSoFar)")
        }
        return (daemon, address)
    }

    /// Puts a file where sources may lie.
    func put(_ name: String, _ content: String) throws {
        try kit.write("library/\(name)", content + "\n")
    }

    func get(_ address: String, _ path: String, token: String? = nil, _ headers: [String: String] = [:]) async throws
        -> Reply
    {
        try await ask("GET", address, path, token: token ?? reader, headers)
    }

    func post(
        _ address: String, _ path: String, _ body: JSONValue? = nil, token: String? = nil,
        _ headers: [String: String] = [:]
    ) async throws -> Reply {
        let headers = body == nil ? headers : headers.merging(["Content-Type": "application/json"]) { $1 }
        return try await ask("POST", address, path, token: token ?? writer, headers, Data((body?.canonical ?? "").utf8))
    }

    func ask(
        _ method: String, _ address: String, _ path: String, token: String?, _ headers: [String: String] = [:],
        _ body: Data = Data()
    ) async throws -> Reply {
        var fields = HTTPHeaders(headers.map { .init(name: $0.key, value: $0.value) })
        if let token { fields["Authorization"] = "Bearer \(token)" }
        let response = try await client.send(
            HTTPRequest(
                method, address.contains("://") ? address + path : "http://\(address)\(path)", headers: fields,
                body: method == "POST" ? .data(body) : .none))
        return Reply(response)
    }

    /// Submits files for the cheap pipeline.
    func submit(_ address: String, _ sources: String..., key: String? = nil) async throws -> Reply {
        try await post(
            address, "/v1/runs", ["sources": .array(sources.map { .string($0) }), "pipeline": "cheap"],
            key.map { ["Idempotency-Key": $0] } ?? [:])
    }

    /// Waits until a run has a status.
    func becomes(_ status: String, _ run: String, at address: String) async throws -> Bool {
        try await eventually(within: .seconds(30)) {
            try await get(address, "/v1/runs/\(run)").json["status"]?.string == status
        }
    }

    /// Follows a run; `body` is told each event and says whether it has seen enough.
    func follow(
        _ address: String, _ run: String, after last: String? = nil, _ body: (Event) async throws -> Bool
    ) async throws -> Int {
        var fields: HTTPHeaders = ["Authorization": "Bearer \(reader)"]
        if let last { fields["Last-Event-ID"] = last }
        let lines = try await client.lines(
            HTTPRequest("GET", "http://\(address)/v1/runs/\(run)/events", headers: fields))
        guard lines.status == 200 else { return lines.status }
        var event = Event()
        for try await line in lines {
            let line = String(decoding: line, as: UTF8.self)
            if line.hasPrefix("id: ") { event.id = String(line.dropFirst(4)) }
            if line.hasPrefix("event: ") { event.name = String(line.dropFirst(7)) }
            if line.hasPrefix("data: ") { event.data = try JSONValue.parse(Data(line.dropFirst(6).utf8)) }
            guard line.isEmpty, !event.name.isEmpty else { continue }
            if try await body(event) { break }
            event = Event()
        }
        return lines.status
    }

    struct Event: Sendable {
        var id = ""
        var name = ""
        var data = JSONValue.null
    }

    struct Reply {
        var status: Int
        var headers: HTTPHeaders
        var text: String
        /// Null where it is none.
        var json: JSONValue

        init(_ response: HTTPResponse) {
            status = response.status
            headers = response.headers
            text = String(decoding: response.body, as: UTF8.self)
            json = (try? JSONValue.parse(response.body)) ?? .null
        }

        var code: String? { json["code"]?.string }
        var id: String { json["id"]?.string ?? "none" }
    }
}

/// A connection on which a test says what it likes, byte by byte.
final class RawConnection: Sendable {
    private let descriptor: Int32

    /// Connects to `127.0.0.1:PORT`; what does not come within the limit does not come.
    init(_ address: String, limitSeconds: Int = 20) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var place = sockaddr_in()
        place.sin_family = sa_family_t(AF_INET)
        place.sin_port = (UInt16(address.split(separator: ":").last ?? "") ?? 0).bigEndian
        place.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        let status = withUnsafePointer(to: &place) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        var limit = timeval(tv_sec: limitSeconds, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        guard status == 0 else { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
    }

    deinit {
        close(descriptor)
    }

    /// Sends bytes; `false` where the other has closed.
    @discardableResult
    func send(_ text: String) -> Bool {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes {
                Foundation.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return false }
            rest = rest.dropFirst(count)
        }
        return true
    }

    /// All that comes until the other closes; `nil` where it does not within the limit.
    func readToEnd() -> String? {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = read(descriptor, &buffer, buffer.count)
            if count == 0 || (count < 0 && errno == ECONNRESET) { return String(decoding: bytes, as: UTF8.self) }
            guard count > 0 else { return nil }
            bytes += buffer[..<count]
        }
    }
}
