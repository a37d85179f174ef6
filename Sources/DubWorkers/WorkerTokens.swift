public import DubCore
public import Foundation

/// The tokens of workers, from a file or the environment.
///
/// A line of a file is a token for all workers, or an address and its token with white space between. Empty lines and
/// those that begin with `#` do not matter.
public struct WorkerTokens: Sendable {
    /// The token of all workers that have none of their own.
    public var common: WorkerToken?
    private var own: [String: WorkerToken] = [:]

    /// Reads a file, or else takes `DUBMILL_WORKER_TOKEN` of the environment; no tokens where there is neither.
    ///
    /// - Throws: `input.missing` for a file that cannot be read; `worker.unauthorised` for one that holds no tokens.
    public static func read(
        file: String?, environment: [String: String] = ProcessInfo.processInfo.environment
    ) throws(DubError) -> WorkerTokens {
        var tokens = WorkerTokens()
        guard let file else {
            tokens.common = environment["DUBMILL_WORKER_TOKEN"].flatMap { WorkerToken($0) }
            return tokens
        }
        guard let text = try? String(contentsOfFile: file, encoding: .utf8) else {
            throw DubError(
                .inputMissing, "The file of tokens cannot be read.", at: file,
                fix: "Name a file with the token that the worker was started with.")
        }
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let words = line.split(whereSeparator: \.isWhitespace).map(String.init)
            guard let last = words.last, !words[0].hasPrefix("#") else { continue }
            // The line is not repeated: it may be a token with something wrong about it.
            guard words.count <= 2, let token = WorkerToken(last) else {
                throw DubError(
                    .workerUnauthorised, "A line is neither a token nor an address and a token.",
                    at: "\(file):\(index + 1)", fix: "Write one token, or ADDRESS TOKEN, of printable ASCII.")
            }
            if words.count == 1 { tokens.common = token } else { tokens.own[key(words[0])] = token }
        }
        guard tokens.common != nil || !tokens.own.isEmpty else {
            throw DubError(
                .workerUnauthorised, "The file of tokens holds none.", at: file,
                fix: "Write the token that the worker was started with into it.")
        }
        return tokens
    }

    /// The token for an address as it was given.
    public func token(for address: String) -> WorkerToken? { own[Self.key(address)] ?? common }

    private static func key(_ address: String) -> String {
        address.hasSuffix("/") && address.count > 1 ? String(address.dropLast()) : address
    }
}
