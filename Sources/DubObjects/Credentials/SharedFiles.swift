internal import DubCore
internal import Foundation

/// The files that the AWS tools share: `~/.aws/credentials` and `~/.aws/config`, or where
/// `AWS_SHARED_CREDENTIALS_FILE` and `AWS_CONFIG_FILE` say.
struct SharedFiles {
    /// The settings of the profile; those of the credentials file win.
    let settings: [String: String]
    /// Whether either file knows the profile.
    let isKnown: Bool
    /// The profile's name.
    let profile: String
    private let path: String

    init(environment: [String: String], profile: String) {
        let home = environment["HOME"] ?? NSHomeDirectory()
        func file(_ variable: String, _ name: String) -> String {
            let path = environment[variable] ?? "\(home)/.aws/\(name)"
            return path.hasPrefix("~/") ? home + path.dropFirst() : path
        }
        path = file("AWS_SHARED_CREDENTIALS_FILE", "credentials")
        let config = Self.sections(at: file("AWS_CONFIG_FILE", "config"))
        let name = profile == "default" && config["profile default"] == nil ? "default" : "profile \(profile)"
        let secrets = Self.sections(at: path)[profile]
        settings = (config[name] ?? [:]).merging(secrets ?? [:]) { $1 }
        isKnown = config[name] != nil || secrets != nil
        self.profile = profile
    }

    /// The credentials in the profile; `nil` where it has none.
    ///
    /// - Throws: `credentials.missing` where one half is missing, or where they are to be had in a way that is not
    ///   known here.
    func credentials() throws(DubError) -> Credentials? {
        if let access = settings["aws_access_key_id"], let secret = settings["aws_secret_access_key"] {
            return Credentials(accessKey: access, secretKey: secret, sessionToken: settings["aws_session_token"])
        }
        let place = "profile \(profile) in \(path)"
        if settings["aws_access_key_id"] != nil || settings["aws_secret_access_key"] != nil {
            throw DubError(
                .credentialsMissing, "The profile holds one half of a key without the other.", at: place,
                fix: "Write both aws_access_key_id and aws_secret_access_key.")
        }
        let unknown = ["role_arn", "sso_session", "sso_start_url", "credential_process"].first {
            settings[$0] != nil
        }
        guard let unknown else { return nil }
        throw DubError(
            .credentialsMissing, "The profile gets its credentials by \(unknown), which dubmill does not do.",
            at: place, fix: "Put them into the environment: eval \"$(aws configure export-credentials --format env)\"")
    }

    /// `[name]` and the `key = value` lines under it; what is indented belongs to a setting that is not used here.
    private static func sections(at path: String) -> [String: [String: String]] {
        guard let text = try? String(contentsOfFile: path, encoding: .utf8) else { return [:] }
        var found: [String: [String: String]] = [:]
        var section: String?
        for line in text.split(whereSeparator: \.isNewline) {
            let content = Quantity.trimmed(line)
            if content.hasPrefix("["), let end = content.firstIndex(of: "]") {
                let words = content[content.index(after: content.startIndex)..<end].split(
                    whereSeparator: \.isWhitespace)
                section = words.joined(separator: " ")
                if let section { found[section, default: [:]].merge([:]) { $1 } }
            } else if let section, line.first?.isWhitespace == false, !content.hasPrefix("#"),
                !content.hasPrefix(";"), let equals = content.firstIndex(of: "=")
            {
                let name = Quantity.trimmed(content[..<equals]).lowercased()
                found[section, default: [:]][name] = String(
                    Quantity.trimmed(content[content.index(after: equals)...]))
            }
        }
        return found
    }
}
