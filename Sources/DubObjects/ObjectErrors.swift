public import DubCore

extension DubError.Code {
    /// `s3://…` or the address of a store is malformed.
    public static let objectAddress = Self(name: "object.address")
    /// A signed address cannot be good for so long.
    public static let objectExpiry = Self(name: "object.expiry")
    /// There is no such object, bucket or upload.
    public static let objectMissing = Self(name: "object.missing")
    /// There is an object of that name already, and it was to be created.
    public static let objectExists = Self(name: "object.exists")
    /// The store does not let these credentials do it, or does not accept the signature.
    public static let objectDenied = Self(name: "object.denied")
    /// The store refuses the request for another reason, which will hold the next time too.
    public static let objectRefused = Self(name: "object.refused")
    /// The store is overloaded or failing, and stayed so through every retry.
    public static let objectUnavailable = Self(name: "object.unavailable")
    /// What came is not what was stored: the length or the digest differs.
    public static let objectDamaged = Self(name: "object.damaged")
    /// There are no credentials, or those that are configured cannot be used.
    public static let credentialsMissing = Self(name: "credentials.missing")
}

/// What a store says when it does not do what it was asked for.
struct Refusal: Sendable, Hashable {
    /// The status of the answer; 200 too, as a store that has begun its answer can still fail.
    var status: Int
    /// S3's name of the fault, such as `NoSuchKey`; "" where the answer had no body.
    var code: String
    /// S3's sentence.
    var message: String

    /// Whether the same request may succeed later.
    var isTransient: Bool {
        let codes: Set = [
            "SlowDown", "InternalError", "ServiceUnavailable", "RequestTimeout", "Throttling", "RequestLimitExceeded",
            "ThrottlingException", "OperationAborted", "ConditionalRequestConflict", "ServerBusy",
        ]
        return codes.contains(code) || status == 429 || status == 408 || (500...599).contains(status) && status != 501
    }

    /// Whether the credentials were good once and are not any more.
    var isExpired: Bool { code == "ExpiredToken" || code == "ExpiredTokenException" }

    /// What it means to a reader.
    func error(at place: String) -> DubError {
        let said = [code, message].filter { !$0.isEmpty }.joined(separator: ", ")
        let text = said.isEmpty ? "status \(status)" : "\(said) (status \(status))"
        if isTransient {
            return DubError(
                .objectUnavailable, "The store cannot do it now: \(text).", at: place,
                fix: "Try again later; ask its operator if it stays.", persistence: .transient)
        }
        switch (status, code) {
        case (412, _), (_, "PreconditionFailed"):
            return DubError(
                .objectExists, "There is such an object already.", at: place,
                fix: "Choose another name, or allow it to be replaced.")
        case (_, "RequestTimeTooSkewed"):
            return DubError(
                .objectDenied, "The clocks of this machine and of the store differ too much.", at: place,
                fix: "Set this machine's clock.")
        case (301, _), (307, _), (_, "AuthorizationHeaderMalformed"), (_, "PermanentRedirect"):
            return DubError(
                .objectRefused, "The bucket lies in another region or behind another address: \(text).", at: place,
                fix: "Set AWS_REGION and the endpoint to the bucket's.")
        case (401, _), (403, _), (_, "InvalidAccessKeyId"), (_, "SignatureDoesNotMatch"), (_, "ExpiredToken"):
            return DubError(
                .objectDenied, "The store does not allow it: \(text).", at: place,
                fix: "Check the credentials, and what they may do in this bucket.")
        case (404, _):
            return DubError(
                .objectMissing, "There is no such object: \(text).", at: place, fix: "Check the bucket and the key.")
        case (_, "BadDigest"), (_, "XAmzContentSHA256Mismatch"), (_, "InvalidDigest"):
            return DubError(
                .objectDamaged, "What the store received is not what was to be sent: \(text).", at: place,
                fix: "Check that nobody writes to the file while it is uploaded; then try again.")
        default:
            return DubError(
                .objectRefused, "The store refuses the request: \(text).", at: place,
                fix: "Check the bucket, the endpoint and the region.")
        }
    }
}
