internal import ArgumentParser
internal import DubCore
internal import DubRunner
internal import DubTiming
internal import Foundation

/// `dubmill bench fit`: how long the fit takes, or what it makes of lines in a file.
struct BenchFit: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "fit")

    /// How many lines of a made-up dialogue are placed.
    @Option var lines = 10_000
    /// How often; the median is told.
    @Option var runs = 5
    /// Lines to be placed instead: an array of `{duration, lines}`. Their placements are printed.
    @Option var cases: String?
    /// Other weights than the usual ones, as JSON.
    @Option var weights: String?

    private struct Case: Decodable {
        var duration: Double
        var lines: [FitLine]
    }

    private struct Result: Encodable {
        var lines: Int
        var voiced: Int
        var milliseconds: Double
    }

    func run() async throws {
        let weights = try self.weights.map { try JSONDecoder().decode(FitWeights.self, from: Data($0.utf8)) }
        let fit = Fit(weights: weights ?? FitWeights())
        if let cases {
            let data = try Data(contentsOf: URL(filePath: RunPaths.absolute(cases)))
            let placed = try JSONDecoder().decode([Case].self, from: data).map {
                fit.place($0.lines, duration: $0.duration)
            }
            return Console.result(try Console.json(placed))
        }
        let (dialogue, duration) = Self.dialogue(lines)
        let clock = ContinuousClock()
        var voiced = 0
        let times = (0..<max(1, runs)).map { _ in
            clock.measure { voiced = fit.place(dialogue, duration: duration).filter { !$0.pieces.isEmpty }.count }
        }.sorted()
        Console.result(
            try Console.json(
                Result(lines: lines, voiced: voiced, milliseconds: times[times.count / 2].seconds * 1000)))
    }

    /// Lines of 0.5 to 6 s, one pause in each source line and each take, takes of 0.6 to 1.5 times the source's length.
    private static func dialogue(_ count: Int) -> (lines: [FitLine], duration: Double) {
        var state: UInt64 = 1
        func next(_ range: ClosedRange<Double>) -> Double {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return range.lowerBound + Double(state >> 11) / Double(1 << 53) * (range.upperBound - range.lowerBound)
        }
        var at = 0.5
        let lines = (0..<count).map { _ in
            let window = Span(start: at, end: at + next(0.5...6))
            let natural = window.length * next(0.6...1.5)
            at = window.end + next(0.1...1.5)
            func parted(_ span: Span) -> [Span] {
                let middle = span.start + span.length * next(0.3...0.7)
                return [
                    Span(start: span.start, end: middle - 0.1), Span(start: min(span.end, middle + 0.1), end: span.end),
                ]
            }
            return FitLine(
                window: window, speech: window.length > 1 ? parted(window) : [],
                take: Take(duration: natural, speech: natural > 1 ? parted(Span(start: 0, end: natural)) : []))
        }
        return (lines, at + 1)
    }
}
