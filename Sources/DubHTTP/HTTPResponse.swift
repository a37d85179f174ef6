public import Foundation

/// A whole answer.
public struct HTTPResponse: Sendable {
    /// The status code; 400 and above is an answer too, not an error.
    public var status: Int
    /// The header fields.
    public var headers: HTTPHeaders
    /// The body.
    public var body: Data

    /// Makes an answer.
    public init(status: Int, headers: HTTPHeaders, body: Data) {
        self.status = status
        self.headers = headers
        self.body = body
    }
}

/// The first part of an answer.
struct HTTPHead: Sendable {
    var status: Int
    var headers: HTTPHeaders
}

/// Puts the lines of an answer's head together, as libcurl hands them over one by one.
struct HeadReader {
    private var status = 0
    private var headers = HTTPHeaders()

    /// Takes a line with its end; gives the head when that line closed it. Interim answers (1xx) are passed over.
    mutating func read(_ line: String) -> HTTPHead? {
        let line = line.trimmingCharacters(in: .whitespacesAndNewlines)
        if line.hasPrefix("HTTP/") {
            status = line.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
            headers = HTTPHeaders()
        } else if line.isEmpty {
            return status >= 200 ? HTTPHead(status: status, headers: headers) : nil
        } else if let colon = line.firstIndex(of: ":") {
            let value = line[line.index(after: colon)...].trimmingCharacters(in: .whitespaces)
            headers.fields.append(.init(name: String(line[..<colon]), value: value))
        }
        return nil
    }
}
