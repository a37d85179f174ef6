internal import DubCore
internal import DubHTTP
internal import Foundation

/// The worker protocol, version 1, over HTTP: the caller's end. Knows nothing of processes.
struct WorkerLink: Sendable {
    static let protocolVersion = 1

    var client: HTTPClient
    /// A Unix socket; `nil` for a worker at a URL.
    var socketPath: String?
    /// The root of the worker's URLs, without a slash at its end.
    var base = "http://worker"
    /// What the worker wants to see.
    var token: WorkerToken?
    /// A file of certificates that the server's has to come from; `nil` are those of the system.
    var authorities: String?
    /// The longest silence within a batch; whole seconds.
    var silence: Duration = .seconds(900)

    /// What the worker says of itself.
    struct Health: Codable {
        var `protocol`: Int
        var worker: String
        var version: String
        var pid: Int32?
        var status: String
    }

    private struct Refusal: Codable {
        var error: WorkerFault
    }

    private struct Done: Codable {
        var done: Bool
    }

    init(client: HTTPClient, socketPath: String? = nil, silence: Duration = .seconds(900)) {
        self.client = client
        self.socketPath = socketPath
        self.silence = silence
    }

    /// A worker at an endpoint.
    init(client: HTTPClient, to endpoint: WorkerEndpoint, silence: Duration = .seconds(900)) {
        self.init(client: client, silence: silence)
        switch endpoint.address {
        case .socket(let path): socketPath = path
        case .url(let url): base = url
        }
        token = endpoint.token
        authorities = endpoint.authorities
    }

    /// A request to the worker: 5 s to connect, a minute in all.
    func request(_ method: String, _ path: String) -> HTTPRequest {
        var request = HTTPRequest(
            method, base + path, socketPath: socketPath, headers: ["Accept": "application/json"])
        if let token { request.headers["Authorization"] = "Bearer \(token.text)" }
        request.authorities = authorities
        request.patience = .init(connect: .seconds(5), idle: .seconds(30), total: .seconds(60))
        return request
    }

    /// Whether the worker is up.
    func health(within limit: Duration) async throws -> Health {
        var request = request("GET", "/v1/health")
        request.patience.total = limit
        return try await get(request)
    }

    func capabilities() async throws -> Capabilities {
        let capabilities: Capabilities = try await get(request("GET", "/v1/capabilities"))
        guard capabilities.protocol == Self.protocolVersion else {
            throw DubError.workerProtocol(
                "The worker speaks protocol \(capabilities.protocol), and dubmill speaks \(Self.protocolVersion).",
                at: socketPath ?? base)
        }
        return capabilities
    }

    private func get<Value: Decodable>(_ request: HTTPRequest) async throws -> Value {
        let response = try await client.send(request)
        try refuse(response.status, response.body, request.place)
        do {
            return try JSONDecoder().decode(Value.self, from: response.body)
        } catch {
            throw DubError.workerProtocol(
                "An answer of the worker cannot be read: \(error).", at: request.place, cause: error)
        }
    }

    /// Sends a batch; an end of the stream without its last line is `http.failed`, transient.
    func batch(_ batch: BatchRequest, onResult: @Sendable (ItemResult) -> Void) async throws -> [ItemResult] {
        var request = request("POST", "/v1/batch")
        request.headers["Accept"] = "application/x-ndjson"
        request.headers["Content-Type"] = "application/json"
        request.patience = .init(connect: .seconds(5), idle: silence)
        request.body = .data(try JSONEncoder().encode(batch))
        let lines = try await client.lines(request)
        guard lines.status == 200 else {
            var body = Data()
            for try await line in lines { body.append(line) }
            try refuse(lines.status, body, request.place)
            throw DubError.workerProtocol(
                "The worker answered with status \(lines.status).", at: request.place)
        }
        var results: [ItemResult] = []
        let decoder = JSONDecoder()
        for try await line in lines where !line.isEmpty {
            if let done = try? decoder.decode(Done.self, from: line), done.done { return results }
            let result: ItemResult
            do {
                result = try decoder.decode(ItemResult.self, from: line)
            } catch {
                throw DubError.workerProtocol(
                    "A result of the worker cannot be read: \(error).", at: request.place, cause: error)
            }
            results.append(result)
            onResult(result)
        }
        throw DubError(
            .httpFailed, "The answer ended after \(results.count) of \(batch.items.count) items.",
            at: request.place, fix: "Try again; if it stays, look into the worker's log.",
            persistence: .transient)
    }

    private func refuse(_ status: Int, _ body: Data, _ place: String) throws {
        guard status >= 400 else { return }
        if status == 401 || status == 403 {
            throw DubError(
                .workerUnauthorised,
                token == nil ? "The worker wants a token." : "The worker does not accept the token.", at: place,
                fix: "Give the token that the worker was started with: --worker-token-file FILE.")
        }
        if status == 429 || status == 503 {
            throw DubError(
                .workerBusy, "The worker takes no work now (status \(status)).", at: place,
                fix: "Try again later, or add a worker.", persistence: .transient)
        }
        let fault =
            (try? JSONDecoder().decode(Refusal.self, from: body))?.error
            ?? WorkerFault(
                code: status < 500 ? "bad_request" : "internal", message: "The worker answered \(status).")
        throw fault.error(at: place)
    }
}
