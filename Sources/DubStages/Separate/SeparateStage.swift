internal import DubCore
internal import DubGraph
internal import DubMedia
internal import DubRunner
internal import DubWorkers
internal import Foundation

/// Makes the bed: what the source sounds like without its speech.
///
/// A model finds the speech, and what is left of the source is the bed: `bed = source − speech`, sample by sample, at
/// 48 kHz and the full band. Where a layout has a centre, the dialogue is there, and it alone is treated; else each
/// channel by itself. Music and effects that the user supplies, or that the source has as a track, take its place.
struct SeparateStage: Stage {
    let engines: Engines
    let signature = StageSignature(
        name: "separate", version: 2, inputs: [.one("media"), .one("info")], outputs: [.one("bed"), .one("record")],
        parameters: ["bed": "auto", "model": "auto"], resource: .worker)

    /// How much goes to the model at once, in seconds: pieces run side by side.
    private static let piece = 60.0
    /// A bed is written at half its level.
    private static let level: Float = 0.5

    func models(for inputs: StageInputs, in store: any Store) throws -> [ModelIdentity] {
        let choice = try BedChoice(inputs.parameters["bed"]?.string ?? "")
        // A file of the user's is no artifact: its bytes enter the key here.
        if case .file(let path) = choice {
            return [ModelIdentity(name: path, digest: try Digest.of(fileAt: path).hex)]
        }
        guard let info = inputs.artifact("info"),
            try choice.track(in: store.read(MediaInfo.self, from: info)) == nil
        else { return [] }
        return [try engine(inputs).identity]
    }

    private func engine(_ inputs: StageInputs) throws(DubError) -> Engines.Engine {
        try engines.candidates(
            for: .separate, wanted: inputs.parameters["model"]?.string ?? "auto", purpose: "separate speech")[0]
    }

    func run(_ inputs: StageInputs, in context: StageContext) async throws -> [String: StageValue] {
        let path = context.path(of: try context.artifact("media", of: inputs))
        let info = try context.read(MediaInfo.self, "info", of: inputs)
        let choice = try BedChoice(inputs.parameters["bed"]?.string ?? "")
        let output = "\(try context.scratch)/bed.flac"
        var format = MixStage.format(of: info)
        format.sampleRate = Separation.sampleRate
        let record: BedRecord
        if case .file(let file) = choice {
            record = try await supplied(file, stream: nil, format, to: output, context)
        } else if let track = try choice.track(in: info) {
            record = try await supplied(path, stream: track, format, to: output, context)
        } else {
            record = try await separated(
                path, stream: info.dialogueStream?.index, format, by: engine(inputs), to: output, context)
        }
        return [
            "bed": .one(try context.store.adopt(fileAt: output, type: "flac")),
            "record": .one(try context.store.put(json: record)),
        ]
    }

    // MARK: - Supplied

    private func supplied(
        _ path: String, stream: Int?, _ format: AudioFormat, to output: String, _ context: StageContext
    ) async throws -> BedRecord {
        try await MediaThread.run { cancellation in
            var decoder = try AudioDecoder.open(path, stream: stream, as: format, cancellation: cancellation)
            var encoder = try AudioEncoder.create(output, codec: .flac, format: format)
            while let block = try decoder.next() {
                try encoder.write(block.samples.map { $0 * Self.level })
                if let total = decoder.durationFrames, total > 0 {
                    context.progress(Double(block.start) / Double(total))
                }
            }
            try encoder.finish()
        }
        return BedRecord(origin: .supplied, channels: Array(0..<format.channels))
    }

    // MARK: - Separated

    private func separated(
        _ path: String, stream: Int?, _ format: AudioFormat, by engine: Engines.Engine, to output: String,
        _ context: StageContext
    ) async throws -> BedRecord {
        let folder = try context.scratch
        let layout = SpeakerLayout(format.layout, channels: format.channels)
        let wanted = layout.centre.map { [$0] } ?? Array(0..<format.channels)
        let taken = try await MediaThread.run { cancellation in
            try ChannelFiles.write(path, stream: stream, format, channels: wanted, to: folder, cancellation) {
                context.progress($0 * 0.1)
            }
        }
        let pieces = try await speech(of: taken, by: engine, folder, context)
        try await MediaThread.run { cancellation in
            try Self.subtract(pieces, from: taken, to: output, cancellation)
        }
        // Left and right that are the same have one bed between them.
        let channels = taken.files.count < wanted.count ? Array(wanted.prefix(2)) : wanted
        return BedRecord(origin: .separated, channels: channels, model: engine.name)
    }

    /// The speech of each channel, in files that follow one another.
    private func speech(
        of taken: ChannelFiles, by engine: Engines.Engine, _ folder: String, _ context: StageContext
    ) async throws -> [[String]] {
        let rate = Double(Separation.sampleRate)
        let count = max(1, Int((Double(taken.frames) / rate / Self.piece).rounded(.up)))
        let separation = Separation(batcher: engines.batcher, model: engine.name)
        let names = taken.files.indices.map { channel in (0..<count).map { "\(folder)/speech-\(channel)-\($0).wav" } }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (channel, file) in taken.files.enumerated() {
                for index in 0..<count {
                    let request = Separation.Request(
                        path: file, start: Double(index) * Self.piece,
                        end: min(Double(index + 1) * Self.piece, Double(taken.frames) / rate),
                        outputPath: names[channel][index])
                    group.addTask { _ = try await separation.speech(request) }
                }
            }
            var done = 0
            while try await group.next() != nil {
                done += 1
                context.progress(0.1 + 0.8 * Double(done) / Double(count * taken.files.count))
            }
        }
        return names
    }

    /// Writes what is left of the channels without their speech.
    private static func subtract(
        _ speech: [[String]], from taken: ChannelFiles, to output: String, _ cancellation: Cancellation
    ) throws {
        let mono = AudioFormat(sampleRate: Separation.sampleRate)
        let width = taken.files.count
        let sources = try taken.files.map { try SampleQueue([$0], as: mono, cancellation) }
        let voices = try speech.map { try SampleQueue($0, as: mono, cancellation) }
        var encoder = try AudioEncoder.create(
            output, codec: .flac, format: AudioFormat(sampleRate: mono.sampleRate, layout: Self.layout(of: width)))
        let level = Self.level / taken.gain
        let step = 16_384
        var at: Int64 = 0
        while at < taken.frames {
            let frames = Int(min(Int64(step), taken.frames - at))
            var block = [Float](repeating: 0, count: frames * width)
            for channel in 0..<width {
                let source = try sources[channel].read(frames)
                let voice = try voices[channel].read(frames)
                for frame in 0..<frames { block[frame * width + channel] = (source[frame] - voice[frame]) * level }
            }
            try encoder.write(block)
            at += Int64(frames)
        }
        try encoder.finish()
    }

    /// A layout with as many channels as the bed has; where they lie, its record tells.
    static func layout(of channels: Int) -> String { channels == 1 ? "mono" : "stereo" }
}
