internal import DubCore
public import DubHTTP
internal import Foundation

/// A file behind an address of the web, such as one that was signed for a time, as an input.
///
/// Its host is looked up once for each request, and that is where the request goes: an address that is of the internet
/// when it is checked cannot be another when it is used. Redirects are not followed.
public struct WebFile: RemoteFile {
    private let url: String
    private let parts: HTTPAddress
    private let client: HTTPClient
    private let isOwnAllowed: Bool
    private let retries: RetryPolicy

    /// Adopts an address.
    ///
    /// - Parameter isOwnAllowed: whether it may be on this machine or in a network of one's own, and go without TLS.
    /// - Throws: `object.address` for what is none, or goes without TLS.
    public init(
        _ url: String, client: HTTPClient, isOwnAllowed: Bool = false, retries: RetryPolicy = RetryPolicy()
    ) throws {
        let bare = String(url.prefix { $0 != "#" })
        guard let parts = HTTPAddress(bare) else {
            throw DubError(
                .objectAddress, "This is no address of a file on the web.",
                at: Address.bare(url),
                fix: "Give one such as https://host/film.mp4, percent-encoded and without a user's name.")
        }
        guard parts.isSecure || isOwnAllowed else {
            throw DubError(
                .objectAddress, "Over plain http everybody on the way can read and change the file.", at: parts.shown,
                fix: "Give an https address, or allow this one with --allow-private-urls.")
        }
        self.url = bare
        self.parts = parts
        self.client = client
        self.isOwnAllowed = isOwnAllowed
        self.retries = retries
    }

    /// The last part of the path, decoded.
    public var name: String {
        let last = parts.path.split(separator: "/").last.map(String.init) ?? ""
        let name = (last.removingPercentEncoding ?? last).replacing("/", with: "_")
        return name.isEmpty ? "input" : name
    }

    /// The address without its query.
    public var address: String { parts.shown }

    /// Asks for the first byte: signed addresses answer to GET alone.
    public func look() async throws -> RemoteVersion {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("dubmill-\(UUID().uuidString)").path
        defer { unlink(path) }
        _ = FileManager.default.createFile(atPath: path, contents: nil)
        do {
            let answer = try await exchange(["Range": "bytes=0-0"], into: path, stretch: 0..<1)
            let total = answer.headers["Content-Range"]?.split(separator: "/").last.flatMap { Int64($0) }
            return RemoteVersion(tag: Self.tag(answer.headers), size: total)
        } catch let error as DubError where error.code == .httpOtherRange {
            return RemoteVersion(tag: "", size: nil)
        }
    }

    /// Asks for a range, if the tag is still that.
    public func fetch(_ stretch: Range<Int64>, of version: RemoteVersion, into path: String) async throws {
        let answer = try await exchange(
            [
                "Range": "bytes=\(stretch.lowerBound)-\(stretch.upperBound - 1)",
                "If-Match": "\"\(version.tag)\"",
            ], into: path, stretch: stretch)
        // A server may not know the condition.
        guard Self.tag(answer.headers) == version.tag else { throw DubError.inputChanged(address) }
    }

    /// Fetches it in one piece.
    public func fetchWhole(into path: String) async throws { _ = try await exchange([:], into: path, stretch: nil) }

    /// A strong tag; a weak one says nothing about bytes.
    private static func tag(_ headers: HTTPHeaders) -> String {
        let tag = headers["ETag"] ?? ""
        return tag.hasPrefix("\"") ? tag.replacing("\"", with: "") : ""
    }

    private func exchange(
        _ headers: HTTPHeaders, into path: String, stretch: Range<Int64>?
    ) async throws -> HTTPResponse {
        var attempt = 1
        while true {
            var failed: DubError
            var asked: Duration?
            do {
                var request = HTTPRequest("GET", url, headers: headers)
                request.addresses = try await parts.resolved(areOwnAllowed: isOwnAllowed)
                let answer = try await client.download(request, to: path, stretch: stretch)
                if (200...299).contains(answer.status) { return answer }
                failed = refusal(answer)
                asked = RetryPolicy.asked(answer.headers["Retry-After"])
            } catch let error as DubError {
                failed = error
            }
            guard failed.persistence == .transient, failed.code != .inputChanged, attempt < retries.attempts else {
                throw failed
            }
            if stretch == nil { unlink(path) }
            try await retries.wait(retries.pause(after: attempt, asked: asked))
            attempt += 1
        }
    }

    private func refusal(_ answer: HTTPResponse) -> DubError {
        switch answer.status {
        case 412: return .inputChanged(address)
        case 300...399:
            return DubError(
                .objectRefused, "The address leads to another (status \(answer.status)), which is not followed.",
                at: address, fix: "Give the address that it leads to.")
        case 401, 403:
            return DubError(
                .objectDenied, "The server does not hand the file out (status \(answer.status)).", at: address,
                fix: "Ask for a new address: signed ones end after a time.")
        case 404, 410:
            return DubError(.objectMissing, "There is no such file.", at: address, fix: "Check the address.")
        case 408, 429, 500...599:
            return DubError(
                .objectUnavailable, "The server cannot do it now (status \(answer.status)).", at: address,
                fix: "Try again later.", persistence: .transient)
        default:
            return DubError(
                .objectRefused, "The server refuses the request (status \(answer.status)).", at: address,
                fix: "Check the address.")
        }
    }
}
