internal import DubCore

/// The schemas of what goes over the wire, in JSON Schema as OpenAPI 3.1 has it.
enum Schemas {
    static let runID: JSONValue = ["type": "string", "pattern": "^[A-Za-z0-9-]{1,64}$"]
    private static let path: JSONValue = ["type": "string", "minLength": 1, "maxLength": 4096]
    private static let name: JSONValue = ["type": "string", "minLength": 1, "maxLength": 255]
    private static let time: JSONValue = ["type": "string", "format": "date-time"]

    static func reference(_ name: String) -> JSONValue { ["$ref": .string("#/components/schemas/\(name)")] }

    private static func described(_ schema: JSONValue, _ text: String) -> JSONValue {
        var object = schema.object ?? [:]
        object["description"] = .string(text)
        return .object(object)
    }

    private static func optional(_ schema: JSONValue) -> JSONValue { ["anyOf": [schema, ["type": "null"]]] }

    static let statuses: JSONValue = .array(RunView.Status.allCases.map { .string($0.rawValue) })

    /// By name.
    static let all: [String: JSONValue] = [
        "Submission": [
            "type": "object", "additionalProperties": false, "required": ["sources"],
            "properties": [
                "sources": [
                    "type": "array", "items": path, "minItems": 1, "maxItems": 1000, "uniqueItems": true,
                    "description":
                        "Media files below `http: roots`: absolute, or from the first of the roots. URLs are refused.",
                ],
                "to": [
                    "type": "array", "items": described(name, "A BCP 47 tag."), "minItems": 1, "maxItems": 100,
                    "uniqueItems": true, "description": "Languages to dub into, where the pipeline takes any.",
                ],
                "pipeline": described(name, "One of `http: pipelines`; `dub` where none is named."),
                "profile": described(name, "A profile of the pipeline."),
                "parameters": [
                    "type": "object", "description": "Values of the pipeline's parameters.",
                    "propertyNames": name,
                    "additionalProperties": [
                        "anyOf": [
                            path, ["type": "number"], ["type": "boolean"],
                            ["type": "array", "items": path],
                        ]
                    ],
                ],
                "script": described(path, "A script to take lines from; for one source alone."),
                "cast": described(path, "A cast file."),
                "out": described(path, "A folder below `http: out`."),
                "priority": [
                    "type": "integer", "minimum": -1000, "maximum": 1000, "default": 0,
                    "description": "Greater goes first.",
                ],
            ],
        ],
        "Run": .object(run(items: "items")),
        "RunDetail": .object(detail),
        "RunList": [
            "type": "object", "required": ["runs", "next"],
            "properties": [
                "runs": ["type": "array", "items": reference("Run")],
                "next": described(
                    optional(runID),
                    "The `before` of the next page; null at the end. A page may hold less than `limit`."),
            ],
        ],
        "Problem": [
            "type": "object", "required": ["type", "title", "status", "detail", "code", "where", "fix"],
            "properties": [
                "type": ["type": "string"], "title": ["type": "string"], "status": ["type": "integer"],
                "detail": ["type": "string", "description": "What broke."],
                "code": ["type": "string", "description": "The stable kind of failure: match on this."],
                "where": ["type": "string"], "fix": ["type": "string", "description": "What to do about it."],
            ],
        ],
        "Health": ["type": "object", "required": ["status"], "properties": ["status": ["type": "string"]]],
    ]

    private static func run(items: String) -> [String: JSONValue] {
        [
            "type": "object",
            "required": ["id", "status", "pipeline", "parameters", "out", "priority", "since", .string(items)],
            "properties": [
                "id": runID, "status": ["type": "string", "enum": statuses], "pipeline": ["type": "string"],
                "parameters": ["type": "object"], "out": ["type": "string"], "priority": ["type": "integer"],
                "since": described(time, "When it began, or was taken on."), "ended": time,
                items: [
                    "type": "object", "additionalProperties": ["type": "integer"],
                    "description": "How many items are in which state.",
                ],
            ],
        ]
    }

    private static let detail: [String: JSONValue] = {
        var schema = run(items: "counts")
        var properties = schema["properties"]?.object ?? [:]
        properties["items"] = [
            "type": "array", "description": "As `dubmill run --format json` prints them.",
            "items": [
                "type": "object", "required": ["index", "source", "status", "outputs"],
                "properties": [
                    "index": ["type": "integer"], "source": ["type": "string"], "status": ["type": "string"],
                    "outputs": ["type": "array", "items": ["type": "object"]],
                ],
            ],
        ]
        properties["stages"] = [
            "type": "array",
            "items": [
                "type": "object", "required": ["stage", "run", "cached", "failed", "seconds"],
                "properties": [
                    "stage": ["type": "string"], "run": ["type": "integer"], "cached": ["type": "integer"],
                    "failed": ["type": "integer"], "seconds": ["type": "number"],
                ],
            ],
        ]
        schema["properties"] = .object(properties)
        schema["required"] = .array((schema["required"]?.array ?? []) + ["items", "stages"])
        return schema
    }()
}
