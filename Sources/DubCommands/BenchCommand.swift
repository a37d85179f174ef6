internal import ArgumentParser
internal import DubCore
internal import DubMedia
internal import Foundation

/// `dubmill bench`: what `make bench` times against the ffmpeg program. Not for users.
struct BenchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench", abstract: "Run one operation by itself, for measurements.", shouldDisplay: false,
        subcommands: [Decode.self, Remux.self, BenchEngine.self, BenchFit.self, BenchStore.self])

    /// Decodes to what the recognisers take, and throws it away.
    struct Decode: AsyncParsableCommand {
        @Argument var file: String

        private struct Result: Encodable {
            var frames: Int64
            var peak: Float
        }

        func run() async throws {
            let path = RunPaths.absolute(file)
            let result = try await MediaThread.run { cancellation in
                var decoder = try AudioDecoder.open(
                    path, as: AudioFormat(sampleRate: 16_000, layout: "mono"), cancellation: cancellation)
                var result = Result(frames: 0, peak: 0)
                while let block = try decoder.next() {
                    result.frames += Int64(block.frames)
                    result.peak = max(result.peak, block.samples.first ?? 0)
                }
                return result
            }
            Console.result(try Console.json(result))
        }
    }

    /// Copies a file with a dub and subtitles added.
    struct Remux: AsyncParsableCommand {
        @Argument var file: String
        @Option var audio: String
        @Option var out: String

        func run() async throws {
            let cues = (0..<600).map {
                Cue(
                    start: MediaTime(seconds: Double($0)), end: MediaTime(seconds: Double($0) + 0.9),
                    text: "Line \($0)")
            }
            let language = try Language("es")
            let report = try await Remuxer.run(
                RemuxRequest(
                    source: RunPaths.absolute(file),
                    outputStem: (RunPaths.absolute(out) as NSString).deletingPathExtension,
                    audio: [AddedAudio(path: RunPaths.absolute(audio), language: language)],
                    subtitles: [AddedSubtitle(cues: cues, language: language)]))
            Console.result(try Console.json(report))
        }
    }
}
