import DubCore
import DubTestKit
import Foundation
import Testing

extension EndToEnd {
    /// The pipeline `voiceover`: the original stays under the lines.
    @Suite struct Voiceover {
        /// A track as 16 kHz mono samples.
        private func samples(_ path: String, stream: Int, in folder: URL) async throws -> [Float] {
            let name = "raw-\(UInt32.random(in: .min ... .max)).f32"
            try await Tool.ffmpeg(
                [
                    "-i", "file:" + path, "-map", "0:a:\(stream)", "-ac", "1", "-ar", "\(Clip.rate)", "-f", "f32le",
                    name,
                ], in: folder)
            let data = try Data(contentsOf: folder.appendingPathComponent(name))
            return data.withUnsafeBytes { Array($0.bindMemory(to: Float.self)) }
        }

        /// How loud a pitch is in each tenth of a second of a stretch, in dB.
        private func levels(_ samples: [Float], _ pitch: Double, _ from: Double, _ to: Double) -> [Double] {
            stride(from: from, to: to - 0.1, by: 0.1).map { start in
                var (sine, cosine) = (0.0, 0.0)
                let first = Int(start * Double(Clip.rate))
                for index in first..<min(samples.count, first + Clip.rate / 10) {
                    let phase = 2 * Double.pi * pitch * Double(index) / Double(Clip.rate)
                    // Hann's window keeps the dub's tone, some 50 Hz away, out of it.
                    let weight = pow(sin(.pi * Double(index - first) / Double(Clip.rate / 10)), 2)
                    sine += weight * Double(samples[index]) * sin(phase)
                    cosine += weight * Double(samples[index]) * cos(phase)
                }
                return 10 * log10(sine * sine + cosine * cosine + 1e-12)
            }
        }

        @Test(
            "the original is lowered by so much under each line, is whole before it, and all its streams stay",
            arguments: [15.0, 9.0])
        func ducks(depth: Double) async throws {
            try await withScratch { scratch in
                let mill = try Mill(in: scratch)
                let clip = Clip(seconds: 20)
                let source = try await clip.make(in: scratch)
                let (outcome, report) = try await mill.run(
                    // Two hums at once are no words that the stub worker could know.
                    source, "--pipeline", "voiceover", "--to", "es", "--set", "duck=\(Int(depth))", "--set",
                    "listen=false")
                #expect(outcome.status == 0, "\(outcome.stdout)")
                #expect(
                    try report.item.outputs.map(\.kind).sorted() == [
                        "cast", "script", "subtitles", "subtitles", "verdict", "video",
                    ])
                let result = mill.out + "/clip.es.mp4"
                let before = try await samples(source, stream: 0, in: scratch)
                let after = try await samples(result, stream: 1, in: scratch)
                #expect(abs(before.count - after.count) <= Clip.rate / 20)
                var led = 0
                for hum in clip.hums {
                    let (was, now) = (
                        levels(before, hum.pitch, hum.start + 0.05, hum.end - 0.05),
                        levels(after, hum.pitch, hum.start + 0.05, hum.end - 0.05)
                    )
                    let change = zip(was, now).map { $1 - $0 }
                    // The dub's own tone may lie on the hum's pitch; then nothing can be told.
                    let middle = change[(change.count / 2)..<(change.count * 3 / 4)].sorted()
                    let under = middle[middle.count / 2]
                    #expect(abs(under + depth) <= 1, "\(hum.pitch) Hz: \(under) dB of \(change)")
                    if abs(change[0]) < 0.5, abs(change[1]) < 0.5 { led += 1 }
                }
                #expect(led > clip.hums.count / 2, "the original is heard alone as a line begins, where there is room")
                let verdict = try JSONValue.parse(
                    Data(contentsOf: URL(fileURLWithPath: mill.out + "/clip.es.verdict.json")))
                #expect(verdict["verdict"] == "pass")
                let checks = verdict["checks"]?.array ?? []
                func check(_ name: String) -> JSONValue? { checks.first { $0["name"]?.string == name } }
                #expect(check("picture.identical")?["value"] == 1)
                #expect(check("streams.kept")?["value"] == 1)
                #expect(check("loudness.change")?["limit"] == "within ±1")
                #expect(abs(check("loudness.change")?["value"]?.double ?? 9) <= 1)
            }
        }

        @Test("shares all but fit, mix and what follows with a dub; the dub is the same as ever")
        func shares() async throws {
            try await withScratch { scratch in
                let mill = try Mill(in: scratch)
                let source = try await Clip(seconds: 10).make(in: scratch)
                let (_, dub) = try await mill.run(source, "--to", "es")
                let (_, over) = try await mill.run(source, "--to", "es", "--pipeline", "voiceover")
                #expect(
                    Set(try await mill.status(over.run).ran.keys) == [
                        "fit", "mix", "remux", "recut", "hear", "rate", "inspect",
                    ])
                let (_, again) = try await mill.run(source, "--to", "es")
                #expect(try again.item.nodes.run == 0)
                #expect(try again.item.outputs == dub.item.outputs)
                let wrong = try await mill.dubmill(
                    "run", source, "--to", "es", "--pipeline", "voiceover", "--set", "duck=loud")
                #expect(wrong.status == 64)
            }
        }
    }
}
