public import DubCore
public import DubHTTP
public import Foundation

/// Where credentials come from, in the order that the AWS tools look in; they are asked for again before they expire.
///
/// 1. a profile that was named outright, and then nothing else;
/// 2. `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`;
/// 3. a web identity: `AWS_WEB_IDENTITY_TOKEN_FILE` and `AWS_ROLE_ARN`, as Kubernetes gives them to a pod;
/// 4. the profile `AWS_PROFILE`, or `default`, of the shared files;
/// 5. the container's: `AWS_CONTAINER_CREDENTIALS_RELATIVE_URI` or `…_FULL_URI`;
/// 6. the machine's: instance metadata, version 2, unless `AWS_EC2_METADATA_DISABLED` is `true`.
public actor CredentialSource {
    private let environment: [String: String]
    private let profile: String?
    private let client: HTTPClient?
    private var held: Credentials?

    /// Looks in all places; `client` makes the calls that some of them take.
    public init(
        environment: [String: String] = ProcessInfo.processInfo.environment, profile: String? = nil,
        client: HTTPClient
    ) {
        self.environment = environment
        self.profile = profile
        self.client = client
    }

    /// Gives always the same.
    public init(_ credentials: Credentials) {
        environment = [:]
        profile = nil
        client = nil
        held = credentials
    }

    /// Credentials that are good for five minutes at least, or for ever.
    ///
    /// - Throws: `credentials.missing`, with every place that was looked in; errors of HTTP; `CancellationError`.
    public func credentials() async throws -> Credentials {
        if let held, held.expires.map({ $0.timeIntervalSinceNow > 300 }) ?? true { return held }
        do {
            let found = try await find()
            held = found
            return found
        } catch {
            // Those at hand may outlast a service that is down for a moment.
            if let held, let expires = held.expires, expires.timeIntervalSinceNow > 0 { return held }
            throw error
        }
    }

    /// Asks again the next time: the store says that these have expired.
    func forget() {
        if client != nil { held = nil }
    }

    private func find() async throws -> Credentials {
        if let profile { return try fromFiles(profile) }
        func value(_ name: String) -> String? { environment[name].flatMap { $0.isEmpty ? nil : $0 } }
        if let access = value("AWS_ACCESS_KEY_ID") {
            guard let secret = value("AWS_SECRET_ACCESS_KEY") else {
                throw DubError(
                    .credentialsMissing, "There is an AWS_ACCESS_KEY_ID without AWS_SECRET_ACCESS_KEY.",
                    at: "environment", fix: "Set both.")
            }
            return Credentials(accessKey: access, secretKey: secret, sessionToken: value("AWS_SESSION_TOKEN"))
        }
        if let client {
            let lent = LentCredentials(environment: environment, client: client)
            if let found = try await lent.ofWebIdentity() { return found }
            if let named = value("AWS_PROFILE") { return try fromFiles(named) }
            if let found = try SharedFiles(environment: environment, profile: "default").credentials() {
                return found
            }
            if let found = try await lent.ofContainer() { return found }
            if value("AWS_EC2_METADATA_DISABLED")?.lowercased() != "true",
                let found = try await lent.ofMachine()
            {
                return found
            }
        }
        throw DubError(
            .credentialsMissing, "There are no credentials for the object store.",
            at: "environment, web identity, shared files, container, machine",
            fix: "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE.")
    }

    private func fromFiles(_ profile: String) throws(DubError) -> Credentials {
        let files = SharedFiles(environment: environment, profile: profile)
        if let found = try files.credentials() { return found }
        throw DubError(
            .credentialsMissing,
            files.isKnown ? "The profile holds no credentials." : "There is no such profile.", at: "profile \(profile)",
            fix: "Name a profile of ~/.aws/credentials that holds aws_access_key_id and aws_secret_access_key.")
    }
}

/// Which region and which address a machine is set to.
public struct StoreSettings: Sendable, Hashable {
    /// The region: what was given, `AWS_REGION`, `AWS_DEFAULT_REGION`, the profile's, or `us-east-1`.
    public let region: String
    /// Where the store listens: what was given, `AWS_ENDPOINT_URL_S3`, `AWS_ENDPOINT_URL`, the profile's, or Amazon's
    /// for the region.
    public let endpoint: Endpoint

    /// Reads the environment and the profile that it, or `profile`, names.
    ///
    /// - Throws: `object.address` for an endpoint or a region that is none.
    public init(
        environment: [String: String] = ProcessInfo.processInfo.environment, profile: String? = nil,
        endpoint: String? = nil, region: String? = nil, style: Endpoint.Style? = nil
    ) throws(DubError) {
        func value(_ name: String) -> String? { environment[name].flatMap { $0.isEmpty ? nil : $0 } }
        let files = SharedFiles(
            environment: environment, profile: profile ?? value("AWS_PROFILE") ?? "default")
        let chosen =
            region ?? value("AWS_REGION") ?? value("AWS_DEFAULT_REGION") ?? files.settings["region"] ?? "us-east-1"
        guard !chosen.isEmpty, chosen.utf8.allSatisfy({ $0 == 45 || 48...57 ~= $0 || 97...122 ~= $0 || 65...90 ~= $0 })
        else {
            throw DubError(
                .objectAddress, "“\(chosen)” is no name of a region.", at: "region",
                fix: "Give one such as eu-central-1.")
        }
        self.region = chosen
        let address =
            endpoint ?? value("AWS_ENDPOINT_URL_S3") ?? value("AWS_ENDPOINT_URL") ?? files.settings["endpoint_url"]
        if let address {
            self.endpoint = try Endpoint(address, style: style ?? .path)
        } else {
            self.endpoint = .amazon(region: chosen, style: style ?? .virtual)
        }
    }
}
