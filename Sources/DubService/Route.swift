internal import DubCore
internal import Foundation

/// One thing that the API does: what the server looks up, and what its description is made of.
struct Route: Sendable {
    /// Who may ask for it.
    enum Access: Sendable {
        /// Anybody.
        case open
        /// Who holds a token; without one where the configuration says so.
        case metrics
        case read
        /// Who holds a token for writing.
        case write
    }

    /// What may stand in the address or the header.
    struct Parameter: Sendable {
        enum Place: String, Sendable {
            case path
            case query
            case header
        }

        var place: Place
        var name: String
        var summary: String
        var schema: JSONValue
    }

    /// What may come back besides the errors that every route has.
    struct Reply: Sendable {
        var status: Int
        var summary: String
        /// Media types and the schemas of what is in them.
        var content: [(type: String, schema: JSONValue)]
    }

    var method: String
    /// Parts of the path; `{id}` stands for the name of a run.
    var path: String
    /// Its name in the description.
    var name: String
    var summary: String
    var access: Access
    var parameters: [Parameter] = []
    /// The schema of the body, where it takes one.
    var body: String?
    var replies: [Reply]
    /// Statuses of errors that are its own.
    var refusals: [Int] = []
    var perform: @Sendable (Call) async throws -> Answer
}

/// A request that was let in, its body read.
struct Call: Sendable {
    /// What stands for `{id}`.
    var id: String
    /// By name, decoded.
    var query: [String: String]
    /// The fields that routes ask for, by their names in small letters.
    var headers: [String: String]
    var body: Data
    var desk: any Desk
}

/// What goes back.
struct Answer: Sendable {
    enum Body: Sendable {
        case bytes(Data)
        /// Written bit by bit, until it returns.
        case stream(@concurrent @Sendable (inout EventWriter) async throws -> Void)
    }

    var status = 200
    var headers: [(String, String)] = []
    var body: Body

    /// An answer in JSON.
    static func json(_ value: JSONValue, status: Int = 200, headers: [(String, String)] = []) -> Answer {
        Answer(
            status: status, headers: [("content-type", "application/json")] + headers,
            body: .bytes(Data(value.canonical.utf8)))
    }

    /// An error.
    static func problem(_ error: DubError) -> Answer {
        let problem = Problem(error)
        var headers = [("content-type", "application/problem+json")]
        if problem.status == 401 { headers.append(("www-authenticate", "Bearer realm=\"dubmill\"")) }
        if problem.status == 429 || problem.status == 503 { headers.append(("retry-after", "5")) }
        return Answer(status: problem.status, headers: headers, body: .bytes(Data(problem.json.canonical.utf8)))
    }
}

/// Finds the route of a request.
struct RouteTable: Sendable {
    let routes: [Route]

    enum Finding {
        case route(Route, id: String)
        /// The address is known, by other methods.
        case otherMethod([String])
        case nothing
    }

    func find(_ method: String, _ path: String) -> Finding {
        let parts = path.split(separator: "/", omittingEmptySubsequences: false)
        var others: Set<String> = []
        for route in routes {
            guard let id = Self.fits(parts, route.path) else { continue }
            if route.method == method || (method == "HEAD" && route.method == "GET") { return .route(route, id: id) }
            others.insert(route.method)
            if route.method == "GET" { others.insert("HEAD") }
        }
        return others.isEmpty ? .nothing : .otherMethod(others.sorted())
    }

    private static func fits(_ parts: [Substring], _ template: String) -> String? {
        let wanted = template.split(separator: "/", omittingEmptySubsequences: false)
        guard wanted.count == parts.count else { return nil }
        var id = ""
        for (want, part) in zip(wanted, parts) {
            if want == "{id}" { id = String(part) } else if want != part { return nil }
        }
        return id
    }
}
