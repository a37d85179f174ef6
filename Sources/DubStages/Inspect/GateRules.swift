public import DubCore
internal import DubGraph
internal import Foundation
internal import Yams

/// What a measured figure has to be to pass, and from where on it fails: the thresholds of the gate, as data.
///
/// A check that has no rule keeps the grade that its own definition gives it.
public struct GateRules: Codable, Hashable, Sendable {
    /// The bounds of one check. One of `most`, `least` and `within` is given.
    public struct Rule: Codable, Hashable, Sendable {
        /// Passes up to this.
        public var most: Double?
        /// Passes from this on.
        public var least: Double?
        /// Passes so far to either side of `of`.
        public var within: Double?
        /// The middle of `within`; 0 where it is not given.
        public var of: Double?
        /// Up to here (of `least`, down to here; of `within`, so far from the middle) it is for review, beyond it
        /// fails; where it is not given, nothing fails.
        public var review: Double?

        /// Whether exactly one bound is given, and `review` lies beyond it.
        var isSound: Bool {
            let bounds = [most, least, within].compactMap(\.self)
            guard bounds.count == 1, let bound = bounds.first, bound.isFinite else { return false }
            guard let review else { return true }
            return least == nil ? review >= bound : review <= bound
        }

        /// What a value comes to; one that could not be measured is for review.
        public func grade(_ value: Double?) -> Verdict.Grade {
            guard let value else { return .review }
            // Less is better.
            let (size, bound, limit): (Double, Double, Double?) =
                if let most { (value, most, review) } else if let least {
                    (-value, -least, review.map { -$0 })
                } else { (abs(value - (of ?? 0)), within ?? 0, review) }
            if size <= bound { return .pass }
            guard let limit else { return .review }
            return size <= limit ? .review : .fail
        }

        /// What it has to be, in words.
        public var limit: String {
            if let most { return "at most \(Self.text(most))" }
            if let least { return "at least \(Self.text(least))" }
            let middle = of.map { " of \(Self.text($0))" } ?? ""
            return "within ±\(Self.text(within ?? 0))\(middle)"
        }

        private static func text(_ value: Double) -> String {
            value == value.rounded() && abs(value) < 1e9 ? String(Int(value)) : "\(value)"
        }
    }

    /// The shape of this document: 1.
    public var version: Int
    /// By the name of the check.
    public var checks: [String: Rule]
    /// What is otherwise for a profile, by its name: `voiceover`, `r128`.
    public var profiles: [String: [String: Rule]]?

    /// Makes rules of version 1.
    public init(checks: [String: Rule], profiles: [String: [String: Rule]] = [:]) {
        version = 1
        self.checks = checks
        self.profiles = profiles
    }

    /// No rules: every check is graded by its own definition.
    public static let none = GateRules(checks: [:])

    /// Reads a file of thresholds, in YAML.
    ///
    /// - Throws: `input.missing`; `gate.invalid` with what is wrong.
    public static func read(_ path: String) throws(DubError) -> GateRules {
        let text: String
        do {
            text = String(decoding: try Data(contentsOf: URL(filePath: path)), as: UTF8.self)
        } catch {
            throw DubError(
                .inputMissing, "The thresholds cannot be read: \(error.localizedDescription).", at: path,
                fix: "Check the name.", cause: error)
        }
        let rules: GateRules
        do {
            rules = try YAMLDecoder().decode(GateRules.self, from: text)
        } catch {
            throw invalid("It is no file of thresholds: \(error).", path, cause: error)
        }
        return try rules.checked(at: path)
    }

    /// - Parameter place: the file, for the error.
    /// - Throws: `gate.invalid` naming the check whose rule is none.
    public func checked(at place: String) throws(DubError) -> GateRules {
        guard version == 1 else {
            throw Self.invalid("It is of version \(version), and this program knows 1.", place)
        }
        let all = [("checks", checks)] + (profiles ?? [:]).map { ("profiles.\($0.key)", $0.value) }
        for (part, rules) in all {
            if let name = rules.keys.filter({ !Verdict.Check.names.contains($0) }).min() {
                throw Self.invalid(
                    "\(part).\(name) is no check. \(hint(name, among: Verdict.Check.names))", place)
            }
            for (name, rule) in rules where !rule.isSound {
                throw Self.invalid(
                    "\(part).\(name) needs one of most, least and within, and review beyond it.", place)
            }
        }
        return self
    }

    private static func invalid(_ what: String, _ place: String, cause: (any Error)? = nil) -> DubError {
        DubError(
            .gateInvalid, what, at: place, fix: "See Pipelines/gate/standard.yaml for how rules are written.",
            cause: cause)
    }

    /// The names, if there are rules for all of them.
    ///
    /// - Throws: `parameter.invalid` naming the profiles that there are.
    public func known(_ names: [String]) throws(DubError) -> [String] {
        for name in names where profiles?[name] == nil {
            let all = (profiles ?? [:]).keys.sorted().joined(separator: ", ")
            throw DubError(
                .parameterInvalid, "The gate has no thresholds for `\(name)`.", at: "--profile",
                fix: all.isEmpty ? "The file of thresholds has no profiles." : "Give of these: \(all).")
        }
        return names
    }

    /// The rules that hold for profiles, later ones over earlier ones; a profile that has no rules changes nothing.
    func rules(for names: [String]) -> [String: Rule] {
        names.reduce(checks) { $0.merging(profiles?[$1] ?? [:]) { $1 } }
    }

    /// Grades by the rules.
    func applied(to checks: [Verdict.Check], profiles: [String]) -> [Verdict.Check] {
        let rules = rules(for: profiles)
        return checks.map { check in
            guard let rule = rules[check.name] else { return check }
            var check = check
            check.grade = min(rule.grade(check.value), check.worst)
            check.limit = rule.limit
            return check
        }
    }
}

extension DubError.Code {
    /// A file of thresholds is malformed.
    public static let gateInvalid = Self(name: "gate.invalid")
}
