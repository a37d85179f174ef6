internal import DubCore
internal import DubHTTP
internal import Foundation

/// Credentials for a time, from the services that lend them.
struct LentCredentials {
    let environment: [String: String]
    let client: HTTPClient

    private func value(_ name: String) -> String? { environment[name].flatMap { $0.isEmpty ? nil : $0 } }

    /// In exchange for a token in a file, by AssumeRoleWithWebIdentity of AWS STS; `nil` where none is configured.
    func ofWebIdentity() async throws -> Credentials? {
        guard let path = value("AWS_WEB_IDENTITY_TOKEN_FILE"), let role = value("AWS_ROLE_ARN") else { return nil }
        let token = try secret(at: path)
        let region = value("AWS_REGION") ?? value("AWS_DEFAULT_REGION")
        let service =
            value("AWS_ENDPOINT_URL_STS") ?? region.map { "https://sts.\($0).amazonaws.com" }
            ?? "https://sts.amazonaws.com"
        let form = [
            ("Action", "AssumeRoleWithWebIdentity"), ("Version", "2011-06-15"), ("RoleArn", role),
            ("RoleSessionName", value("AWS_ROLE_SESSION_NAME") ?? "dubmill"), ("WebIdentityToken", token),
        ].map { "\($0)=\(PercentEncoding.encode($1))" }.joined(separator: "&")
        let response = try await client.send(
            HTTPRequest(
                "POST", service.hasSuffix("/") ? service : service + "/",
                headers: ["Content-Type": "application/x-www-form-urlencoded"], body: .data(Data(form.utf8)),
                patience: .init(total: .seconds(30)), responseLimit: 1 << 20))
        let reply = ReplyReader.read(response.body)
        guard response.status == 200, let access = reply.first("AccessKeyId"),
            let secret = reply.first("SecretAccessKey"), let session = reply.first("SessionToken")
        else {
            throw unusable(
                "AWS STS lends nothing for the web identity: \(reply.first("Code") ?? "") status \(response.status).",
                at: service, isTransient: response.status >= 500)
        }
        return Credentials(
            accessKey: access, secretKey: secret, sessionToken: session,
            expires: try date(reply.first("Expiration"), at: service))
    }

    /// From the service beside a container, on ECS or EKS; `nil` where none is configured.
    func ofContainer() async throws -> Credentials? {
        let address: String
        if let path = value("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") {
            address = "http://169.254.170.2\(path)"
        } else if let full = value("AWS_CONTAINER_CREDENTIALS_FULL_URI") {
            let parts = URLComponents(string: full)
            let near = ["localhost", "127.0.0.1", "[::1]", "169.254.170.2", "169.254.170.23", "[fd00:ec2::23]"]
            guard parts?.scheme == "https" || near.contains(parts?.encodedHost ?? "") else {
                throw unusable("Credentials are not asked for in clear from a host that is not this one.", at: full)
            }
            address = full
        } else {
            return nil
        }
        var headers = HTTPHeaders()
        if let path = value("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE") {
            headers["Authorization"] = try secret(at: path)
        } else {
            headers["Authorization"] = value("AWS_CONTAINER_AUTHORIZATION_TOKEN")
        }
        return try await fetch(HTTPRequest("GET", address, headers: headers, patience: .init(total: .seconds(5))))
    }

    /// The role of a machine on EC2, by instance metadata, version 2; `nil` where nobody answers within a second.
    func ofMachine() async throws -> Credentials? {
        let service = value("AWS_EC2_METADATA_SERVICE_ENDPOINT") ?? "http://169.254.169.254"
        let root = service.hasSuffix("/") ? String(service.dropLast()) : service
        let patience = HTTPRequest.Patience(connect: .seconds(1), total: .seconds(2))
        let token: HTTPResponse
        do {
            token = try await client.send(
                HTTPRequest(
                    "PUT", root + "/latest/api/token", headers: ["X-aws-ec2-metadata-token-ttl-seconds": "21600"],
                    patience: patience))
        } catch let error as DubError where [.httpUnreachable, .httpTimeout, .httpFailed].contains(error.code) {
            return nil
        }
        guard token.status == 200 else { return nil }
        let headers: HTTPHeaders = ["X-aws-ec2-metadata-token": String(decoding: token.body, as: UTF8.self)]
        let roles = root + "/latest/meta-data/iam/security-credentials/"
        let role = try await client.send(HTTPRequest("GET", roles, headers: headers, patience: patience))
        let name = String(decoding: role.body, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
        guard role.status == 200, !name.isEmpty else { return nil }
        let address = roles + PercentEncoding.encode(name)
        return try await fetch(HTTPRequest("GET", address, headers: headers, patience: patience))
    }

    private struct Answer: Decodable {
        var access: String
        var secret: String
        var token: String
        var expiration: String

        private enum CodingKeys: String, CodingKey {
            case access = "AccessKeyId"
            case secret = "SecretAccessKey"
            case token = "Token"
            case expiration = "Expiration"
        }
    }

    private func fetch(_ request: HTTPRequest) async throws -> Credentials {
        let response = try await client.send(request)
        guard response.status == 200, let answer = try? JSONDecoder().decode(Answer.self, from: response.body) else {
            throw unusable(
                "The service lends no credentials: status \(response.status).", at: request.place,
                isTransient: response.status >= 500)
        }
        return Credentials(
            accessKey: answer.access, secretKey: answer.secret, sessionToken: answer.token,
            expires: try date(answer.expiration, at: request.place))
    }

    private func secret(at path: String) throws -> String {
        guard let text = try? String(contentsOfFile: path, encoding: .utf8) else {
            throw unusable("The token cannot be read.", at: path)
        }
        return text.trimmingCharacters(in: .whitespacesAndNewlines)
    }

    private func date(_ text: String?, at place: String) throws -> Date {
        let whole = (text ?? "").replacing(/\.\d+/, with: "")
        guard let date = try? Date(whole, strategy: .iso8601) else {
            throw unusable("The credentials say no time when they expire.", at: place)
        }
        return date
    }

    private func unusable(_ what: String, at place: String, isTransient: Bool = false) -> DubError {
        DubError(
            .credentialsMissing, what, at: place, fix: "Check the role, its token and the service.",
            persistence: isTransient ? .transient : .permanent)
    }
}
