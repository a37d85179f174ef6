internal import ArgumentParser
internal import DubCore
internal import DubObjects
internal import Foundation

/// `dubmill sign`.
struct SignCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sign", abstract: "Make an address that opens one object in a bucket for a time.",
        discussion: """
            Prints the address alone. Whoever has it can use it until it expires: treat it as a password. Nothing is
            sent to the store, and whether the object exists is not looked at.

            S3, and what speaks its language:
              dubmill sign s3://films/s01e02.es.mp4 --expires 7d

            Google Cloud Storage, with the key file of a service account:
              dubmill sign gs://films/s01e02.es.mp4 --expires 7d --key account.json

            CloudFront, with the private key of a key group:
              dubmill sign https://d111111abcdef8.cloudfront.net/s01e02.es.mp4 --expires 30d \\
                  --key private.pem --key-id K2JCJMDEHXQW5F

            For S3, credentials come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a web identity, a profile in
            ~/.aws/credentials, the container or the machine, in this order. An address that was signed with
            credentials for a time ends with them.
            """)

    @Argument(help: "The object, as s3://bucket/key or gs://bucket/key, or its https address at CloudFront.")
    var object: String
    @Option(help: "How long it is good: 3600s, 12h, 7d. Seven days at most, but for CloudFront.") var expires = "1h"
    @Option(help: "What it lets do: GET, HEAD, PUT or DELETE; at CloudFront what the distribution allows.")
    var method = "GET"
    @Option(
        help:
            "Google: the account's key file; else GOOGLE_APPLICATION_CREDENTIALS. CloudFront: the private key in PEM.",
        completion: .file())
    var key: String?
    @Option(help: "CloudFront: the ID of the public key.") var keyId: String?
    @Option(help: "CloudFront: from which IPv4 addresses alone, as 192.0.2.7 or 192.0.2.0/24.") var from: String?
    @Option(help: "CloudFront: for all addresses of this form, with * and ? for anything; it goes with the address.")
    var resource: String?
    @OptionGroup var bucket: BucketOptions

    private enum Kind {
        case s3
        case google
        case cloudFront
    }

    private var kind: Kind {
        if object.hasPrefix("gs://") { return .google }
        return object.hasPrefix("https://") || object.hasPrefix("http://") ? .cloudFront : .s3
    }

    func validate() throws {
        guard let duration = Quantity.duration(expires) else {
            throw ValidationError("--expires is \(expires); give a number and a unit, such as 3600s, 12h or 7d.")
        }
        guard duration >= .seconds(1), duration.components.attoseconds == 0,
            kind == .cloudFront || duration <= SigV4.longestExpiry
        else {
            throw ValidationError("--expires is \(expires); give whole seconds, one to seven days (7d).")
        }
        guard ["GET", "HEAD", "PUT", "DELETE"].contains(method.uppercased()) else {
            throw ValidationError("--method is \(method); give GET, HEAD, PUT or DELETE.")
        }
        if kind == .cloudFront, key == nil || keyId == nil {
            throw ValidationError("An address of CloudFront is signed with --key FILE and --key-id ID; give both.")
        }
        if kind != .cloudFront, keyId != nil || from != nil || resource != nil {
            throw ValidationError("--key-id, --from and --resource are for https addresses at CloudFront.")
        }
        if kind == .s3, key != nil {
            throw ValidationError("--key is for gs:// and https addresses; for s3:// use --profile.")
        }
    }

    func run() async throws {
        let duration = Quantity.duration(expires) ?? .zero
        let method = method.uppercased()
        switch kind {
        case .s3:
            Console.result(try await bucket.open().presigned(ObjectName(object), method: method, expires: duration))
        case .google:
            let file = key ?? ProcessInfo.processInfo.environment["GOOGLE_APPLICATION_CREDENTIALS"] ?? ""
            let signer = try GoogleSigner(keyFile: file)
            let name = try ObjectName("s3://" + object.dropFirst(5))
            Console.result(try signer.presigned(name, method: method, expires: duration))
        case .cloudFront:
            let signer = try CloudFrontSigner(keyFile: key ?? "", keyID: keyId ?? "")
            let end = Date(timeIntervalSinceNow: Double(duration.components.seconds))
            Console.result(try signer.signed(object, until: end, limits: .init(address: from, resource: resource)))
        }
    }
}
