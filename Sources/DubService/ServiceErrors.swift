public import DubCore

extension DubError.Code {
    /// A request that does not keep to the API: malformed JSON, an unknown member, a value out of range.
    public static let requestInvalid = Self(name: "request.invalid")
    /// A body, or header fields, larger than is taken.
    public static let requestTooLarge = Self(name: "request.too-large")
    /// A body of another kind than JSON.
    public static let requestMediaType = Self(name: "request.media-type")
    /// A method that the address does not know.
    public static let requestMethod = Self(name: "request.method")
    /// An address that there is not.
    public static let requestUnknown = Self(name: "request.unknown")
    /// No token, or one that is not known.
    public static let tokenMissing = Self(name: "token.missing")
    /// A token that may not do this.
    public static let tokenScope = Self(name: "token.scope")
    /// A token cannot be made or is not there.
    public static let tokenInvalid = Self(name: "token.invalid")
    /// A source, script, cast or output that lies where the API may not reach.
    public static let sourceRefused = Self(name: "source.refused")
    /// A pipeline that the API may not ask for.
    public static let pipelineRefused = Self(name: "pipeline.refused")
    /// There is no such run.
    public static let runUnknown = Self(name: "run.unknown")
    /// The run belongs to another process, or to a watched folder.
    public static let runElsewhere = Self(name: "run.elsewhere")
    /// The run has not ended.
    public static let runUnfinished = Self(name: "run.unfinished")
    /// Everything of the run is done.
    public static let runNothingLeft = Self(name: "run.nothing-left")
    /// The key was used for another request.
    public static let runOtherRequest = Self(name: "run.other-request")
    /// Too many follow events at once.
    public static let followersTooMany = Self(name: "followers.too-many")
    /// The daemon is about to end.
    public static let serviceDraining = Self(name: "service.draining")
    /// The address cannot be listened on, or its certificate cannot be used.
    public static let serviceUnavailable = Self(name: "service.unavailable")
}

/// An error as an answer, by RFC 9457.
struct Problem {
    let error: DubError
    let status: Int

    init(_ error: DubError) {
        self.error = error
        status = Self.statuses[error.code.name] ?? Self.status(of: error)
    }

    private static let statuses: [String: Int] = [
        "request.invalid": 400, "request.too-large": 413, "request.media-type": 415, "request.method": 405,
        "request.unknown": 404, "token.missing": 401, "token.invalid": 503, "token.scope": 403, "source.refused": 403,
        "pipeline.refused": 403, "run.unknown": 404, "run.elsewhere": 409, "run.unfinished": 409,
        "run.nothing-left": 409, "run.other-request": 409, "followers.too-many": 429, "service.draining": 503,
        "input.missing": 422, "settings.invalid": 422, "parameter.invalid": 422, "pipeline.invalid": 422,
        "language.unknown": 422, "language.unsupported": 422, "script.malformed": 422, "cast.malformed": 422,
    ]

    private static func status(of error: DubError) -> Int { error.persistence == .transient ? 503 : 500 }

    private static let titles: [Int: String] = [
        400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed",
        409: "Conflict", 413: "Content Too Large", 415: "Unsupported Media Type", 422: "Unprocessable Content",
        429: "Too Many Requests", 500: "Internal Server Error", 503: "Service Unavailable",
    ]

    var json: JSONValue {
        [
            "type": .string("urn:dubmill:error:\(error.code.name)"),
            "title": .string(Self.titles[status] ?? "Error"), "status": .integer(Int64(status)),
            "detail": .string(error.what), "code": .string(error.code.name), "where": .string(error.place),
            "fix": .string(error.fix),
        ]
    }
}
