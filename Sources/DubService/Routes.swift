internal import DubCore
internal import Foundation

extension RouteTable {
    /// All that the API does.
    static func all(version: String, followers: FollowerCount) -> RouteTable {
        let id = Route.Parameter(place: .path, name: "id", summary: "The run's name.", schema: Schemas.runID)
        func run(_ status: Int, _ summary: String, _ schema: String = "Run") -> Route.Reply {
            Route.Reply(status: status, summary: summary, content: [("application/json", Schemas.reference(schema))])
        }
        var routes = [
            Route(
                method: "GET", path: "/healthz", name: "health", summary: "Whether the daemon lives.", access: .open,
                replies: [run(200, "It does.", "Health")]
            ) { _ in .json(["status": "ok"]) },
            Route(
                method: "GET", path: "/readyz", name: "readiness",
                summary: "Whether the daemon takes runs on: not while it drains, nor without its ledger.",
                access: .open, replies: [run(200, "It does.", "Health")], refusals: [503]
            ) { call in
                if let trouble = await call.desk.trouble() {
                    // Why is for those who hold a token: in the log.
                    throw DubError(
                        .serviceDraining, "Nothing is taken on now.", at: "the daemon",
                        fix: "Try again; its log tells why: \(trouble.code).", persistence: .transient)
                }
                return .json(["status": "ready"])
            },
            metrics,
            Route(
                method: "GET", path: "/v1/runs", name: "listRuns", summary: "Runs, newest first, in pages.",
                access: .read,
                parameters: [
                    .init(
                        place: .query, name: "status", summary: "Those in this state alone.",
                        schema: ["type": "string", "enum": Schemas.statuses]),
                    .init(
                        place: .query, name: "limit", summary: "How many at most.",
                        schema: ["type": "integer", "minimum": 1, "maximum": 200, "default": 50]),
                    .init(
                        place: .query, name: "before", summary: "`next` of the page before.", schema: Schemas.runID),
                ],
                replies: [run(200, "A page.", "RunList")]
            ) { call in
                let page = try await call.desk.runs(try RunQuery(call.query))
                let runs = try page.runs.map { try JSONValue(encoding: $0) }
                return .json(["runs": .array(runs), "next": page.next.map { .string($0) } ?? .null])
            },
            Route(
                method: "POST", path: "/v1/runs", name: "submitRun",
                summary: "Takes a run on. Once this is answered no crash takes it away.", access: .write,
                parameters: [
                    .init(
                        place: .header, name: "Idempotency-Key",
                        summary: "What the request is called: sent again under the same name it is not done twice.",
                        schema: ["type": "string", "pattern": "^[!-~]{1,128}$"])
                ], body: "Submission",
                replies: [run(202, "It is in the queue.")], refusals: [409, 415, 422]
            ) { call in
                let json: JSONValue
                do {
                    json = try JSONValue.parse(call.body)
                } catch {
                    throw DubError(
                        .requestInvalid, "The body is no JSON.", at: "the body", fix: "Send an object in UTF-8.")
                }
                let key = call.headers["idempotency-key"]
                guard
                    key.map({ (1...128).contains($0.utf8.count) && $0.utf8.allSatisfy { (33...126).contains($0) } })
                        ?? true
                else {
                    throw DubError(
                        .requestInvalid, "The key is no name.", at: "Idempotency-Key",
                        fix: "Use 1 to 128 printable characters of ASCII.")
                }
                let view = try await call.desk.submit(try Submission(json, key: key))
                return .json(
                    try JSONValue(encoding: view), status: 202, headers: [("location", "/v1/runs/\(view.id)")])
            },
            Route(
                method: "GET", path: "/v1/runs/{id}", name: "getRun", summary: "A run with its items and stages.",
                access: .read, parameters: [id], replies: [run(200, "The run.", "RunDetail")], refusals: [404]
            ) { call in .json(try await call.desk.run(call.id).json()) },
            Route(
                method: "POST", path: "/v1/runs/{id}/cancel", name: "cancelRun",
                summary: "Asks a run to stop; not an error where it has ended.", access: .write, parameters: [id],
                replies: [run(202, "It was asked, or has ended.")], refusals: [404, 409]
            ) { call in .json(try JSONValue(encoding: try await call.desk.cancel(call.id)), status: 202) },
            Route(
                method: "POST", path: "/v1/runs/{id}/retry", name: "retryRun",
                summary: "Takes on again, as a new run, what a run left undone.", access: .write, parameters: [id],
                replies: [run(202, "It is in the queue.")], refusals: [404, 409, 422]
            ) { call in
                let view = try await call.desk.retry(call.id)
                return .json(
                    try JSONValue(encoding: view), status: 202, headers: [("location", "/v1/runs/\(view.id)")])
            },
            events(id, followers),
        ]
        let document = OpenAPI.document(routes, version: version)
        routes.append(
            Route(
                method: "GET", path: "/openapi.json", name: "describe", summary: "This description.", access: .open,
                replies: [
                    .init(status: 200, summary: "OpenAPI 3.1.", content: [("application/json", ["type": "object"])])
                ]
            ) { _ in .json(document) })
        return RouteTable(routes: routes)
    }

    private static let metrics = Route(
        method: "GET", path: "/metrics", name: "metrics",
        summary: "Figures for Prometheus, in OpenMetrics where that is asked for.", access: .metrics,
        replies: [
            .init(
                status: 200, summary: "The figures of the moment.",
                content: [
                    ("text/plain", ["type": "string"]), ("application/openmetrics-text", ["type": "string"]),
                ])
        ]
    ) { call in
        let isOpen = call.headers["accept"]?.contains("application/openmetrics-text") ?? false
        let text = MetricFamily.text(try await call.desk.metrics(), isOpen: isOpen)
        let type =
            isOpen
            ? "application/openmetrics-text; version=1.0.0; charset=utf-8" : "text/plain; version=0.0.4; charset=utf-8"
        return Answer(headers: [("content-type", type)], body: .bytes(Data(text.utf8)))
    }

    private static func events(_ id: Route.Parameter, _ followers: FollowerCount) -> Route {
        Route(
            method: "GET", path: "/v1/runs/{id}/events", name: "followRun",
            summary: "What a run does, as server-sent events until it ends: `run`, `item`, `stage`, `node`, `end`.",
            access: .read,
            parameters: [
                id,
                .init(
                    place: .header, name: "Last-Event-ID", summary: "The last event that came: those after it follow.",
                    schema: ["type": "string", "maxLength": 128]),
            ],
            replies: [
                .init(status: 200, summary: "Events.", content: [("text/event-stream", ["type": "string"])]),
                .init(status: 204, summary: "The last event was the end.", content: []),
            ], refusals: [404, 429]
        ) { call in
            let following = Following(desk: call.desk, id: call.id, last: call.headers["last-event-id"])
            guard try await !following.isOver() else { return Answer(status: 204, body: .bytes(Data())) }
            let place = try followers.take()
            return Answer(
                headers: [
                    ("content-type", "text/event-stream"), ("cache-control", "no-store"), ("x-accel-buffering", "no"),
                ],
                body: .stream { writer in
                    defer { withExtendedLifetime(place) {} }
                    try await following.write(to: &writer)
                })
        }
    }
}

extension RunQuery {
    /// Reads a query.
    ///
    /// - Throws: `request.invalid`.
    init(_ query: [String: String]) throws(DubError) {
        self.init()
        func invalid(_ name: String, _ fix: String) -> DubError {
            DubError(.requestInvalid, "`\(name)` cannot be that.", at: "the query", fix: fix)
        }
        for (name, value) in query.sorted(by: { $0.key < $1.key }) {
            switch name {
            case "status":
                guard let status = RunView.Status(rawValue: value) else {
                    throw invalid(
                        name, "Use one of \(RunView.Status.allCases.map(\.rawValue).joined(separator: ", ")).")
                }
                self.status = status
            case "limit":
                guard value.utf8.allSatisfy({ (48...57).contains($0) }), let limit = Int(value),
                    (1...200).contains(limit)
                else { throw invalid(name, "Give 1 to 200.") }
                self.limit = limit
            case "before":
                guard RunName.isSound(value) else { throw invalid(name, "Give `next` of the page before.") }
                before = value
            default: throw invalid(String(name.prefix(64)), "There are status, limit and before.")
            }
        }
    }
}

/// What runs may be called.
enum RunName {
    static func isSound(_ name: String) -> Bool {
        (1...64).contains(name.utf8.count)
            && name.utf8.allSatisfy {
                $0 == 45 || (48...57).contains($0) || (65...90).contains($0) || (97...122).contains($0)
            }
    }
}
