internal import DubMedia
internal import DubTiming
internal import Foundation

/// Two sounds beside each other in steps of 10 ms, each mixed down to one channel: what of the source is in the dub.
struct SoundComparison: Sendable {
    /// Energies of the source and the dub, and what they share, by step.
    private var source: [Float] = []
    private var dub: [Float] = []
    private var both: [Float] = []
    /// Whether the dub is digital silence, by step.
    private var isDead: [Bool] = []
    /// How long each is, in seconds.
    private(set) var sourceSeconds = 0.0
    private(set) var dubSeconds = 0.0

    private static let format = AudioFormat(sampleRate: 16_000, layout: "mono")
    private static let step = 160
    static let stepSeconds = 0.01
    /// What is fainter is silence: −90 dBFS.
    private static let silence: Float = 3.2e-5
    /// How far around speech its sound may reach, seconds.
    private static let margin = 0.25

    /// Reads both, in constant memory but for the figures.
    static func of(
        source: String, stream: Int?, dub: String, track: Int, cancellation: Cancellation
    ) throws -> SoundComparison {
        var left = Reader(try AudioDecoder.open(source, stream: stream, as: format, cancellation: cancellation))
        var right = Reader(try AudioDecoder.open(dub, stream: track, as: format, cancellation: cancellation))
        var comparison = SoundComparison()
        while true {
            let (a, b) = (try left.take(step), try right.take(step))
            if a.isEmpty, b.isEmpty { break }
            comparison.add(a, b)
            comparison.sourceSeconds += Double(a.count) / Double(format.sampleRate)
            comparison.dubSeconds += Double(b.count) / Double(format.sampleRate)
        }
        return comparison
    }

    private mutating func add(_ left: ArraySlice<Float>, _ right: ArraySlice<Float>) {
        var (xx, yy, xy, peak): (Float, Float, Float, Float) = (0, 0, 0, 0)
        for value in left { xx += value * value }
        for value in right {
            yy += value * value
            peak = max(peak, abs(value))
        }
        for (x, y) in zip(left, right) { xy += x * y }
        source.append(xx)
        dub.append(yy)
        both.append(xy)
        isDead.append(!right.isEmpty && peak < Self.silence)
    }

    /// What was found in some of the steps.
    struct Share: Sendable {
        /// How long they are together, in seconds.
        var seconds: Double
        /// Correlation of both waveforms, −1…1; `nil` where either is silent.
        var correlation: Double?
        /// Level of the source and of the dub, dBFS.
        var sourceLevel: Double
        var dubLevel: Double
    }

    /// Where neither speaks, 0.25 s around speech left out.
    func between(_ sourceSpeech: [Span], _ dubSpeech: [Span]) -> Share {
        let speech = Self.widened(sourceSpeech + dubSpeech)
        let steps = mask(speech)
        return share(source.indices.filter { !steps[$0] })
    }

    /// Where the source speaks.
    func during(_ sourceSpeech: [Span]) -> Share {
        let steps = mask(sourceSpeech.merged())
        return share(source.indices.filter { steps[$0] })
    }

    /// Seconds of digital silence in the dub, in stretches of 50 ms and more, where the source sounds and nobody speaks.
    func dropouts(_ sourceSpeech: [Span]) -> Double {
        let steps = mask(Self.widened(sourceSpeech))
        // −55 dBFS: what is fainter nobody misses.
        let audible = Float(Self.step) * 3.2e-6
        var (lost, run) = (0, 0)
        for index in source.indices {
            if isDead[index], !steps[index], source[index] > audible {
                run += 1
                continue
            }
            lost += run >= 5 ? run : 0
            run = 0
        }
        return Double(lost + (run >= 5 ? run : 0)) * Self.stepSeconds
    }

    private static func widened(_ spans: [Span]) -> [Span] {
        spans.map { Span(start: $0.start - margin, end: $0.end + margin) }.merged()
    }

    private func mask(_ spans: [Span]) -> [Bool] {
        var mask = [Bool](repeating: false, count: source.count)
        for span in spans {
            let low = max(0, Int(span.start / Self.stepSeconds))
            let high = min(mask.count, Int((span.end / Self.stepSeconds).rounded(.up)))
            for index in low..<max(low, high) { mask[index] = true }
        }
        return mask
    }

    private func share(_ steps: [Int]) -> Share {
        var (xx, yy, xy) = (0.0, 0.0, 0.0)
        for index in steps {
            xx += Double(source[index])
            yy += Double(dub[index])
            xy += Double(both[index])
        }
        let count = Double(max(1, steps.count * Self.step))
        func level(_ energy: Double) -> Double { 10 * log10(energy / count + 1e-12) }
        return Share(
            seconds: Double(steps.count) * Self.stepSeconds,
            correlation: xx > 0 && yy > 0 ? xy / (xx * yy).squareRoot() : nil, sourceLevel: level(xx),
            dubLevel: level(yy))
    }

    /// A decoder that is asked for so many samples.
    private struct Reader: ~Copyable {
        private var decoder: AudioDecoder
        private var samples: [Float] = []
        private var at = 0
        private var hasEnded = false

        init(_ decoder: consuming AudioDecoder) { self.decoder = decoder }

        /// The next samples; fewer at the end, none after it.
        mutating func take(_ count: Int) throws -> ArraySlice<Float> {
            while samples.count - at < count, !hasEnded {
                guard let block = try decoder.next() else {
                    hasEnded = true
                    break
                }
                samples = Array(samples[at...]) + block.samples
                at = 0
            }
            let end = min(samples.count, at + count)
            defer { at = end }
            return samples[at..<end]
        }
    }
}
