internal import struct Crypto.HMAC
internal import struct Crypto.SHA256
internal import struct Crypto.SymmetricKey
public import DubCore
public import DubHTTP
public import Foundation

/// Signs requests to object stores: AWS Signature Version 4, in header fields or in the query of an address.
///
/// Source: “Signature Calculations for the Authorization Header” and “Authenticating Requests: Using Query
/// Parameters” in the API reference of Amazon S3. Paths are signed as they are sent, never normalised.
public struct SigV4: Sendable {
    /// What a signature says of the body.
    public enum Payload: Sendable, Hashable {
        /// Its SHA-256.
        case digest(Digest)
        /// Nothing: whoever holds the signature may send any body.
        case unsigned

        /// Of no bytes.
        public static let empty = Payload.digest(.of(""))

        var text: String {
            switch self {
            case .digest(let digest): digest.hex
            case .unsigned: "UNSIGNED-PAYLOAD"
            }
        }
    }

    /// The longest that a signed address may be good for: seven days.
    public static let longestExpiry = Duration.seconds(604_800)

    /// Header fields that proxies and libcurl change, or set themselves.
    private static let unsigned: Set = [
        "authorization", "connection", "expect", "transfer-encoding", "user-agent", "x-amzn-trace-id",
    ]

    private let credentials: Credentials
    private let region: String
    private let service: String

    /// Signs with `credentials` for a region, such as `eu-central-1`.
    public init(credentials: Credentials, region: String, service: String = "s3") {
        self.credentials = credentials
        self.region = region
        self.service = service
    }

    /// All header fields of the request, those of its signature included: `X-Amz-Date`, `X-Amz-Security-Token` for
    /// a session, `X-Amz-Content-SHA256`, `Authorization`.
    public func headers(for request: S3Request, payload: Payload, at date: Date = Date()) -> HTTPHeaders {
        var request = request
        let time = Timestamp(date)
        request.headers["Authorization"] = nil
        request.headers["X-Amz-Date"] = time.text
        request.headers["X-Amz-Security-Token"] = credentials.sessionToken
        request.headers["X-Amz-Content-SHA256"] = payload.text
        let canonical = Canonical(request, payload: payload)
        request.headers["Authorization"] =
            "AWS4-HMAC-SHA256 Credential=\(credentials.accessKey)/\(scope(time)), "
            + "SignedHeaders=\(canonical.signedHeaders), Signature=\(signature(of: canonical, time))"
        return request.headers
    }

    /// An address that carries its own permission: for this method, these header fields, and so long.
    ///
    /// Whoever has it can use it until it expires, so it is never logged. Of a session's credentials it is good no
    /// longer than the session.
    ///
    /// - Parameter expires: whole seconds, one to seven days.
    /// - Throws: `object.expiry` for anything else.
    public func presigned(
        _ request: S3Request, expires: Duration, at date: Date = Date()
    ) throws(DubError) -> String {
        try Self.check(expires: expires)
        var request = request
        let time = Timestamp(date)
        request.query += [
            .init("X-Amz-Algorithm", "AWS4-HMAC-SHA256"),
            .init("X-Amz-Credential", "\(credentials.accessKey)/\(scope(time))"),
            .init("X-Amz-Date", time.text), .init("X-Amz-Expires", "\(expires.components.seconds)"),
            .init("X-Amz-SignedHeaders", Canonical(request, payload: .unsigned).signedHeaders),
        ]
        if let token = credentials.sessionToken { request.query.append(.init("X-Amz-Security-Token", token)) }
        let signature = signature(of: Canonical(request, payload: .unsigned), time)
        return "\(request.url)&X-Amz-Signature=\(signature)"
    }

    /// - Throws: `object.expiry` unless an address can be good for so long.
    static func check(expires: Duration) throws(DubError) {
        guard expires >= .seconds(1), expires <= longestExpiry, expires.components.attoseconds == 0 else {
            throw DubError(
                .objectExpiry, "A signed address can be good for one second to seven days, in whole seconds.",
                at: "an expiry of \(expires)", fix: "Give a time such as 3600s, 12h or 7d.")
        }
    }

    /// Lower-case hexadecimal digits.
    static func hex(_ bytes: some Sequence<UInt8>) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    private func scope(_ time: Timestamp) -> String { "\(time.day)/\(region)/\(service)/aws4_request" }

    private func signature(of canonical: Canonical, _ time: Timestamp) -> String {
        let toSign = "AWS4-HMAC-SHA256\n\(time.text)\n\(scope(time))\n\(Digest.of(canonical.text).hex)"
        var key = SymmetricKey(data: Data("AWS4\(credentials.secretKey)".utf8))
        for part in [time.day, region, service, "aws4_request"] {
            key = SymmetricKey(data: HMAC<SHA256>.authenticationCode(for: Data(part.utf8), using: key))
        }
        let code = HMAC<SHA256>.authenticationCode(for: Data(toSign.utf8), using: key)
        return Self.hex(code)
    }

    /// A request in the one form that both sides digest.
    struct Canonical {
        let text: String
        let signedHeaders: String

        init(_ request: S3Request, payload: Payload) {
            var values = ["host": [request.host]]
            for field in request.headers.fields {
                let name = field.name.lowercased()
                guard !SigV4.unsigned.contains(name) else { continue }
                // Runs of white space count as one space.
                let words = field.value.split { $0 == " " || $0 == "\t" }
                values[name == "host" ? "" : name, default: []].append(words.joined(separator: " "))
            }
            values[""] = nil
            let names = values.keys.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
            signedHeaders = names.joined(separator: ";")
            let fields = names.map { "\($0):\((values[$0] ?? []).joined(separator: ","))\n" }.joined()
            // By encoded name, then by encoded value: “a=1” and “a-b=1” stand otherwise than as whole texts.
            let query = request.query.map {
                (PercentEncoding.encode($0.name), PercentEncoding.encode($0.value))
            }.sorted { $0 < $1 }.map { "\($0)=\($1)" }.joined(separator: "&")
            text = [request.method, request.path, query, fields, signedHeaders, payload.text]
                .joined(separator: "\n")
        }
    }

    /// A moment as signatures write it, in UTC.
    struct Timestamp {
        /// `20260131T235959Z`.
        let text: String
        /// `20260131`.
        var day: String { String(text.prefix(8)) }

        init(_ date: Date) {
            var seconds = time_t(date.timeIntervalSince1970.rounded(.down))
            var parts = tm()
            gmtime_r(&seconds, &parts)
            text = String(
                format: "%04d%02d%02dT%02d%02d%02dZ", parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday,
                parts.tm_hour, parts.tm_min, parts.tm_sec)
        }
    }
}
