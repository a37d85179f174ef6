public import DubCore

extension DubError.Code {
    /// A finished result did not pass the gate.
    public static let verdictFail = Self(name: "verdict.fail")
}

/// What was measured of a result, from outside, and what that means: an interface, kept stable.
public struct Verdict: Codable, Hashable, Sendable {
    /// How good something is; the worst check decides.
    public enum Grade: String, Codable, Sendable, Comparable {
        case pass
        case review
        case fail

        /// Worse is greater.
        public static func < (left: Grade, right: Grade) -> Bool { left.rank < right.rank }

        private var rank: Int {
            switch self {
            case .pass: 0
            case .review: 1
            case .fail: 2
            }
        }
    }

    /// One thing that was measured.
    public struct Check: Codable, Hashable, Sendable {
        /// A stable name: `picture.identical`.
        public var name: String
        /// What was measured; 0 and 1 for no and yes; `nil` where it could not be.
        public var value: Double?
        /// `s`, `LU`, `dBTP`, `lines`, `bool` …
        public var unit: String
        /// What it has to be to pass, in words.
        public var limit: String
        /// What follows.
        public var grade: Grade
        /// What a person should know.
        public var note: String?
        /// What rules may make of it at the worst: less than `fail` where too little was measured to refuse a dub for it.
        var worst = Grade.fail

        private enum CodingKeys: CodingKey {
            case name, value, unit, limit, grade, note
        }
    }

    /// How the lines came out.
    public struct Lines: Codable, Hashable, Sendable {
        /// All of them.
        public var total = 0
        /// Voiced in full.
        public var voiced = 0
        /// Not voiced, each with the reason in `notes`.
        public var notVoiced = 0
        /// Voiced, and for a person to look at.
        public var review = 0
        /// Translated by another engine than the first.
        public var fallback = 0
        /// Translated or spoken by an engine that is only good enough for a draft.
        public var draft = 0
        /// Without a term that the glossary asks for; `nil` where it asks for none.
        public var glossary: Int?
    }

    /// The shape of this document: 1.
    public var version = 1
    /// The worst grade.
    public var verdict: Grade
    /// The language of the dub.
    public var language: Language?
    /// All that was measured.
    public var checks: [Check]
    /// How the lines came out; `nil` where nobody knows them.
    public var lines: Lines?
    /// Of a file whose loudness was brought to a profile, each stream before and after; else `nil`.
    public var streams: [StreamLoudness]?
    /// How each line came out, in order; `nil` where nobody knows them.
    public var figures: [LineFigure]?
    /// How many lines each engine made, by its name.
    public var engines: [String: Int]
    /// What a person should know, line by line.
    public var notes: [String]

    init(
        language: Language?, checks: [Check], lines: Lines? = nil, streams: [StreamLoudness]? = nil,
        figures: [LineFigure] = [], engines: [String: Int] = [:], notes: [String] = []
    ) {
        verdict = checks.map(\.grade).max() ?? .pass
        self.language = language
        self.checks = checks
        self.lines = lines
        self.streams = streams
        self.figures = figures.isEmpty ? nil : figures
        self.engines = engines
        self.notes = notes
    }

    /// The checks that did not pass, in one sentence each.
    public var complaints: [String] {
        checks.filter { $0.grade != .pass }.map { check in
            let value = check.value.map { "\((($0 * 1000).rounded()) / 1000) \(check.unit)" } ?? "unknown"
            return "\(check.name) is \(value), and has to be \(check.limit)" + (check.note.map { " (\($0))" } ?? "")
        }
    }

    /// The verdict as an error, for an item that the gate refuses.
    public func error(at place: String) -> DubError {
        DubError(
            .verdictFail, "The result does not pass: \(complaints.joined(separator: "; ")).", at: place,
            fix: lines == nil
                ? "See the verdict beside the output; check the source with a player."
                : "See the verdict beside the output; edit the script and run again.")
    }
}
