internal import DubMedia
internal import DubTiming
internal import Foundation

/// The first pass over the source: how loud it speaks, and how its bed can be kept.
enum SourcePass {
    /// Room tone in memory, interleaved, and what was measured.
    struct Result: Sendable {
        var measure: SourceMeasure
        /// A loop of the source's own silence; empty where it has none.
        var roomTone: [Float]
    }

    /// The longest stretch of a pause that becomes room tone, in seconds.
    private static let toneSeconds = 4.0

    static func run(
        _ path: String, stream: Int?, format: AudioFormat, speech: [Span], duration: Double, cancellation: Cancellation
    ) throws -> Result {
        let layout = SpeakerLayout(format.layout, channels: format.channels)
        var decoder = try AudioDecoder.open(path, stream: stream, as: format, cancellation: cancellation)
        var dialogue = try LoudnessMeter.make(format, peaks: false)
        var whole = try LoudnessMeter.make(format, peaks: false)
        let rate = Double(format.sampleRate)
        let pause = longestPause(speech, duration)
        var tone: [Float] = []
        var sides = SideEnergy()
        var index = 0
        while let block = try decoder.next() {
            try whole.add(block.samples)
            let (start, end) = (Double(block.start) / rate, Double(block.start + Int64(block.frames)) / rate)
            while index < speech.count, speech[index].end <= start { index += 1 }
            var at = index
            var spoken: [Range<Int>] = []
            while at < speech.count, speech[at].start < end {
                let low = max(0, Int((speech[at].start - start) * rate))
                let high = min(block.frames, Int((speech[at].end - start) * rate))
                if low < high {
                    spoken.append(low..<high)
                    try dialogue.add(Array(block.samples[low * layout.channels..<high * layout.channels]))
                }
                at += 1
            }
            if layout.channels == 2 { sides.add(block.samples, spoken: spoken, frames: block.frames) }
            if let pause {
                let low = max(0, Int((pause.start - start) * rate))
                let high = min(block.frames, Int((pause.end - start) * rate))
                if low < high { tone += block.samples[low * layout.channels..<high * layout.channels] }
            }
        }
        let bed: BedMethod = layout.centre != nil ? .centre : sides.areUsable ? .sides : .roomTone
        return Result(
            measure: SourceMeasure(
                dialogue: try dialogue.finish().integrated, integrated: try whole.finish().integrated, bed: bed),
            roomTone: tone)
    }

    /// The middle of the longest pause, at most four seconds of it; `nil` where none is longer than 0.3 s.
    private static func longestPause(_ speech: [Span], _ duration: Double) -> Span? {
        let margin = 0.08
        let edges = [0] + speech.map(\.end)
        let starts = speech.map(\.start) + [duration]
        let pauses = zip(edges, starts).map { Span(start: $0 + margin, end: $1 - margin) }
        guard let longest = pauses.max(by: { $0.length < $1.length }), longest.length >= 0.3 else { return nil }
        let half = min(longest.length, toneSeconds) / 2
        return Span(start: longest.middle - half, end: longest.middle + half)
    }
}

/// Whether a stereo picture's sides hold the bed and not the voice.
private struct SideEnergy {
    private var speech = (mid: 0.0, side: 0.0, count: 0)
    private var rest = (side: 0.0, count: 0)

    mutating func add(_ samples: [Float], spoken: [Range<Int>], frames: Int) {
        var next = spoken[...]
        for frame in 0..<frames {
            while let first = next.first, frame >= first.upperBound { next = next.dropFirst() }
            let (left, right) = (Double(samples[2 * frame]), Double(samples[2 * frame + 1]))
            let side = (left - right) / 2
            if let first = next.first, frame >= first.lowerBound {
                let mid = (left + right) / 2
                speech.mid += mid * mid
                speech.side += side * side
                speech.count += 1
            } else {
                rest.side += side * side
                rest.count += 1
            }
        }
    }

    /// The sides sound, they do not rise with the voice by more than 3 dB, and the voice is in the middle.
    var areUsable: Bool {
        guard speech.count > 0, rest.count > 0 else { return false }
        let under = speech.side / Double(speech.count)
        let between = rest.side / Double(rest.count)
        return under > 1e-8 && under < 2 * between && under < speech.mid / Double(speech.count)
    }
}
