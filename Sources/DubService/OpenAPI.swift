internal import DubCore

/// The API's description in OpenAPI 3.1, made of the routes that the server looks up: they cannot disagree.
enum OpenAPI {
    static func document(_ routes: [Route], version: String) -> JSONValue {
        var paths: [String: JSONValue] = [:]
        for route in routes {
            var operations = paths[route.path]?.object ?? [:]
            operations[route.method.lowercased()] = operation(route)
            paths[route.path] = .object(operations)
        }
        return [
            "openapi": "3.1.0",
            "info": [
                "title": "dubmill", "version": .string(version),
                "description":
                    "The control API of `dubmill daemon`: docs/http-api.md. Errors are RFC 9457 problems with dubmill's code.",
                "license": ["name": "Apache-2.0", "identifier": "Apache-2.0"],
            ],
            "paths": .object(paths),
            "components": [
                "schemas": .object(Schemas.all),
                "securitySchemes": [
                    "token": [
                        "type": "http", "scheme": "bearer", "description": "A token of `dubmill token add`.",
                    ]
                ],
            ],
        ]
    }

    private static let refusals: [Int: String] = [
        400: "The request does not keep to this description.", 401: "No token, or one that is not known.",
        403: "The token, or the API, may not do this.", 404: "There is no such thing.",
        405: "The address knows other methods.", 409: "The run's state does not allow it.",
        413: "The body is too large.", 415: "The body is no JSON.", 422: "What is asked for cannot be done.",
        429: "Too many follow events at once.", 503: "The daemon cannot do it now.",
    ]

    private static func operation(_ route: Route) -> JSONValue {
        var answers: [String: JSONValue] = [:]
        for reply in route.replies {
            var content: [String: JSONValue] = [:]
            for one in reply.content { content[one.type] = ["schema": one.schema] }
            var answer: [String: JSONValue] = ["description": .string(reply.summary)]
            if !content.isEmpty { answer["content"] = .object(content) }
            answers[String(reply.status)] = .object(answer)
        }
        let common = route.access == .open ? [] : [401, 403, 503]
        // Any route is sent a body, or a query, that is none.
        for status in Set(common + route.refusals + [400, 413]) {
            answers[String(status)] = [
                "description": .string(refusals[status] ?? "An error."),
                "content": ["application/problem+json": ["schema": Schemas.reference("Problem")]],
            ]
        }
        var operation: [String: JSONValue] = [
            "operationId": .string(route.name), "summary": .string(route.summary), "responses": .object(answers),
            "security": route.access == .open ? [] : [["token": []]],
        ]
        if !route.parameters.isEmpty {
            operation["parameters"] = .array(
                route.parameters.map { parameter in
                    [
                        "in": .string(parameter.place.rawValue), "name": .string(parameter.name),
                        "required": .bool(parameter.place == .path), "schema": parameter.schema,
                        "description": .string(parameter.summary),
                    ]
                })
        }
        if let body = route.body {
            operation["requestBody"] = [
                "required": true, "content": ["application/json": ["schema": Schemas.reference(body)]],
            ]
        }
        return .object(operation)
    }
}
