internal import DubCore
internal import DubGraph
internal import DubMedia
internal import DubRunner
internal import DubTiming
internal import Foundation

/// Lays the takes over the source's bed, as loud as the source spoke, peaks held.
///
/// Between the lines the source is untouched. Under them its voice is taken out by simple means: the centre channel is
/// muted where there is one; of a stereo picture with the voice in the middle the sides stay; else room tone from the
/// source's own pauses lies under the line. Or it stays, and all of the source is turned down under the lines (`bed:
/// duck`). docs/mixing.md tells what that keeps and what it loses.
struct MixStage: Stage {
    let signature = StageSignature(
        name: "mix", version: 2, inputs: [.one("media"), .one("info"), .one("placement"), .list("takes")],
        outputs: [.one("audio"), .one("report")], parameters: ["bed": "replace", "duck": 15])

    /// Sample peaks are held here, in dBFS, so that −1 dBTP holds after a lossy codec.
    private static let ceiling = -2.5
    /// By how much at most the voice is turned down for what lies under it, dB: beyond that the bed is the louder one, and
    /// the voice would sink in it while the sum still measures too loud.
    private static let yield = 4.0

    func run(_ inputs: StageInputs, in context: StageContext) async throws -> [String: StageValue] {
        let path = context.path(of: try context.artifact("media", of: inputs))
        let info = try context.read(MediaInfo.self, "info", of: inputs)
        let placement = try context.read(Placement.self, "placement", of: inputs)
        let takes = inputs.list("takes").map { context.path(of: $0) }
        let duck = try Self.duck(inputs.parameters)
        let output = try "\(context.scratch)/dub.flac"
        async let measured = MediaThread.run { cancellation in
            try SourcePass.run(
                path, stream: info.dialogueStream?.index, format: Self.format(of: info),
                speech: placement.sourceSpeech, duration: placement.duration, cancellation: cancellation)
        }
        async let natural = MediaThread.run { try Self.loudness(of: placement, takes, $0) }
        let (pass, takesLoudness) = try await (measured, natural)
        let report = try await MediaThread.run { cancellation in
            try Self.mix(
                path, info, placement, takes, pass, natural: takesLoudness, duck: duck, to: output,
                cancellation: cancellation, progress: { context.progress($0) })
        }
        return [
            "audio": .one(try context.store.adopt(fileAt: output, type: "flac")),
            "report": .one(try context.store.put(json: report)),
        ]
    }

    /// By how much the source is turned down under lines, dB; `nil` where its voice is taken out.
    private static func duck(_ parameters: [String: JSONValue]) throws(DubError) -> Double? {
        let (bed, depth) = (parameters["bed"]?.string ?? "", parameters["duck"]?.double ?? -1)
        guard bed == "replace" || bed == "duck" else {
            throw DubError(
                .parameterInvalid, "`\(bed)` is no bed.", at: "bed", fix: "Give replace or duck.")
        }
        guard (0...60).contains(depth) else {
            throw DubError(
                .parameterInvalid, "The source cannot be turned down by \(depth) dB.", at: "duck", fix: "Give 0 to 60.")
        }
        return bed == "duck" ? depth : nil
    }

    /// The source's own rate and layout, where FFmpeg's FLAC and the lossy codecs can follow.
    static func format(of info: MediaInfo) -> AudioFormat {
        guard let audio = info.dialogueStream?.audio else { return AudioFormat(sampleRate: 48_000, layout: "stereo") }
        let rates = [48_000, 44_100, 32_000, 24_000, 22_050, 16_000]
        let layouts = ["mono", "stereo", "5.1", "5.1(side)", "7.1", "3.0", "5.0", "5.0(side)"]
        let layout = layouts.contains(audio.layout) ? audio.layout : audio.channels == 1 ? "mono" : "stereo"
        return AudioFormat(sampleRate: rates.contains(audio.sampleRate) ? audio.sampleRate : rates[0], layout: layout)
    }

    private static func mix(
        _ path: String, _ info: MediaInfo, _ placement: Placement, _ takes: [String], _ measured: SourcePass.Result,
        natural: Double?, duck: Double?, to output: String, cancellation: Cancellation, progress: (Double) -> Void
    ) throws -> MixReport {
        let format = format(of: info)
        let stream = info.dialogueStream?.index
        var pass = measured
        if duck != nil { pass.measure.bed = .duck }
        let start = natural.flatMap { natural in pass.measure.dialogue.map { $0 - natural } } ?? 0
        var gain = start
        for attempt in 1... {
            let (whole, dialogue) = try lay(
                path, stream, format, placement, takes, pass, duck: duck, gain: gain, to: output,
                cancellation: cancellation, progress: progress)
            if attempt < LoudnessAim.attempts, let now = dialogue.integrated, let wanted = pass.measure.dialogue,
                let better = LoudnessAim.corrected(gain, measured: now, wanted: wanted, least: start - Self.yield)
            {
                gain = better
                continue
            }
            return MixReport(
                source: pass.measure, takes: natural, gain: gain, dialogue: dialogue.integrated,
                integrated: whole.integrated, truePeak: whole.truePeak)
        }
        preconditionFailure("the last attempt returns")
    }

    /// One pass over the source: the bed, the voice at a gain, the limiter.
    private static func lay(
        _ path: String, _ stream: Int?, _ format: AudioFormat, _ placement: Placement, _ takes: [String],
        _ pass: SourcePass.Result, duck: Double?, gain: Double, to output: String, cancellation: Cancellation,
        progress: (Double) -> Void
    ) throws -> (whole: LoudnessReport, dialogue: LoudnessReport) {
        let layout = SpeakerLayout(format.layout, channels: format.channels)
        // A voice in two channels is 3 dB louder than in one.
        let perChannel = gain - 10 * log10(Double(layout.voice.count))
        var voice = VoiceTrack(
            placement, takes: takes, sampleRate: format.sampleRate, gain: Float(pow(10, perChannel / 20)))
        let dub = placement.lines.compactMap(\.placed.span)
        let plan =
            duck == nil
            ? BedPlan.make(sourceSpeech: placement.sourceSpeech, dub: dub, duration: placement.duration)
            : BedPlan.make(sourceSpeech: dub, duration: placement.duration, rules: .ducking)
        var bed = Bed(plan, pass, layout, sampleRate: format.sampleRate, duck: duck ?? 0)
        var decoder = try AudioDecoder.open(path, stream: stream, as: format, cancellation: cancellation)
        var limiter = try FilterGraph.make(
            Levelling.limiter(ceiling: ceiling), inputs: [format], output: format)
        var writer = try MixWriter(output, format: format, speech: dub.merged())
        var total: Int64 = 0
        while let block = try decoder.next() {
            var samples = block.samples
            bed.apply(to: &samples, from: block.start, frames: block.frames)
            let spoken = try voice.read(from: block.start, count: block.frames)
            for channel in layout.voice {
                for frame in 0..<block.frames { samples[frame * layout.channels + channel] += spoken[frame] }
            }
            try limiter.push(samples)
            while let limited = try limiter.pull() { try writer.write(limited) }
            total = block.start + Int64(block.frames)
            if placement.duration > 0 {
                progress(Double(total) / Double(format.sampleRate) / placement.duration)
            }
        }
        try limiter.finish()
        while let limited = try limiter.pull() { try writer.write(limited) }
        return try writer.finish(frames: total)
    }

    /// How loud the takes are, one after the other, LUFS.
    private static func loudness(
        of placement: Placement, _ takes: [String], _ cancellation: Cancellation
    ) throws -> Double? {
        let format = AudioFormat(sampleRate: 48_000, layout: "mono")
        var meter = try LoudnessMeter.make(format)
        for (line, take) in zip(placement.lines, takes) where !line.placed.pieces.isEmpty {
            try cancellation.check()
            try meter.add(AudioFile.readAll(take, as: format))
        }
        return try meter.finish().integrated
    }
}
