internal import DubMedia
internal import DubTiming
internal import Foundation

/// The source's sound with its voice taken out, or turned down, where lines are voiced.
struct Bed {
    /// A bed made beforehand, read along with the source.
    struct Made {
        let record: BedRecord
        let queue: SampleQueue
        /// How many channels its file has.
        let width: Int

        /// - Parameter format: the mix's.
        init(_ path: String, _ record: BedRecord, _ format: AudioFormat, _ cancellation: Cancellation) throws {
            self.record = record
            // Two channels of one name: a mono file stands for both.
            let layout =
                record.origin == .supplied ? format.layout : SeparateStage.layout(of: record.channels.count)
            let own = AudioFormat(sampleRate: format.sampleRate, layout: layout)
            width = max(1, own.channels)
            queue = try SampleQueue([path], as: own, cancellation)
        }
    }

    private var gain: BedGain
    private let method: BedMethod
    private let layout: SpeakerLayout
    private let tone: [Float]
    private let toneFrames: Int
    /// What is left of the source under a line where it is turned down, as a factor; by the part that is kept, 0…1.
    private let ducked: [Float]
    private let made: Made?
    private var keep: [Float] = []

    /// - Parameters:
    ///   - duck: by how much the source is turned down under lines where its voice stays, dB.
    ///   - made: the bed, of the methods that have one.
    init(
        _ plan: BedPlan, _ pass: SourcePass.Result, _ layout: SpeakerLayout, sampleRate: Int, duck: Double,
        made: Made? = nil
    ) {
        method = pass.measure.bed
        self.made = made
        // A bed of the source's own is the same sound but for the voice.
        let isAlike = [.duck, .separated, .supplied].contains(method)
        gain = plan.gain(sampleRate: sampleRate, curve: isAlike ? .linear : .equalPower)
        // Even in dB is even to the ear.
        ducked = (0...Self.steps).map { Float(pow(10, -duck * (1 - Double($0) / Double(Self.steps)) / 20)) }
        self.layout = layout
        tone = method == .roomTone ? Self.loop(pass.roomTone, channels: layout.channels, fade: sampleRate / 20) : []
        toneFrames = tone.count / layout.channels
    }

    /// How finely a change of level is drawn: 0.06 dB of 60.
    private static let steps = 1000

    /// Takes the voice out of a block that begins at frame `first`.
    mutating func apply(to samples: inout [Float], from first: Int64, frames: Int) throws {
        if keep.count != frames { keep = [Float](repeating: 1, count: frames) }
        gain.fill(&keep, from: first)
        switch method {
        case .separated, .supplied:
            guard let made else { return }
            let bed = try made.queue.read(frames)
            for (place, channel) in made.record.channels.enumerated() where channel < layout.channels {
                let own = min(place, made.width - 1)
                for frame in 0..<frames where keep[frame] < 1 {
                    let index = frame * layout.channels + channel
                    let under = bed[frame * made.width + own] * made.record.scale
                    samples[index] = keep[frame] * samples[index] + (1 - keep[frame]) * under
                }
            }
        case .centre:
            guard let centre = layout.centre else { return }
            for frame in 0..<frames { samples[frame * layout.channels + centre] *= keep[frame] }
        case .sides:
            for frame in 0..<frames where keep[frame] < 1 {
                let (left, right) = (samples[2 * frame], samples[2 * frame + 1])
                let mid = (left + right) / 2 * keep[frame]
                let side = (left - right) / 2
                samples[2 * frame] = mid + side
                samples[2 * frame + 1] = mid - side
            }
        case .duck:
            for frame in 0..<frames where keep[frame] < 1 {
                let kept = ducked[Int((keep[frame] * Float(Self.steps)).rounded())]
                for channel in 0..<layout.channels { samples[frame * layout.channels + channel] *= kept }
            }
        case .roomTone:
            for frame in 0..<frames where keep[frame] < 1 {
                let kept = keep[frame]
                let fill = toneFrames > 0 ? (1 - kept * kept).squareRoot() : 0
                let at = toneFrames > 0 ? Int((first + Int64(frame)) % Int64(toneFrames)) : 0
                for channel in 0..<layout.channels {
                    let index = frame * layout.channels + channel
                    samples[index] *= kept
                    if fill > 0 { samples[index] += fill * tone[at * layout.channels + channel] }
                }
            }
        }
    }

    /// A stretch whose end fades into its beginning, so that it can be repeated without a seam.
    private static func loop(_ samples: [Float], channels: Int, fade: Int) -> [Float] {
        let frames = samples.count / channels
        guard frames > 3 * fade else { return [] }
        var looped = Array(samples[..<((frames - fade) * channels)])
        for frame in 0..<fade {
            let rise = (Float(frame) / Float(fade)).squareRoot()
            let fall = (1 - Float(frame) / Float(fade)).squareRoot()
            for channel in 0..<channels {
                let tail = samples[(frames - fade + frame) * channels + channel]
                looped[frame * channels + channel] = rise * looped[frame * channels + channel] + fall * tail
            }
        }
        return looped
    }
}
