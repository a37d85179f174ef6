internal import DubCore
internal import DubGraph
internal import DubWorkers

/// How good a piece of sound is.
struct Rating: Codable, Hashable, Sendable {
    /// The predicted mean opinion score, 1…5; `nil` where nobody judged it.
    var overall: Double?
    /// How many windows it was heard in: what it weighs.
    var windows = 0

    /// The mean over pieces; `nil` where none was judged.
    static func mean(_ ratings: [Rating]) -> Double? {
        let weight = ratings.reduce(0) { $0 + $1.windows }
        guard weight > 0 else { return nil }
        return ratings.reduce(0) { $0 + ($1.overall ?? 0) * Double($1.windows) } / Double(weight)
    }
}

/// The model that rates recordings.
struct Rater: Sendable {
    private let batcher: Batcher
    private let model: Engines.Engine

    /// What is shorter is no sound to judge, what is longer the model does not take; in seconds.
    private static let lengths = 0.5...3600.0

    /// - Returns: `nil` where none is installed.
    init?(_ engines: Engines) {
        guard let model = try? engines.candidates(for: .quality, wanted: "auto", purpose: "rate recordings").first
        else { return nil }
        batcher = engines.batcher
        self.model = model
    }

    var identity: ModelIdentity { model.identity }

    /// Rates a WAV file (16 kHz, mono); one that is too short or too long stays unjudged.
    func rate(_ path: String, seconds: Double) async throws -> Rating {
        guard Self.lengths.contains(seconds) else { return Rating() }
        let told = try await QualityRating(batcher: batcher, model: model.name).rate(file: path, seconds: seconds).value
        return Rating(overall: told.mos.overall, windows: told.windows)
    }
}

extension Inspection {
    /// How good the dub sounds, and how much better or worse than its source.
    ///
    /// Over music and noise a score says little by itself, as they lower it in the source too.
    static func quality(source: [Rating], dub: [Rating]) -> [Verdict.Check] {
        guard let now = Rating.mean(dub) else { return [] }
        let change = Rating.mean(source).map { figure("speech.mos.change", now - $0, "MOS") }
        return [figure("speech.mos", now, "MOS", note: "predicted, 1 to 5")] + (change.map { [$0] } ?? [])
    }
}
