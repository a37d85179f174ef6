internal import DubCore
internal import DubMedia
internal import DubRunner
internal import DubTiming
internal import Foundation

/// What the dub is laid from: the source, its bed, the takes in their places.
struct MixLayer: Sendable {
    /// The source's path.
    var source: String
    /// Its dialogue stream.
    var stream: Int?
    /// Of the source's decoded sound, and of the dub.
    var format: AudioFormat
    /// What the dub will be encoded in, as far as the source tells.
    var codec: AudioCodec
    /// The source's bit rate, which the dub's encoder is asked for.
    var bitRate: Int64?
    var placement: Placement
    /// The takes' paths.
    var takes: [String]
    var pass: SourcePass.Result
    /// By how much the source is turned down under lines, dB; `nil` where its voice is taken out.
    var duck: Double?
    /// The bed's path and what it holds; `nil` where simple means have to do.
    var bed: (path: String, record: BedRecord)?

    var layout: SpeakerLayout { SpeakerLayout(format.layout, channels: format.channels) }

    /// A bed of its own costs nothing where nobody speaks, so it begins early and ends late: words' soft edges, which
    /// detection misses under music, go with them.
    private static var overBed: BedPlan.Rules {
        var rules = BedPlan.Rules()
        rules.guardBand = 0.2
        rules.minKeep = 0.5
        rules.fade = 0.05
        return rules
    }

    /// Which parts of the dub are wanted.
    enum Part { case all, dialogue, background }

    /// Goes through the dub block by block, before any limiter.
    ///
    /// - Parameters:
    ///   - gain: added to the takes, dB.
    ///   - part: `dialogue` and `background` add up to `all`.
    ///   - write: is given the samples of a block, `[frame][channel]`.
    /// - Returns: how many frames there were.
    func lay(
        gain: Double, _ part: Part, _ cancellation: Cancellation, progress: (Double) -> Void,
        write: ([Float]) throws -> Void
    ) throws -> Int64 {
        let layout = layout
        // A voice in two channels is 3 dB louder than in one.
        let perChannel = gain - 10 * log10(Double(layout.voice.count))
        var voice = VoiceTrack(
            placement, takes: takes, sampleRate: format.sampleRate, gain: Float(pow(10, perChannel / 20)))
        let dub = placement.lines.compactMap(\.placed.span)
        let plan =
            duck == nil
            ? BedPlan.make(
                sourceSpeech: placement.sourceSpeech, dub: dub, duration: placement.duration,
                rules: bed == nil ? .init() : Self.overBed)
            : BedPlan.make(sourceSpeech: dub, duration: placement.duration, rules: .ducking)
        let made = try bed.map { try Bed.Made($0.path, $0.record, format, cancellation) }
        var bed = Bed(plan, pass, layout, sampleRate: format.sampleRate, duck: duck ?? 0, made: made)
        var decoder = try AudioDecoder.open(source, stream: stream, as: format, cancellation: cancellation)
        var total: Int64 = 0
        while let block = try decoder.next() {
            var samples = block.samples
            if part == .dialogue {
                samples = [Float](repeating: 0, count: samples.count)
            } else {
                try bed.apply(to: &samples, from: block.start, frames: block.frames)
            }
            if part != .background {
                let spoken = try voice.read(from: block.start, count: block.frames)
                for channel in layout.voice {
                    for frame in 0..<block.frames { samples[frame * layout.channels + channel] += spoken[frame] }
                }
            }
            try write(samples)
            total = block.start + Int64(block.frames)
            if placement.duration > 0 {
                progress(Double(total) / Double(format.sampleRate) / placement.duration)
            }
        }
        return total
    }
}
