public import DubCore
public import DubWatch
internal import Foundation
internal import HTTPTypes

/// Who may ask for what.
///
/// A token opens everything that its scope allows, wherever it comes from. Without one there is health and the API's
/// description, and what the configuration tells everybody on this machine.
public struct ServiceAccess: Sendable {
    private let entry: ServiceEntry
    private let doorkeeper: Doorkeeper

    init(_ entry: ServiceEntry, tokens: String) {
        self.entry = entry
        doorkeeper = Doorkeeper(TokenFile(path: tokens))
    }

    /// - Throws: `token.missing`, `token.scope`; `token.invalid` where the file of tokens cannot be used.
    func admit(_ request: HTTPRequest, to access: Route.Access) throws(DubError) {
        if access == .open { return }
        guard let field = request.headerFields[.authorization] else {
            guard isToldEverybody(access), isForThisMachine(request.authority) else {
                throw Self.missing("There is no token.")
            }
            return
        }
        let parts = field.split(separator: " ", maxSplits: 1)
        guard parts.count == 2, parts[0].lowercased() == "bearer",
            let token = try doorkeeper.token(parts[1].trimmingCharacters(in: .whitespaces))
        else { throw Self.missing("The token is not known.") }
        guard access != .write || token.scope == .write else {
            throw DubError(
                .tokenScope, "The token is for looking alone.", at: "Authorization",
                fix: "Use one that was made with --scope write.")
        }
    }

    private func isToldEverybody(_ access: Route.Access) -> Bool {
        guard entry.isOnLoopback, !entry.isBehindProxy else { return false }
        switch access {
        case .open: return true
        case .metrics: return entry.anonymous >= .metrics
        case .read: return entry.anonymous >= .read
        case .write: return false
        }
    }

    /// Whether the request was addressed to this machine: a web page whose name was made to point here is not let in.
    private func isForThisMachine(_ host: String?) -> Bool {
        guard let host else { return true }
        let name = host.hasPrefix("[") ? String(host.prefix { $0 != "]" }) + "]" : String(host.prefix { $0 != ":" })
        return ["localhost", "127.0.0.1", "[::1]"].contains(name.lowercased())
    }

    private static func missing(_ what: String) -> DubError {
        DubError(
            .tokenMissing, what, at: "Authorization",
            fix: "Send Authorization: Bearer TOKEN, with a token of dubmill token add.")
    }

    /// What is wrong with where a service would listen.
    ///
    /// - Parameter tokens: the file of tokens.
    /// - Returns: what and how to mend it, for each fault.
    public static func faults(of entry: ServiceEntry, tokens: String) -> [DubError] {
        var faults: [DubError] = []
        func fault(_ what: String, _ fix: String) {
            faults.append(DubError(.settingsInvalid, what, at: "http", fix: fix))
        }
        if !entry.isOnLoopback, entry.certificate == nil, !entry.isBehindProxy {
            fault(
                "It would listen on \(entry.host) in the clear: tokens could be read on their way.",
                "Give `tls`, or listen on 127.0.0.1; behind a proxy that speaks TLS write `behind-proxy: true`.")
        }
        if entry.anonymous != .nothing, !entry.isOnLoopback || entry.isBehindProxy {
            fault(
                "`anonymous` would tell more than this machine.",
                "Leave it out, and give whoever asks a token: dubmill token add NAME --scope read.")
        }
        do throws(DubError) {
            let known = try TokenFile(path: tokens).read()
            if known.isEmpty, !entry.isOnLoopback || entry.isBehindProxy {
                fault("Others could reach it, and there is no token in \(tokens).", "Make one: dubmill token add NAME.")
            }
        } catch {
            faults.append(error)
        }
        if let certificate = entry.certificate {
            do throws(DubError) { _ = try certificate.settings() } catch { faults.append(error) }
        }
        return faults
    }
}
