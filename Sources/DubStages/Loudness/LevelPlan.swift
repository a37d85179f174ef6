internal import DubMedia

/// What is done to one stream to bring it to a profile, and how that is put right by what came of it.
struct LevelPlan: Hashable, Sendable {
    let profile: LoudnessProfile
    let before: LoudnessReport
    /// What is done; `nil` where the stream stays as it is.
    private(set) var levelling: Levelling?

    /// A lossy codec moves peaks: AAC and Opus at usual rates by 0.2 to 0.8 dB on speech and music.
    private static let codecMargin = 0.8
    /// The limiter's own true peaks lie so much above its ceiling at the most.
    private static let limiterMargin = 0.3
    /// FFmpeg's limiter goes no lower, dBFS.
    private static let floor = -24.0

    /// A plan from what was measured. Silence, and what keeps to the profile already, is left as it is.
    init(_ profile: LoudnessProfile, before: LoudnessReport) {
        self.profile = profile
        self.before = before
        guard let integrated = before.integrated, !profile.holds(before) else { return }
        let gain = profile.target - integrated
        let limit = profile.ceiling - Self.codecMargin
        let isTooHigh = (before.truePeak ?? -.infinity) + gain > limit
        levelling = Levelling(gain: gain, ceiling: isTooHigh ? limit : nil)
    }

    /// Puts the plan right by what was measured of its output.
    ///
    /// - Returns: whether anything had to be changed.
    mutating func correct(by after: LoudnessReport) -> Bool {
        guard var next = levelling else { return false }
        if let integrated = after.integrated,
            let gain = LoudnessAim.corrected(next.gain, measured: integrated, wanted: profile.target)
        {
            next.gain = gain
        }
        if let peak = after.truePeak, peak > profile.ceiling {
            let limit = next.ceiling ?? profile.ceiling
            next.ceiling = max(Self.floor, limit - (peak - profile.ceiling) - Self.limiterMargin)
        }
        defer { levelling = next }
        return next != levelling
    }
}

/// How a gain is put right by the loudness that came of it: what lies beside adds to it, limiters and codecs take away.
enum LoudnessAim {
    /// How often a thing is made, the first time included.
    static let attempts = 3
    /// What is left alone, LU.
    static let dead = 0.4

    /// The gain to try next, dB; `nil` where the last one was good enough, or is `least` and cannot be less.
    ///
    /// - Parameter step: gains are multiples of it; 0 for any. Coarse ones stay the same where little of the sound does
    ///   not, and with them every sample of the rest.
    static func corrected(
        _ gain: Double, measured: Double, wanted: Double, least: Double = -.infinity, step: Double = 0
    ) -> Double? {
        guard abs(measured - wanted) > dead else { return nil }
        let better = max(stepped(gain - (measured - wanted), step), least)
        return better == gain ? nil : better
    }
    /// The multiple of a step that is nearest.
    static func stepped(_ gain: Double, _ step: Double) -> Double {
        step > 0 ? (gain / step).rounded() * step : gain
    }
}
