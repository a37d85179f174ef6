internal import enum Crypto.Insecure
internal import DubCore
internal import DubHTTP
internal import Foundation

/// When a store removes things of its own accord.
public struct LifecycleRule: Sendable, Hashable {
    /// Its name, unique in the bucket.
    public var name: String
    /// Which objects it holds for, by the beginning of their key; "" is all.
    public var prefix: String
    /// And by their tags, all of them.
    public var tags: [String: String]
    /// After how many days an object goes; `nil` never.
    public var expireDays: Int?
    /// After how many days a version goes that was replaced or removed; `nil` never.
    public var expireOldVersionDays: Int?
    /// After how many days the parts of an upload go that was never completed; `nil` never.
    public var abortUploadDays: Int?
    /// Whether it is in force.
    public var isEnabled: Bool

    /// Makes a rule, in force.
    public init(
        _ name: String, prefix: String = "", tags: [String: String] = [:], expireDays: Int? = nil,
        expireOldVersionDays: Int? = nil, abortUploadDays: Int? = nil, isEnabled: Bool = true
    ) {
        self.name = name
        self.prefix = prefix
        self.tags = tags
        self.expireDays = expireDays
        self.expireOldVersionDays = expireOldVersionDays
        self.abortUploadDays = abortUploadDays
        self.isEnabled = isEnabled
    }

    var xml: String {
        func element(_ name: String, _ content: String) -> String { "<\(name)>\(content)</\(name)>" }
        let prefix = element("Prefix", XMLText.escape(prefix))
        let marks = tags.sorted { $0.key < $1.key }.map {
            element("Tag", element("Key", XMLText.escape($0)) + element("Value", XMLText.escape($1)))
        }
        let filter =
            switch (marks.count, self.prefix.isEmpty) {
            case (0, _): prefix
            case (1, true): marks[0]
            default: element("And", prefix + marks.joined())
            }
        return element(
            "Rule",
            element("ID", XMLText.escape(name)) + element("Status", isEnabled ? "Enabled" : "Disabled")
                + element("Filter", filter)
                + (expireDays.map { element("Expiration", element("Days", "\($0)")) } ?? "")
                + (expireOldVersionDays.map {
                    element("NoncurrentVersionExpiration", element("NoncurrentDays", "\($0)"))
                } ?? "")
                + (abortUploadDays.map {
                    element("AbortIncompleteMultipartUpload", element("DaysAfterInitiation", "\($0)"))
                } ?? ""))
    }

    /// Reads a rule as a store tells it; `nil` where it goes by what is not known here.
    init?(_ element: ReplyElement) {
        let known: Set = [
            "ID", "Status", "Filter", "Prefix", "Expiration", "NoncurrentVersionExpiration",
            "AbortIncompleteMultipartUpload",
        ]
        guard element.children.allSatisfy({ known.contains($0.name) }) else { return nil }
        func days(_ name: String, _ unit: String) -> Int?? {
            guard let found = element.children.first(where: { $0.name == name }) else { return .some(nil) }
            guard let days = found.child(unit).flatMap({ Int($0) }) else { return nil }
            return days
        }
        guard let expire = days("Expiration", "Days"),
            let old = days("NoncurrentVersionExpiration", "NoncurrentDays"),
            let abort = days("AbortIncompleteMultipartUpload", "DaysAfterInitiation")
        else { return nil }
        let filter = element.children.first { $0.name == "Filter" }
        let inner = filter?.children.first { $0.name == "And" } ?? filter
        guard inner?.children.allSatisfy({ ["Prefix", "Tag"].contains($0.name) }) ?? true else { return nil }
        let marks = (inner?.children ?? []).filter { $0.name == "Tag" }.map {
            ($0.child("Key") ?? "", $0.child("Value") ?? "")
        }
        self.init(
            element.child("ID") ?? "", prefix: inner?.child("Prefix") ?? element.child("Prefix") ?? "",
            tags: Dictionary(marks) { $1 }, expireDays: expire, expireOldVersionDays: old, abortUploadDays: abort,
            isEnabled: element.child("Status") == "Enabled")
    }
}

extension ObjectStore {
    /// The rules that a bucket has; none is no error.
    ///
    /// - Throws: `object.refused` where one goes by what dubmill does not know, as writing them back would lose it; as
    ///   `head`.
    public func lifecycle(bucket: String) async throws -> [LifecycleRule] {
        let place = "s3://\(bucket)"
        let request = endpoint.request("GET", ObjectName(bucket: bucket, key: ""), query: [.init("lifecycle")])
        let answer: HTTPResponse
        do {
            answer = try await exchange(request, at: place).response
        } catch let error as DubError
            where error.code == .objectMissing && error.what.contains("NoSuchLifecycleConfiguration")
        {
            return []
        }
        let reply = ReplyReader.read(answer.body)
        let rules = reply.children.first { $0.name == "LifecycleConfiguration" }?.children ?? []
        return try rules.filter { $0.name == "Rule" }.map { element in
            guard let rule = LifecycleRule(element) else {
                throw DubError(
                    .objectRefused, "The rule “\(element.child("ID") ?? "")” goes by what dubmill does not know.",
                    at: place, fix: "Change the bucket's rules with the tool that they were made with.")
            }
            return rule
        }
    }

    /// Gives a bucket these rules, in place of all that it had; none removes them.
    ///
    /// - Throws: As `head`.
    public func setLifecycle(_ rules: [LifecycleRule], bucket: String) async throws {
        let place = "s3://\(bucket)"
        let name = ObjectName(bucket: bucket, key: "")
        if rules.isEmpty {
            _ = try await exchange(endpoint.request("DELETE", name, query: [.init("lifecycle")]), at: place)
            return
        }
        let xml =
            "<LifecycleConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
            + rules.map(\.xml).joined() + "</LifecycleConfiguration>"
        let body = Data(xml.utf8)
        var request = endpoint.request("PUT", name, query: [.init("lifecycle")])
        request.headers = [
            "Content-Type": "application/xml", "Content-MD5": Data(Insecure.MD5.hash(data: body)).base64EncodedString(),
            Self.checksumField: Digest.of(body).bytes.base64EncodedString(),
        ]
        _ = try await exchange(request, body: .data(body), payload: .digest(.of(body)), at: place)
    }

    /// The tags of an object.
    ///
    /// - Throws: As `head`.
    public func tags(of name: ObjectName) async throws -> [String: String] {
        let answer = try await exchange(
            endpoint.request("GET", name, query: [.init("tagging")]), at: "\(name)"
        ).response
        let set = ReplyReader.read(answer.body).children.first { $0.name == "Tagging" }?.children.first
        let tags = (set?.children ?? []).map { ($0.child("Key") ?? "", $0.child("Value") ?? "") }
        return Dictionary(tags) { $1 }
    }
}
