internal import DubCore
internal import DubGraph
internal import DubMedia
internal import DubRunner
internal import DubTiming
internal import Foundation

/// Lays the takes over the source's bed, as loud as the source spoke or as a profile asks, peaks held.
///
/// Between the lines the source is untouched. Under them the bed is heard: what `separate` made, or where there is none,
/// what simple means leave (the centre is muted; of a stereo picture with the voice in the middle the sides stay; else
/// room tone). Or the source stays, and all of it is turned down under the lines (`bed: duck`). docs/mixing.md tells
/// what that keeps and what it loses.
struct MixStage: Stage {
    let signature = StageSignature(
        name: "mix", version: 4,
        inputs: [
            .one("media"), .one("info"), .one("placement"), .list("takes"), .optional("bed"), .optional("record"),
        ],
        outputs: [.one("audio"), .one("report")],
        parameters: ["bed": "replace", "duck": 15, "profile": "source"])

    /// Sample peaks are held here, in dBFS, so that −1 dBTP holds after a lossy codec.
    private static let ceiling = -2.5
    /// By how much at most the voice is turned down for what lies under it, dB: beyond that the bed is the louder one, and
    /// the voice would sink in it while the sum still measures too loud.
    private static let yield = 4.0
    /// Gains of the voice are multiples of this, dB, and those of a profile of `levelStep`: a line that is voiced anew
    /// changes how loud all takes are by a trifle, and is not to change the samples of every other line.
    private static let voiceStep = 0.5
    private static let levelStep = 0.1
    /// So much under a profile's ceiling true peaks are held, dB: lossy codecs move them.
    private static let codecMargin = 1.2
    /// How often a mix is made for a profile, where two gains have to settle.
    private static let attempts = 5

    func run(_ inputs: StageInputs, in context: StageContext) async throws -> [String: StageValue] {
        let profile = try LoudnessProfile.ofDub(inputs.parameters["profile"]?.string ?? "")
        let placement = try context.read(Placement.self, "placement", of: inputs)
        let takes = inputs.list("takes").map { context.path(of: $0) }
        async let measured = MediaThread.run { try Self.loudness(of: placement, takes, $0) }
        let layer = try await Self.layer(inputs, in: context)
        let natural = try await measured
        let output = try "\(context.scratch)/dub.flac"
        let report = try await MediaThread.run { cancellation in
            try Self.mix(layer, natural: natural, profile, to: output, cancellation) { context.progress($0) }
        }
        return [
            "audio": .one(try context.store.adopt(fileAt: output, type: "flac")),
            "report": .one(try context.store.put(json: report)),
        ]
    }

    /// What a mix is laid from, the source's measures taken.
    static func layer(_ inputs: StageInputs, in context: StageContext) async throws -> MixLayer {
        let path = context.path(of: try context.artifact("media", of: inputs))
        let info = try context.read(MediaInfo.self, "info", of: inputs)
        let placement = try context.read(Placement.self, "placement", of: inputs)
        let duck = try duck(inputs.parameters)
        let format = format(of: info)
        var pass = try await MediaThread.run { cancellation in
            try SourcePass.run(
                path, stream: info.dialogueStream?.index, format: format, speech: placement.sourceSpeech,
                duration: placement.duration, cancellation: cancellation)
        }
        var bed: (path: String, record: BedRecord)?
        if duck != nil {
            pass.measure.bed = .duck
        } else if let artifact = inputs.artifact("bed"), inputs.artifact("record") != nil {
            let record = try context.read(BedRecord.self, "record", of: inputs)
            bed = (context.path(of: artifact), record)
            pass.measure.bed = record.origin == .supplied ? .supplied : .separated
        }
        let dialogue = info.dialogueStream
        let codec = dialogue.flatMap { AudioCodec(like: $0.codec, bitsPerSample: $0.audio?.bitsPerSample) }
        return MixLayer(
            source: path, stream: dialogue?.index, format: format, codec: codec ?? .aac,
            bitRate: dialogue?.audio?.bitRate, placement: placement,
            takes: inputs.list("takes").map { context.path(of: $0) }, pass: pass, duck: duck, bed: bed)
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
        _ layer: MixLayer, natural: Double?, _ profile: LoudnessProfile?, to output: String,
        _ cancellation: Cancellation, progress: (Double) -> Void
    ) throws -> MixReport {
        let source = layer.pass.measure
        let start = LoudnessAim.stepped(
            natural.flatMap { natural in source.dialogue.map { $0 - natural } } ?? 0, voiceStep)
        var gain = start
        var level = 0.0
        if let profile, let now = profile.isOfDialogue ? source.dialogue : source.integrated {
            level = LoudnessAim.stepped(profile.target - now, levelStep)
        }
        var ceiling = profile.map { $0.ceiling - codecMargin }
        for attempt in 1... {
            let (whole, dialogue) = try write(
                layer, gain: gain, levelling: ceiling.map { Levelling(gain: level, ceiling: $0) }, to: output,
                cancellation, progress: progress)
            var isDone = true
            func correct(
                _ value: inout Double, _ now: Double?, _ wanted: Double?, least: Double = -.infinity, step: Double
            ) {
                guard let now, let wanted,
                    let better = LoudnessAim.corrected(value, measured: now, wanted: wanted, least: least, step: step)
                else { return }
                (value, isDone) = (better, false)
            }
            if attempt < (profile == nil ? LoudnessAim.attempts : attempts) {
                if let profile {
                    // What the takes lack is measured against what the source would be at this level.
                    let spoken = source.dialogue.map { $0 + level }
                    let now = profile.isOfDialogue ? dialogue.integrated : whole.integrated
                    if !profile.isOfDialogue {
                        correct(&gain, dialogue.integrated, spoken, least: start - yield, step: voiceStep)
                    }
                    correct(&level, now, profile.target, step: levelStep)
                    if isDone, let held = ceiling, let peak = whole.truePeak, peak > profile.ceiling - 3,
                        let coded = try codedPeak(of: output, layer, cancellation),
                        coded > profile.ceiling - 0.2
                    {
                        (ceiling, isDone) = (held - (coded - profile.ceiling + 0.4), false)
                    }
                } else {
                    correct(&gain, dialogue.integrated, source.dialogue, least: start - yield, step: voiceStep)
                }
                if !isDone { continue }
            }
            return MixReport(
                source: source, takes: natural, gain: gain, level: level, profile: profile?.name,
                dialogue: dialogue.integrated, integrated: whole.integrated, truePeak: whole.truePeak)
        }
        preconditionFailure("the last attempt returns")
    }

    /// The true peak of a mix once its codec has had it, dBTP; `nil` of a codec that loses nothing.
    ///
    /// How far a codec moves peaks depends on the sound and on its rate: by 0.2 to 0.8 dB as a rule, but AAC at 97 kbit/s
    /// moved a mix by 2 dB that it left alone at 96 and at 112. So it is that codec at that rate that is tried.
    private static func codedPeak(
        of path: String, _ layer: MixLayer, _ cancellation: Cancellation
    ) throws -> Double? {
        guard !layer.codec.isLossless, layer.codec.isAvailable else { return nil }
        let trial = path + ".mka"
        var decoder = try AudioDecoder.open(path, as: layer.format, cancellation: cancellation)
        var encoder = try AudioEncoder.create(
            trial, codec: layer.codec, format: layer.format, bitRate: layer.bitRate, cancellation: cancellation)
        while let block = try decoder.next() { try encoder.write(block.samples) }
        try encoder.finish()
        return try LoudnessMeter.measure(trial, cancellation: cancellation).truePeak
    }

    /// One pass: the bed, the voice at a gain, peaks held.
    ///
    /// - Parameter levelling: of the whole, for a profile; `nil` holds sample peaks alone.
    private static func write(
        _ layer: MixLayer, gain: Double, levelling: Levelling?, to output: String, _ cancellation: Cancellation,
        progress: (Double) -> Void
    ) throws -> (whole: LoudnessReport, dialogue: LoudnessReport) {
        // A centre that has a bed of its own is all that is changed of the source: the rest is not even limited.
        let treated = layer.bed?.record.channels ?? []
        let only = levelling == nil && treated.count == 1 && layer.format.channels > 2 ? treated.first : nil
        let chain = levelling?.chain(rate: layer.format.sampleRate) ?? Levelling.limiter(ceiling: ceiling)
        return try Relay.run { (next: () throws -> [Float]?) in
            var writer = try MixWriter(
                output, format: layer.format, speech: layer.placement.lines.compactMap(\.placed.span).merged())
            while let samples = try next() { try writer.write(samples) }
            return try writer.finish()
        } make: { give in
            var held = try PeakHold.make(chain, layer.format, only: only)
            var written: Int64 = 0
            func pass(_ samples: [Float]) throws {
                written += Int64(samples.count / layer.format.channels)
                try give(samples)
            }
            let total = try layer.lay(gain: gain, .all, cancellation, progress: progress) { samples in
                try held.push(samples)
                while let samples = try held.pull() { try pass(samples) }
            }
            try held.finish()
            while let samples = try held.pull() { try pass(samples) }
            // The limiter may end short.
            if written < total { try give([Float](repeating: 0, count: Int(total - written) * layer.format.channels)) }
        }
    }

    /// How loud the takes are, one after the other, LUFS.
    private static func loudness(
        of placement: Placement, _ takes: [String], _ cancellation: Cancellation
    ) throws -> Double? {
        let format = AudioFormat(sampleRate: 48_000, layout: "mono")
        var meter = try LoudnessMeter.make(format, peaks: false)
        for (line, take) in zip(placement.lines, takes) where !line.placed.pieces.isEmpty {
            try cancellation.check()
            try meter.add(AudioFile.readAll(take, as: format))
        }
        return try meter.finish().integrated
    }
}
