internal import DubMedia
internal import DubRunner
internal import DubTiming
internal import Foundation

/// The takes in their places, made when the mix reaches them and let go behind it, so that memory does not grow.
struct VoiceTrack {
    private struct Piece {
        var take: String
        var placed: PlacedPiece
        var first: Int64
    }

    private let rate: Int
    private let gain: Float
    private let pieces: [Piece]
    private var next = 0
    private var sounding: [(first: Int64, samples: [Float])] = []

    /// - Parameters:
    ///   - takes: the audio of each line of the placement.
    ///   - gain: a linear factor.
    init(_ placement: Placement, takes: [String], sampleRate: Int, gain: Float) {
        rate = sampleRate
        self.gain = gain
        pieces = zip(placement.lines, takes).flatMap { line, take in
            line.placed.pieces.map {
                Piece(take: take, placed: $0, first: Int64(($0.start * Double(sampleRate)).rounded()))
            }
        }.sorted { $0.first < $1.first }
    }

    /// The voice at `first..<first + count`, mono; blocks have to come in order.
    mutating func read(from first: Int64, count: Int) throws -> [Float] {
        while next < pieces.count, pieces[next].first < first + Int64(count) {
            sounding.append((pieces[next].first, try render(pieces[next])))
            next += 1
        }
        var block = [Float](repeating: 0, count: count)
        for piece in sounding {
            let low = max(first, piece.first)
            let high = min(first + Int64(count), piece.first + Int64(piece.samples.count))
            guard low < high else { continue }
            for sample in low..<high { block[Int(sample - first)] += piece.samples[Int(sample - piece.first)] }
        }
        sounding.removeAll { $0.first + Int64($0.samples.count) <= first + Int64(count) }
        return block
    }

    /// A stretch of a take at its rate, faded over 5 ms at cuts so that no edge clicks.
    private func render(_ piece: Piece) throws -> [Float] {
        let take = try AudioFile.readAll(piece.take, as: AudioFormat(sampleRate: rate, layout: "mono"))
        let low = min(take.count, max(0, Int(piece.placed.takeStart * Double(rate))))
        let high = min(take.count, max(low, Int((piece.placed.takeEnd * Double(rate)).rounded(.up))))
        guard low < high else { return [] }
        var samples = Array(take[low..<high])
        if abs(piece.placed.rate - 1) > 0.005 {
            samples = try TimeStretch.apply(samples, sampleRate: rate, rate: piece.placed.rate)
        }
        let fade = min(rate / 200, samples.count / 2)
        for index in 0..<fade {
            let factor = Float(index) / Float(fade)
            samples[index] *= factor
            samples[samples.count - 1 - index] *= factor
        }
        for index in samples.indices { samples[index] *= gain }
        return samples
    }
}
