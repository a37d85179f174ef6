internal import DubCore
internal import DubGraph
internal import DubMedia

/// How loud a programme has to be, by the rules of those who take it.
struct LoudnessProfile: Hashable, Sendable {
    /// The name in a pipeline file.
    let name: String
    /// Integrated loudness, LUFS.
    let target: Double
    /// The highest true peak, dBTP.
    let ceiling: Double
    /// Whether those who ask for it measure the dialogue alone: a dub, whose lines are known, follows them.
    var isOfDialogue = false
    /// What a reader of the verdict should know.
    var note: String?

    /// How far from the target a programme may be, LU: EBU R 128's, and stricter than the others ask for.
    static let tolerance = 0.5

    /// All that there are.
    ///
    /// Sources: AES TD1008 and what players of the web turn things to; EBU R 128; the Netflix sound mix specifications;
    /// ATSC A/85.
    static let all = [
        LoudnessProfile(name: "web", target: -16, ceiling: -1),
        LoudnessProfile(name: "r128", target: -23, ceiling: -1),
        LoudnessProfile(
            name: "netflix", target: -27, ceiling: -2, isOfDialogue: true,
            note: "netflix: measured over the whole programme (BS.1770-4), not over the dialogue alone"),
        LoudnessProfile(name: "a85", target: -24, ceiling: -2),
    ]

    /// - Throws: `parameter.invalid` for a name that stands for none.
    static func named(_ name: String) throws(DubError) -> LoudnessProfile {
        guard let profile = all.first(where: { $0.name == name }) else {
            throw DubError(
                .parameterInvalid, "There is no loudness profile `\(name)`.", at: "profile",
                fix: "Give one of \(all.map(\.name).joined(separator: ", ")).")
        }
        return profile
    }

    /// The profile of a dub; `nil` for `source`, which leaves a dub as loud as its source.
    ///
    /// - Throws: as `named`.
    static func ofDub(_ name: String) throws(DubError) -> LoudnessProfile? {
        name == "source" ? nil : try named(name)
    }

    /// Whether a stream is as it should be.
    func holds(_ report: LoudnessReport) -> Bool {
        guard let integrated = report.integrated else { return false }
        return abs(integrated - target) <= Self.tolerance && (report.truePeak ?? ceiling) <= ceiling
    }
}
