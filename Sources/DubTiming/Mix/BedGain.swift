import Foundation

/// The gain that a `BedPlan` gives to the source's sound, block by block.
///
/// 1 where the source is kept, 0 where it is replaced, with a cross-fade at each edge inside the replaced region. Blocks in
/// order cost nothing to find; any block may be asked for.
public struct BedGain: Sendable {
    /// The shape of a cross-fade.
    public enum Curve: String, Sendable, Codable {
        /// Gains add up to 1: for two sounds that are alike, such as the source and its own bed.
        case linear
        /// Squares add up to 1: for two sounds that have nothing in common.
        case equalPower
    }

    private struct Hole: Sendable {
        var start: Int64
        var end: Int64
        var fadesIn: Bool
        var fadesOut: Bool
    }

    private let holes: [Hole]
    private let ramp: [Float]
    private let curve: Curve
    private var cursor = 0

    init(plan: BedPlan, sampleRate: Int, curve: Curve) {
        precondition(sampleRate > 0, "a sample rate is positive")
        self.curve = curve
        let rate = Double(sampleRate)
        holes = plan.replaced.map { span in
            Hole(
                start: Int64((span.start * rate).rounded()), end: Int64((span.end * rate).rounded()),
                fadesIn: span.start > 0, fadesOut: span.end < plan.duration)
        }
        let count = max(0, Int((plan.fade * rate).rounded()))
        ramp = (0..<count).map { index in
            let kept = 1 - (Double(index) + 0.5) / Double(count)
            return Float(curve == .linear ? kept : sin(kept * .pi / 2))
        }
    }

    /// Fills `gains` with the gain of the source's sound for the samples from `first` on.
    ///
    /// Allocates nothing when `gains` is uniquely referenced. Outside the item the gain is 1.
    public mutating func fill(_ gains: inout [Float], from first: Int64) {
        gains.withUnsafeMutableBufferPointer { fill($0, from: first) }
    }

    /// The gain of what replaces the source, where the source has `gain`.
    public func replacement(for gain: Float) -> Float {
        curve == .linear ? 1 - gain : max(0, 1 - gain * gain).squareRoot()
    }

    /// Fills memory with the gain of the source's sound for the samples from `first` on.
    public mutating func fill(_ gains: UnsafeMutableBufferPointer<Float>, from first: Int64) {
        gains.update(repeating: 1)
        let end = first + Int64(gains.count)
        seek(first)
        var index = cursor
        while index < holes.count, holes[index].start < end {
            let hole = holes[index]
            let low = max(first, hole.start)
            let high = min(end, hole.end)
            for sample in low..<max(low, high) { gains[Int(sample - first)] = gain(in: hole, at: sample) }
            index += 1
        }
    }

    /// To the first hole that ends after `sample`.
    private mutating func seek(_ sample: Int64) {
        if cursor > 0, holes[cursor - 1].end > sample { cursor = 0 }
        if cursor == 0 {
            var (low, high) = (0, holes.count)
            while low < high {
                let middle = (low + high) / 2
                if holes[middle].end > sample { high = middle } else { low = middle + 1 }
            }
            cursor = low
        }
        while cursor < holes.count, holes[cursor].end <= sample { cursor += 1 }
    }

    @inline(__always)
    private func gain(in hole: Hole, at sample: Int64) -> Float {
        var gain: Float = 0
        let after = Int(sample - hole.start)
        if hole.fadesIn, after < ramp.count { gain = ramp[after] }
        let before = Int(hole.end - 1 - sample)
        if hole.fadesOut, before < ramp.count { gain = max(gain, ramp[before]) }
        return gain
    }
}
