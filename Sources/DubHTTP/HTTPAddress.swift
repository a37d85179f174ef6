public import DubCore
internal import Foundation

/// The address of a file on the web, taken apart so that libcurl cannot understand it otherwise.
public struct HTTPAddress: Sendable, Hashable {
    /// Whether it goes over TLS.
    public let isSecure: Bool
    /// The host: a name in ASCII, an IPv4 address, or an IPv6 address in brackets.
    public let host: String
    /// The port.
    public let port: Int
    /// The path, from its slash, percent-encoded; without the query, which may hold secrets.
    public let path: String

    /// Reads an address; `nil` for what has a user, a host with other characters than those of names and numbers, or
    /// white space anywhere.
    public init?(_ url: String) {
        let lower = url.lowercased()
        guard lower.hasPrefix("https://") || lower.hasPrefix("http://"),
            url.utf8.allSatisfy({ $0 > 32 && $0 < 127 && $0 != UInt8(ascii: "\\") })
        else { return nil }
        isSecure = lower.hasPrefix("https://")
        let rest = url.dropFirst(isSecure ? 8 : 7)
        let authority = rest.prefix { !"/?#".contains($0) }
        let digits: Substring
        if authority.hasPrefix("[") {
            guard let end = authority.firstIndex(of: "]") else { return nil }
            host = String(authority[...end])
            digits = authority[authority.index(after: end)...]
            guard host.dropFirst().dropLast().allSatisfy({ $0.isHexDigit || $0 == ":" || $0 == "." }) else {
                return nil
            }
        } else {
            let name = authority.prefix { $0 != ":" }
            host = String(name)
            digits = authority.dropFirst(name.count)
            guard !name.isEmpty, name.allSatisfy({ $0.isLetter || $0.isNumber || "-._".contains($0) }) else {
                return nil
            }
        }
        if digits.isEmpty {
            port = isSecure ? 443 : 80
        } else {
            guard digits.hasPrefix(":"), let number = Int(digits.dropFirst()), (1...65_535).contains(number) else {
                return nil
            }
            port = number
        }
        let path = rest.dropFirst(authority.count).prefix { !"?#".contains($0) }
        self.path = path.isEmpty ? "/" : String(path)
    }

    /// It, as it may be shown and kept: without the query.
    public var shown: String {
        let usual = isSecure ? 443 : 80
        return "\(isSecure ? "https" : "http")://\(host)\(port == usual ? "" : ":\(port)")\(path)"
    }

    /// The numeric addresses that the host stands for now.
    ///
    /// - Parameter areOwnAllowed: whether they may be of this machine, this network, or otherwise not of the internet.
    /// - Throws: `http.unreachable` where there are none; `http.own-address` where one is not of the internet.
    public func resolved(areOwnAllowed: Bool) async throws -> [String] {
        let name = host.hasPrefix("[") ? String(host.dropFirst().dropLast()) : host
        // On a thread of its own: the look-up blocks.
        let found = try await withCheckedThrowingContinuation {
            (done: CheckedContinuation<[InternetAddress], any Error>) in
            Thread.detachNewThread { done.resume(with: Result { try InternetAddress.all(of: name) }) }
        }
        guard !found.isEmpty else {
            throw DubError(
                .httpUnreachable, "There is no such host.", at: shown, fix: "Check the address.",
                persistence: .transient)
        }
        guard areOwnAllowed || found.allSatisfy(\.isPublic) else {
            throw DubError(
                .httpOwnAddress, "The host is on this machine or in a network of one's own.", at: shown,
                fix: "Give an address on the internet, or allow these with --allow-private-urls.")
        }
        return found.map(\.text)
    }
}

extension DubError.Code {
    /// An address from outside leads to this machine or into a network of one's own.
    public static let httpOwnAddress = Self(name: "http.own-address")
}
