internal import DubCore

/// What one check of a worker found.
public struct ConformanceCheck: Hashable, Sendable, Codable {
    /// How a check came out.
    public enum Verdict: String, Sendable, Codable {
        /// The worker does as the protocol says.
        case pass
        /// It does not.
        case fail
        /// It could not be seen, for a reason that is no fault of the worker.
        case skipped
    }

    /// Its name, which stays: `refuses.duplicate-ids`, `translate.output`.
    public var name: String
    /// How it came out.
    public var verdict: Verdict
    /// What was seen, in a sentence.
    public var detail: String

    /// Makes a finding.
    public init(name: String, verdict: Verdict, detail: String) {
        self.name = name
        self.verdict = verdict
        self.detail = detail
    }
}

/// Something that a worker does otherwise than the protocol says.
struct Complaint: Error {
    var text: String
}

/// Why a check cannot be made here.
struct Skip: Error {
    var reason: String
}

/// Complains unless the condition holds.
func demand(_ condition: Bool, _ text: @autoclosure () -> String) throws(Complaint) {
    if !condition { throw Complaint(text: text()) }
}

/// The checks in the order in which they were made. Belongs to one task.
final class ConformanceReport {
    private(set) var checks: [ConformanceCheck] = []
    private let onCheck: @Sendable (ConformanceCheck) -> Void

    init(onCheck: @escaping @Sendable (ConformanceCheck) -> Void) {
        self.onCheck = onCheck
    }

    /// Makes a check: `body` tells what was seen, or throws what is wrong.
    ///
    /// - Throws: `CancellationError`, and nothing else.
    func check(_ name: String, _ body: () async throws -> String) async throws {
        let verdict: ConformanceCheck.Verdict
        let detail: String
        do {
            detail = try await body()
            verdict = .pass
        } catch let error as CancellationError {
            throw error
        } catch let skip as Skip {
            (verdict, detail) = (.skipped, skip.reason)
        } catch {
            (verdict, detail) = (.fail, Self.sentence(error))
        }
        let check = ConformanceCheck(name: name, verdict: verdict, detail: detail)
        checks.append(check)
        onCheck(check)
    }

    /// How the check of that name came out, if it was made.
    func verdict(of name: String) -> ConformanceCheck.Verdict? { checks.last { $0.name == name }?.verdict }

    /// What an error says, in one sentence.
    static func sentence(_ error: any Error) -> String {
        switch error {
        case let complaint as Complaint: complaint.text
        case let error as DubError: error.what
        case let error as DecodingError: sentence(error)
        default: "\(error)"
        }
    }

    private static func sentence(_ error: DecodingError) -> String {
        func path(_ keys: [any CodingKey]) -> String {
            let text = keys.map { $0.intValue.map { "[\($0)]" } ?? ".\($0.stringValue)" }.joined()
            return text.isEmpty ? "the message" : "`\(text.hasPrefix(".") ? String(text.dropFirst()) : text)`"
        }
        switch error {
        case .keyNotFound(let key, let context): return "\(path(context.codingPath + [key])) is missing."
        case .valueNotFound(_, let context): return "\(path(context.codingPath)) is null."
        case .typeMismatch(let type, let context): return "\(path(context.codingPath)) is no \(type)."
        case .dataCorrupted(let context): return "\(path(context.codingPath)) cannot be read."
        @unknown default: return "\(error)"
        }
    }
}
