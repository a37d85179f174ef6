internal import DubCore
internal import DubGraph
internal import DubMedia
internal import DubRunner
internal import Foundation

/// The gate behind `normalise`: measures the finished file from outside, against its source and the profile.
struct VerifyStage: Stage {
    let signature = StageSignature(
        name: "verify", version: 1, inputs: [.one("media"), .one("video"), .one("report")],
        outputs: [.one("verdict")])

    /// More gain than this lifts noise into hearing, dB.
    private static let usualGain = 20.0

    func run(_ inputs: StageInputs, in context: StageContext) async throws -> [String: StageValue] {
        let source = context.path(of: try context.artifact("media", of: inputs))
        let path = context.path(of: try context.artifact("video", of: inputs))
        let report = try context.read(NormaliseReport.self, "report", of: inputs)
        let profile = try LoudnessProfile.named(report.profile)
        let streams = try await Self.measured(report.streams, in: path) { context.progress($0) }
        let checks =
            try await Self.structure(path, source: source, report)
            + Self.loudness(streams, profile)
        let notes =
            [profile.note].compactMap(\.self) + streams.map { Self.tell($0, profile) }
            + (report.reason.map { ["container: \($0)"] } ?? [])
        let verdict = Verdict(language: nil, checks: checks, streams: streams, notes: notes)
        return ["verdict": .one(try context.store.put(json: verdict))]
    }

    /// The streams with this stage's own measure of what was written anew; a copy is as loud as it was.
    private static func measured(
        _ streams: [StreamLoudness], in path: String, progress: @escaping @Sendable (Double) -> Void
    ) async throws -> [StreamLoudness] {
        try await MediaThread.run { cancellation in
            try streams.enumerated().map { place, stream in
                var stream = stream
                stream.after =
                    try stream.index.map { index in
                        try LoudnessMeter.measure(path, stream: index, cancellation: cancellation) {
                            progress((Double(place) + $0) / Double(streams.count))
                        }
                    } ?? stream.before
                return stream
            }
        }
    }

    /// The checks of what was not to change.
    private static func structure(
        _ path: String, source: String, _ report: NormaliseReport
    ) async throws -> [Verdict.Check] {
        let (original, result) = (try await Media.probe(source), try await Media.probe(path))
        let (originals, packets) = (try await Media.packetDigests(source), try await Media.packetDigests(path))
        let tracks = Dictionary(
            report.streams.compactMap { stream in stream.index.map { (Int?.some(stream.stream), $0) } },
            uniquingKeysWith: { $1 })
        return [Inspection.order(packets, Set(tracks.values), against: originals)]
            + Inspection.streams(
                original, originals, result, packets, report.dropped, replaced: Set(tracks.keys.compactMap(\.self)))
            + Inspection.times(original, originals, result, packets, tracks)
    }

    /// The checks of the profile: the stream that is furthest off decides.
    private static func loudness(_ streams: [StreamLoudness], _ profile: LoudnessProfile) -> [Verdict.Check] {
        let heard = streams.filter { $0.before.integrated != nil }
        func worst(_ figure: (StreamLoudness) -> Double?, by size: (Double) -> Double) -> (StreamLoudness, Double)? {
            heard.compactMap { stream in figure(stream).map { (stream, $0) } }.max { size($0.1) < size($1.1) }
        }
        func check(
            _ name: String, _ worst: (StreamLoudness, Double)?, _ unit: String, _ limit: String,
            _ holds: (Double) -> Bool
        ) -> Verdict.Check {
            let silent = heard.isEmpty ? "every stream is silent" : nil
            return Verdict.Check(
                name: name, value: worst?.1, unit: unit, limit: limit,
                grade: worst.map { holds($0.1) } ?? false ? .pass : .review,
                note: worst.flatMap { streams.count > 1 ? "stream \($0.0.stream)" : nil } ?? silent)
        }
        let tolerance = LoudnessProfile.tolerance
        return [
            check(
                "loudness.integrated", worst(\.after.integrated, by: { abs($0 - profile.target) }), "LUFS",
                "within ±\(tolerance) of \(text(profile.target))", { abs($0 - profile.target) <= tolerance }),
            check(
                "loudness.true-peak", worst(\.after.truePeak, by: { $0 }), "dBTP", "at most \(text(profile.ceiling))",
                { $0 <= profile.ceiling }),
            check(
                "loudness.gain", worst({ $0.levelling?.gain ?? 0 }, by: { $0 }), "dB",
                "at most \(text(usualGain))", { $0 <= usualGain }),
        ]
    }

    /// What became of a stream, in a sentence.
    private static func tell(_ stream: StreamLoudness, _ profile: LoudnessProfile) -> String {
        let name = "stream \(stream.stream)" + (stream.language.map { " (\($0))" } ?? "")
        guard let before = stream.before.integrated else {
            return "\(name): silence, below -70 LUFS: left as it is"
        }
        let peak = stream.before.truePeak.map { ", \(text($0)) dBTP" } ?? ""
        guard let levelling = stream.levelling else {
            return "\(name): \(text(before)) LUFS\(peak): within the profile, left as it is"
        }
        let after = stream.after.integrated.map { "\(text($0)) LUFS" } ?? "silence"
        let now = stream.after.truePeak.map { ", \(text($0)) dBTP" } ?? ""
        let limiter = levelling.ceiling.map { ", limited at \(text($0)) dBTP" } ?? ""
        return "\(name): \(text(before)) LUFS\(peak) became \(after)\(now): gain \(text(levelling.gain)) dB\(limiter)"
    }

    private static func text(_ value: Double) -> String {
        let tenths = (value * 10).rounded() / 10
        return tenths == tenths.rounded() ? "\(Int(tenths))" : "\(tenths)"
    }
}
