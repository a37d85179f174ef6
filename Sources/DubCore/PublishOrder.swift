/// Where what was made is to be published, at which store, and for how long.
///
/// It holds no secret: credentials are looked for when they are needed.
public struct PublishOrder: Hashable, Sendable, Codable {
    /// `s3://bucket/prefix`, or the absolute path of a folder.
    public var to: String
    /// For how many days it is kept; `nil` is for good.
    public var retainDays: Int?
    /// Where the store listens; `nil` is as the environment says.
    public var endpoint: String?
    /// The store's region.
    public var region: String?
    /// `path` or `virtual`.
    public var style: String?
    /// Whose credentials are used, by a profile of `~/.aws/credentials`.
    public var profile: String?

    /// Asks for a place.
    public init(
        to: String, retainDays: Int? = nil, endpoint: String? = nil, region: String? = nil, style: String? = nil,
        profile: String? = nil
    ) {
        self.to = to
        self.retainDays = retainDays
        self.endpoint = endpoint
        self.region = region
        self.style = style
        self.profile = profile
    }

    /// Whole days as people write them: `30d`, `2w`, `48h`; `nil` for what is less than one, or no whole number.
    public static func days(_ text: String) -> Int? {
        guard let seconds = Quantity.duration(text)?.components.seconds, seconds >= 86_400, seconds % 86_400 == 0
        else { return nil }
        return Int(seconds / 86_400)
    }
}
