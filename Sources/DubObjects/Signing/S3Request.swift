public import DubHTTP

/// A request to an object store before it is signed.
public struct S3Request: Sendable, Hashable {
    /// One `name=value` of a query, not encoded; a name alone has the value "".
    public struct QueryItem: Sendable, Hashable {
        /// The name.
        public var name: String
        /// The value.
        public var value: String

        /// Makes an item.
        public init(_ name: String, _ value: String = "") {
            self.name = name
            self.value = value
        }

        /// As it is signed and sent.
        var encoded: String { "\(PercentEncoding.encode(name))=\(PercentEncoding.encode(value))" }
    }

    /// The method, in capitals.
    public var method: String
    /// `http` or `https`.
    public var scheme: String
    /// The host, with its port where that is not the scheme's own.
    public var authority: String
    /// The path, percent-encoded, from its first slash.
    public var path: String
    /// The query, in the order that it is sent in.
    public var query: [QueryItem]
    /// The header fields that are sent, and signed, beside `Host` and those of the signature.
    public var headers: HTTPHeaders

    /// Makes a request.
    public init(
        _ method: String, scheme: String = "https", authority: String, path: String, query: [QueryItem] = [],
        headers: HTTPHeaders = [:]
    ) {
        self.method = method
        self.scheme = scheme
        self.authority = authority
        self.path = path
        self.query = query
        self.headers = headers
    }

    /// The whole address, as it goes on the wire.
    public var url: String {
        let items = query.map(\.encoded).joined(separator: "&")
        return "\(scheme)://\(authority)\(path)\(items.isEmpty ? "" : "?\(items)")"
    }

    /// What libcurl sends as `Host`: the port is left out where it is the scheme's own.
    var host: String {
        let host = authority.lowercased()
        let port = scheme == "https" ? ":443" : ":80"
        return host.hasSuffix(port) ? String(host.dropLast(port.count)) : host
    }
}
