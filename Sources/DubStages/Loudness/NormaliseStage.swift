internal import DubCore
internal import DubGraph
internal import DubMedia
internal import DubRunner
internal import Foundation

/// Writes a file again with its audio at the level of a profile; picture and all else are copied bit for bit.
///
/// A stream gets one gain from its beginning to its end, and a limiter where that gain alone would lift its peaks above
/// the profile's ceiling. Codecs move peaks and loudness, so what was written is measured, and written again where it is
/// off. docs/loudness.md tells the rules.
struct NormaliseStage: Stage {
    let signature = StageSignature(
        name: "normalise", version: 1, inputs: [.one("media"), .one("info"), .one("loudness")],
        outputs: [.one("video"), .one("report")], parameters: ["profile": "r128"])

    func run(_ inputs: StageInputs, in context: StageContext) async throws -> [String: StageValue] {
        let path = context.path(of: try context.artifact("media", of: inputs))
        let profile = try LoudnessProfile.named(inputs.parameters["profile"]?.string ?? "")
        let measured = try context.read([MeasuredStream].self, "loudness", of: inputs)
        var plans = measured.map { LevelPlan(profile, before: $0.loudness) }
        let stem = "\(try context.scratch)/normalised"
        for attempt in 1... {
            let bar = Bar(attempt: attempt, context)
            let written = try await Remuxer.run(
                RemuxRequest(
                    source: path, outputStem: stem,
                    replaced: zip(measured, plans).compactMap { stream, plan in
                        plan.levelling.map { ReplacedAudio(stream: stream.stream, levelling: $0) }
                    })
            ) { bar.show($0 * 0.8) }
            let after = try await Self.measure(written) { bar.show(0.8 + $0 * 0.2) }
            let done = zip(measured, plans).map { stream, plan in
                let replaced = written.replaced?.first { $0.source == stream.stream }
                return StreamLoudness(
                    stream: stream.stream, index: replaced?.index, language: stream.language,
                    levelling: plan.levelling, codec: replaced?.codec, before: stream.loudness,
                    after: after[stream.stream] ?? stream.loudness)
            }
            var isChanged = false
            for index in plans.indices where plans[index].correct(by: done[index].after) { isChanged = true }
            if isChanged, attempt < LoudnessAim.attempts { continue }
            let type = String(written.path.split(separator: ".").last ?? "mkv")
            let report = NormaliseReport(
                profile: profile.name, streams: done, reason: written.reason, dropped: written.dropped)
            return [
                "video": .one(try context.store.adopt(fileAt: written.path, type: type)),
                "report": .one(try context.store.put(json: report)),
            ]
        }
        preconditionFailure("the last attempt returns")
    }

    /// How loud the streams that were written anew are, by their index in the source.
    private static func measure(
        _ written: RemuxReport, progress: @escaping @Sendable (Double) -> Void
    ) async throws -> [Int: LoudnessReport] {
        let replaced = written.replaced ?? []
        return try await MediaThread.run { cancellation in
            var reports: [Int: LoudnessReport] = [:]
            for (place, stream) in replaced.enumerated() {
                reports[stream.source] = try LoudnessMeter.measure(
                    written.path, stream: stream.index, cancellation: cancellation
                ) { progress((Double(place) + $0) / Double(replaced.count)) }
            }
            return reports
        }
    }

    /// An attempt's part of the stage's bar: each has the greater part of what is left, as it is mostly the last.
    private struct Bar: Sendable {
        private let from: Double
        private let context: StageContext

        init(attempt: Int, _ context: StageContext) {
            from = 1 - pow(0.3, Double(attempt - 1))
            self.context = context
        }

        func show(_ fraction: Double) { context.progress(from + (1 - from) * 0.7 * fraction) }
    }
}
