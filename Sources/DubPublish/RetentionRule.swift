public import DubObjects

/// How a store is told to let published things go after a time.
///
/// A rule of S3 goes by a tag's value to the letter, and counts days from when an object was put. So the tag
/// `dubmill-retain` holds the days, one rule for each number of them; `dubmill-expires` is for people and programs.
public enum RetentionRule {
    static func tags(days: Int, expires: String) -> [String: String] {
        ["dubmill-retain": "\(days)d", "dubmill-expires": expires]
    }

    /// The rule for what is kept so long below a prefix.
    public static func rule(days: Int, prefix: String) -> LifecycleRule {
        LifecycleRule(
            "dubmill-retain-\(days)d" + (prefix.isEmpty ? "" : "-" + prefix.dropLast().replacing("/", with: "-")),
            prefix: prefix, tags: ["dubmill-retain": "\(days)d"], expireDays: days, expireOldVersionDays: days)
    }

    /// What became of a rule.
    public enum Outcome: Sendable, Hashable {
        /// The bucket had it.
        case there
        /// The bucket has it now.
        case set
        /// The bucket could not be given it, and why; somebody has to set it.
        case refused(String)
    }

    /// Gives a bucket the rule, beside those that it has.
    public static func ensure(days: Int, prefix: String, bucket: String, in store: ObjectStore) async -> Outcome {
        let rule = rule(days: days, prefix: prefix)
        do {
            var rules = try await store.lifecycle(bucket: bucket)
            if rules.contains(where: { $0.covers(rule) }) { return .there }
            rules.removeAll { $0.name == rule.name }
            rules.append(rule)
            try await store.setLifecycle(rules, bucket: bucket)
            return .set
        } catch {
            return .refused("\(error)")
        }
    }
}

extension LifecycleRule {
    /// Whether things of the other rule go by this one too, in the same time.
    fileprivate func covers(_ other: LifecycleRule) -> Bool {
        isEnabled && tags == other.tags && other.prefix.hasPrefix(prefix) && expireDays == other.expireDays
    }
}
