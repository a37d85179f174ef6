import DubCore
import Foundation
import Testing

@testable import DubService

@Suite struct Routes {
    private let table = RouteTable.all(version: "1.2.3", followers: FollowerCount(most: 1))

    @Test("addresses are found whole, HEAD where GET is, and other methods are told")
    func find() {
        func name(_ method: String, _ path: String) -> String? {
            if case .route(let route, let id) = table.find(method, path) { "\(route.name) \(id)" } else { nil }
        }
        #expect(name("GET", "/v1/runs") == "listRuns ")
        #expect(name("HEAD", "/healthz") == "health ")
        #expect(name("GET", "/v1/runs/a-1/events") == "followRun a-1")
        #expect(name("POST", "/v1/runs/a-1/cancel") == "cancelRun a-1")
        for path in ["/v1/runs/", "//v1/runs", "/v1/runs/a/b/c", "/V1/runs", "", "/v1"] {
            if path == "/v1/runs/" {
                #expect(name("GET", path) == "getRun ")
            } else {
                #expect(name("GET", path) == nil)
            }
        }
        guard case .otherMethod(let methods) = table.find("PUT", "/v1/runs") else {
            Issue.record("PUT was found")
            return
        }
        #expect(methods == ["GET", "HEAD", "POST"])
    }

    @Test("every route is described, with its parameters, schemas that there are, and who may use it")
    func description() throws {
        let document = OpenAPI.document(table.routes, version: "1.2.3")
        for route in table.routes where route.name != "describe" {
            let operation = try #require(document["paths"]?[route.path]?[route.method.lowercased()])
            #expect(operation["operationId"]?.string == route.name)
            #expect((operation["security"] == []) == (route.access == .open))
            if route.path.contains("{id}") { #expect(operation["parameters"]?.array?.first?["name"] == "id") }
        }
        let schemas = try #require(document["components"]?["schemas"]?.object)
        var references: Set<String> = []
        func gather(_ value: JSONValue) {
            if let name = value["$ref"]?.string { references.insert(name) }
            for member in value.object.map({ Array($0.values) }) ?? value.array ?? [] { gather(member) }
        }
        gather(document)
        #expect(!references.isEmpty)
        for name in references {
            #expect(schemas[String(name.dropFirst("#/components/schemas/".count))] != nil, "\(name)")
        }
    }

    @Test("every code of ours has a status, and a problem says all of it")
    func problems() {
        let problem = Problem(DubError(.sourceRefused, "What.", at: "where", fix: "Fix."))
        #expect(
            problem.json == [
                "type": "urn:dubmill:error:source.refused", "title": "Forbidden", "status": 403, "detail": "What.",
                "code": "source.refused", "where": "where", "fix": "Fix.",
            ])
        #expect(Problem(DubError(.init(name: "ledger.failed"), "", at: "", fix: "")).status == 500)
        #expect(Problem(DubError(.init(name: "x.y"), "", at: "", fix: "", persistence: .transient)).status == 503)
    }

    @Test("a query is read strictly")
    func query() throws {
        let read = try RunQuery(["status": "failed", "limit": "7", "before": "20260101-000000-abcd"])
        #expect(read.status == .failed && read.limit == 7 && read.before == "20260101-000000-abcd")
        for query in [
            ["limit": "0"], ["limit": "201"], ["limit": "+5"], ["status": "Failed"], ["before": "a b"], ["x": ""],
        ] {
            #expect(throws: DubError.self, "\(query)") { try RunQuery(query) }
        }
    }

    @Test("a submission tells every fault at once")
    func submission() throws {
        let sound = try Submission(["sources": ["a.mp4"], "to": ["es"], "priority": 5, "parameters": ["stems": true]])
        #expect(sound.sources == ["a.mp4"] && sound.to == ["es"] && sound.priority == 5)
        #expect(sound.parameters == ["stems": true])
        let error = #expect(throws: DubError.self) {
            try Submission(["sources": ["a", "b"], "script": "s", "priority": 1.5, "colour": 1, "to": "es"])
        }
        for part in ["script", "priority", "colour", "`to`"] { #expect(error?.what.contains(part) == true, "\(part)") }
    }

    @Test("figures are written as Prometheus and OpenMetrics read them")
    func metrics() {
        var family = MetricFamily("x_total", .counter, "A \\ and a\nline")
        family.add(1.5, ("label", "quote \" back \\ line\n"))
        var histogram = Histogram(bounds: [0.1, 1])
        for value in [0.05, 0.1, 0.5, 3] { histogram.observe(value) }
        var seconds = MetricFamily("s_seconds", .histogram, "S")
        seconds.add(histogram, ("stage", "mix"))
        let open = MetricFamily.text([family, seconds], isOpen: true)
        #expect(
            open == """
                # HELP x A \\\\ and a\\nline
                # TYPE x counter
                x_total{label="quote \\" back \\\\ line\\n"} 1.5
                # HELP s_seconds S
                # TYPE s_seconds histogram
                s_seconds_bucket{stage="mix",le="0.1"} 2
                s_seconds_bucket{stage="mix",le="1"} 3
                s_seconds_bucket{stage="mix",le="+Inf"} 4
                s_seconds_sum{stage="mix"} 3.65
                s_seconds_count{stage="mix"} 4
                # EOF

                """)
        #expect(MetricFamily.text([family], isOpen: false).hasPrefix("# HELP x_total A"))
    }

    @Test("no more follow than may, and a place is free again with its follower")
    func followers() throws {
        let count = FollowerCount(most: 1)
        do {
            let place = try count.take()
            #expect(count.now == 1)
            #expect(throws: DubError.self) { try count.take() }
            withExtendedLifetime(place) {}
        }
        #expect(count.now == 0)
        _ = try count.take()
    }
}
