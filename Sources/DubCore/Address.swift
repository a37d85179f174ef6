internal import Foundation

/// Addresses that people give, as they may be told and kept.
public enum Address {
    /// An address without what may be a secret: a user and a password, a query, a fragment.
    public static func bare(_ text: String) -> String {
        let shown = text.prefix { $0 != "?" && $0 != "#" }
        guard let scheme = shown.range(of: "://"), let at = shown.lastIndex(of: "@"), at >= scheme.upperBound else {
            return String(shown)
        }
        return String(shown[..<scheme.upperBound] + shown[shown.index(after: at)...])
    }
}
