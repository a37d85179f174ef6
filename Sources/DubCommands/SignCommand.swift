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

              dubmill sign s3://films/s01e02.es.mp4 --expires 7d

            Credentials come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a web identity, a profile in
            ~/.aws/credentials, the container or the machine, in this order. An address that was signed with
            credentials for a time ends with them.
            """)

    @Argument(help: "The object, as s3://bucket/key.") var object: String
    @Option(help: "How long it is good, 1s to 7d: 3600s, 12h, 7d.") var expires = "1h"
    @Option(help: "What it lets do: GET, HEAD, PUT or DELETE.") var method = "GET"
    @OptionGroup var bucket: BucketOptions

    func validate() throws {
        guard let duration = Quantity.duration(expires) else {
            throw ValidationError("--expires is \(expires); give a number and a unit, such as 3600s, 12h or 7d.")
        }
        guard duration >= .seconds(1), duration <= SigV4.longestExpiry, duration.components.attoseconds == 0 else {
            throw ValidationError("--expires is \(expires); give whole seconds, one to seven days (7d).")
        }
        guard ["GET", "HEAD", "PUT", "DELETE"].contains(method.uppercased()) else {
            throw ValidationError("--method is \(method); give GET, HEAD, PUT or DELETE.")
        }
    }

    func run() async throws {
        let name = try ObjectName(object)
        Console.result(
            try await bucket.open().presigned(
                name, method: method.uppercased(), expires: Quantity.duration(expires) ?? .zero))
    }
}
