internal import ArgumentParser
internal import DubCore
internal import DubHTTP
internal import DubObjects
internal import Foundation

extension Endpoint.Style: ExpressibleByArgument {}

/// `dubmill sign`.
struct SignCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sign", abstract: "Make an address that opens one object in a bucket for a time.",
        discussion: """
            Prints the address alone. Whoever has it can use it until it expires: treat it as a password. Nothing is
            sent to the store, and whether the object exists is not looked at.

            Credentials come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a web identity, a profile in
            ~/.aws/credentials, the container or the machine, in this order.
            """)

    @Argument(help: "The object, as s3://bucket/key.") var object: String
    @Option(help: "How long it is good, 1s to 7d: 3600s, 12h, 7d.") var expires = "1h"
    @Option(help: "What it lets do: GET, HEAD, PUT or DELETE.") var method = "GET"
    @Option(help: "The store; else AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL, or Amazon S3.") var endpoint: String?
    @Option(help: "The store's region; else AWS_REGION, the profile's, or us-east-1.") var region: String?
    @Option(help: "A profile of ~/.aws/credentials; the environment's keys are not used then.") var profile: String?
    @Option(help: "Where the bucket stands: path (https://host/bucket/key) or virtual (https://bucket.host/key).")
    var style: Endpoint.Style?

    func validate() throws {
        guard Quantity.duration(expires) != nil else {
            throw ValidationError("--expires is \(expires); give a number and a unit, such as 3600s, 12h or 7d.")
        }
        guard ["GET", "HEAD", "PUT", "DELETE"].contains(method.uppercased()) else {
            throw ValidationError("--method is \(method); give GET, HEAD, PUT or DELETE.")
        }
    }

    func run() async throws {
        let name = try ObjectName(object)
        let settings = try StoreSettings(profile: profile, endpoint: endpoint, region: region, style: style)
        let client = HTTPClient()
        let store = ObjectStore(
            settings, credentials: CredentialSource(profile: profile, client: client), client: client)
        Console.result(
            try await store.presigned(
                name, method: method.uppercased(), expires: Quantity.duration(expires) ?? .zero))
    }
}
