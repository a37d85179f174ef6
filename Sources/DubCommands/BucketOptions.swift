internal import ArgumentParser
internal import DubCore
internal import DubHTTP
internal import DubObjects
internal import Foundation

/// Which object store.
struct StorePlaceOptions: ParsableArguments {
    enum Style: String, ExpressibleByArgument, CaseIterable {
        case path
        case virtual
    }

    @Option(help: "The store; else AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL, the profile's, or Amazon S3.")
    var endpoint: String?
    @Option(help: "The store's region; else AWS_REGION, the profile's, or us-east-1.") var region: String?
    @Option(help: "Where the bucket stands: path (https://host/bucket/key) or virtual (https://bucket.host/key).")
    var style: Style?

    /// A wish to publish at this store.
    func order(to place: String) -> PublishOrder {
        PublishOrder(to: place, endpoint: endpoint, region: region, style: style?.rawValue)
    }
}

/// Which object store, as whom.
struct BucketOptions: ParsableArguments {
    @Option(help: "The store; else AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL, the profile's, or Amazon S3.")
    var endpoint: String?
    @Option(help: "The store's region; else AWS_REGION, the profile's, or us-east-1.") var region: String?
    @Option(help: "A profile of ~/.aws/credentials; the environment's keys are not used then.") var profile: String?
    @Option(help: "Where the bucket stands: path (https://host/bucket/key) or virtual (https://bucket.host/key).")
    var style: StorePlaceOptions.Style?

    /// - Throws: `object.address`.
    func open() throws -> ObjectStore {
        let style: Endpoint.Style? =
            switch style {
            case .path: .path
            case .virtual: .virtual
            case nil: nil
            }
        let settings = try StoreSettings(profile: profile, endpoint: endpoint, region: region, style: style)
        let client = HTTPClient()
        return ObjectStore(
            settings, credentials: CredentialSource(profile: profile, client: client), client: client,
            limits: .init(journals: Home().uploads))
    }
}
