internal import CCurl
public import DubCore

extension DubError.Code {
    /// No connection to the server: no such host, nobody listens, no such socket.
    public static let httpUnreachable = Self(name: "http.unreachable")
    /// The server did not answer, or fell silent, for longer than the request allows.
    public static let httpTimeout = Self(name: "http.timeout")
    /// The exchange broke off, the answer is larger than allowed, or the request cannot be sent at all.
    public static let httpFailed = Self(name: "http.failed")
    /// The server gives other bytes than the range that was asked for, or all of them.
    public static let httpOtherRange = Self(name: "http.other-range")
}

extension DubError {
    /// What libcurl's result `code` means to a reader; `detail` is libcurl's own sentence, if it left one.
    static func http(_ code: CURLcode, detail: String, at place: String) -> DubError {
        let said = detail.isEmpty ? String(cString: curl_easy_strerror(code)) : detail
        switch code {
        case CURLE_COULDNT_CONNECT, CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_RESOLVE_PROXY:
            return DubError(
                .httpUnreachable, "The server cannot be reached: \(said).", at: place,
                fix: "Check that it runs and that the address is right.", persistence: .transient)
        case CURLE_OPERATION_TIMEDOUT:
            return DubError(
                .httpTimeout, "The server did not answer in time: \(said).", at: place,
                fix: "Try again, or allow the request more time.", persistence: .transient)
        case CURLE_GOT_NOTHING, CURLE_RECV_ERROR, CURLE_SEND_ERROR, CURLE_PARTIAL_FILE,
            CURLE_SSL_CONNECT_ERROR,
            CURLE_HTTP2, CURLE_HTTP2_STREAM, CURLE_WEIRD_SERVER_REPLY:
            return DubError(
                .httpFailed, "The exchange with the server broke off: \(said).", at: place,
                fix: "Try again; if it stays, look into the server's log.", persistence: .transient)
        default:
            return DubError(
                .httpFailed, "The request cannot be carried out: \(said).", at: place,
                fix: "Check the address and the server's certificate.")
        }
    }
}
