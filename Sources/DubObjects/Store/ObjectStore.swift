public import DubCore
public import DubHTTP
public import Foundation

/// Objects in buckets, at Amazon S3 and whatever speaks its language (SeaweedFS, MinIO, Ceph, R2).
///
/// Every request is signed with the SHA-256 of its body, and tried again where that can help: when the connection
/// breaks, on 5xx, 429 and `SlowDown`, with growing waits, or as long as `Retry-After` asks for. A store that is down
/// for longer gives `object.unavailable`, or the error of HTTP, both transient.
public struct ObjectStore: Sendable {
    /// What is known of an object.
    public struct Entry: Sendable, Hashable {
        /// Its key.
        public var key: String
        /// How many bytes it has.
        public var size: Int64
        /// The store's own mark of this version, without quotation marks.
        public var tag: String
        /// The SHA-256 of all of it, where dubmill put it there; listings do not tell.
        public var digest: Digest?
        /// What is kept beside it, by names in small letters; listings do not tell.
        public var metadata: [String: String] = [:]

        /// Describes an object.
        public init(
            key: String, size: Int64, tag: String, digest: Digest? = nil, metadata: [String: String] = [:]
        ) {
            self.key = key
            self.size = size
            self.tag = tag
            self.digest = digest
            self.metadata = metadata
        }
    }

    /// How large things are sent.
    public struct Limits: Sendable, Hashable {
        /// From how many bytes on a file goes up in parts.
        public var multipartFrom: Int64 = 64 << 20
        /// The bytes of a part; 5 MiB or more. Parts grow where a file would need more than 10,000.
        public var partSize: Int64 = 16 << 20
        /// How many parts are on the way at once, in either direction; 1 or more.
        public var partsAtOnce = 4
        /// A folder for what is known of uploads in parts, so that they go on after a crash; `nil` keeps nothing.
        public var journals: String?

        /// Makes limits: parts of 16 MiB from 64 MiB on, four at once.
        public init(journals: String? = nil) {
            self.journals = journals
        }
    }

    /// The name of the header that keeps the digest of the whole file.
    static let digestField = "x-amz-meta-dubmill-sha256"
    /// The name of the header that the SHA-256 of a body goes in, in Base64.
    static let checksumField = "x-amz-checksum-sha256"

    let client: HTTPClient
    let endpoint: Endpoint
    let region: String
    let source: CredentialSource
    let limits: Limits
    var retries: RetryPolicy

    /// Speaks to the store that `settings` name, with credentials from `source`.
    public init(
        _ settings: StoreSettings, credentials source: CredentialSource, client: HTTPClient, limits: Limits = Limits(),
        retries: RetryPolicy = RetryPolicy()
    ) {
        endpoint = settings.endpoint
        region = settings.region
        self.source = source
        self.client = client
        self.limits = limits
        self.retries = retries
    }

    /// An address that lets whoever has it do one thing with one object until it expires.
    ///
    /// - Parameter headers: what has to be sent with the request, to the letter, besides `Host`.
    /// - Throws: `object.expiry`; `credentials.missing`.
    public func presigned(
        _ name: ObjectName, method: String = "GET", expires: Duration, headers: HTTPHeaders = [:],
        at date: Date = Date()
    ) async throws -> String {
        let signer = SigV4(credentials: try await source.credentials(), region: region)
        var request = endpoint.request(method, name)
        request.headers = headers
        return try signer.presigned(request, expires: expires, at: date)
    }

    /// What is known of an object.
    ///
    /// - Parameter key: the customer's key, where the object is encrypted with one.
    /// - Throws: `object.missing` where there is none; `object.denied`, `object.unavailable`; errors of HTTP.
    public func head(_ name: ObjectName, key: CustomerKey? = nil) async throws -> Entry {
        var request = endpoint.request("HEAD", name)
        request.headers = key?.headers ?? [:]
        request.headers["x-amz-checksum-mode"] = "ENABLED"
        return entry(name.key, try await exchange(request, at: "\(name)").response)
    }

    /// Removes an object; not an error where there is none.
    ///
    /// - Throws: As `head`.
    public func delete(_ name: ObjectName) async throws {
        do {
            _ = try await exchange(endpoint.request("DELETE", name), at: "\(name)")
        } catch let error as DubError where error.code == .objectMissing {
            return
        }
    }

    func entry(_ key: String, _ response: HTTPResponse) -> Entry {
        Entry(
            key: key, size: response.headers["Content-Length"].flatMap { Int64($0) } ?? 0,
            tag: (response.headers["ETag"] ?? "").replacing("\"", with: ""),
            // That of parts ends in “-” and their number, and is no digest of the object.
            digest: response.headers[Self.digestField].flatMap { Digest(hex: $0) }
                ?? response.headers[Self.checksumField].flatMap { Data(base64Encoded: $0) }.flatMap(Digest.init),
            metadata: Dictionary(
                response.headers.fields.compactMap { field in
                    let name = field.name.lowercased()
                    return name.hasPrefix("x-amz-meta-") ? (String(name.dropFirst(11)), field.value) : nil
                }, uniquingKeysWith: { $1 }))
    }

    /// An answer, and whether an earlier attempt may have reached the store too.
    struct Exchange {
        var response: HTTPResponse
        var isRepeated: Bool
    }

    /// Signs, sends, and tries again where that can help.
    ///
    /// - Parameters:
    ///   - file: where the body of an answer of 2xx goes; memory if `nil`.
    ///   - stretch: the bytes of the object, and so of the file, that the request asks for.
    /// - Throws: A refusal as `DubError`; errors of HTTP; `CancellationError`.
    func exchange(
        _ request: S3Request, body: HTTPRequest.Body = .none, payload: SigV4.Payload = .empty, into file: String? = nil,
        stretch: Range<Int64>? = nil, patience: HTTPRequest.Patience = .init(), at place: String
    ) async throws -> Exchange {
        var attempt = 1
        var isRepeated = false
        var hasRenewed = false
        while true {
            var failed: DubError
            var asked: Duration?
            do {
                let signer = SigV4(credentials: try await source.credentials(), region: region)
                let signed = HTTPRequest(
                    request.method, request.url, headers: signer.headers(for: request, payload: payload), body: body,
                    patience: patience)
                let response =
                    if let file {
                        try await client.download(signed, to: file, stretch: stretch)
                    } else {
                        try await client.send(signed)
                    }
                guard let refusal = Self.refusal(in: response, of: request) else {
                    return Exchange(response: response, isRepeated: isRepeated)
                }
                if refusal.isExpired, !hasRenewed {
                    hasRenewed = true
                    await source.forget()
                    continue
                }
                failed = refusal.error(at: place)
                if isRepeated, request.method == "PUT" || request.method == "POST",
                    failed.code == .objectExists || refusal.code == "NoSuchUpload"
                {
                    throw Ambiguous(error: failed)
                }
                asked = RetryPolicy.asked(response.headers["Retry-After"])
            } catch let error as DubError {
                failed = error
            }
            guard failed.persistence == .transient, attempt < retries.attempts else { throw failed }
            isRepeated = true
            if let file, stretch == nil { unlink(file) }
            try await retries.wait(retries.pause(after: attempt, asked: asked))
            attempt += 1
        }
    }

    /// A refusal after an attempt whose answer was lost: what is in the way may be our own work.
    struct Ambiguous: Error {
        var error: DubError
    }

    private static func refusal(in response: HTTPResponse, of request: S3Request) -> Refusal? {
        let isXML = response.body.prefix(200).contains(UInt8(ascii: "<"))
        if (200...299).contains(response.status) {
            // A long completion is begun with 200, and may still end with an error.
            guard request.method == "POST", isXML else { return nil }
            let reply = ReplyReader.read(response.body)
            guard reply.children.first?.name == "Error" else { return nil }
            return Refusal(status: 200, code: reply.first("Code") ?? "", message: reply.first("Message") ?? "")
        }
        let reply = ReplyReader.read(isXML ? response.body : Data())
        return Refusal(
            status: response.status, code: reply.first("Code") ?? "", message: reply.first("Message") ?? "")
    }
}
