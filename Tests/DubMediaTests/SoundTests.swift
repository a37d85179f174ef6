import DubCore
import DubMedia
import Foundation
import Testing

@Suite("sound")
struct SoundTests {
    @Test("resampling keeps the length in proportion", arguments: [8000, 16000, 22050, 44100, 96000])
    func resampledLength(rate: Int) throws {
        let samples = Signal.sine(440, peak: 0.5, seconds: 1, rate: 48000)
        let back = try Resample.apply(samples, from: mono48, to: AudioFormat(sampleRate: rate))
        #expect(back.count == rate)
        let middle = back[(rate / 4)..<(rate / 2)]
        #expect(abs((middle.max() ?? 0) - 0.5) < 0.01)
    }

    @Test("mono to stereo and back is what it was")
    func upAndDown() throws {
        let samples = Signal.noise(4800)
        let stereo = try Resample.apply(samples, from: mono48, to: stereo48)
        #expect(stereo.count == 9600)
        let back = try Resample.apply(stereo, from: stereo48, to: mono48)
        #expect(zip(back, samples).allSatisfy { abs($0 - $1 * back[100] / samples[100]) < 1e-4 })
    }

    @Test("a stretched tone has its length and its pitch", arguments: [0.5, 0.85, 1.0, 1.1, 1.25, 1.9, 3.0])
    func stretch(rate: Double) throws {
        let tone = Signal.sine(220, peak: 0.5, seconds: 2, rate: 16000)
        let stretched = try TimeStretch.apply(tone, sampleRate: 16000, rate: rate)
        #expect(stretched.count == Int((32_000 / rate).rounded()))
        let middle = stretched[(stretched.count / 4)..<(stretched.count * 3 / 4)]
        let crossings = zip(middle, middle.dropFirst()).count { $0 < 0 && $1 >= 0 }
        let frequency = Double(crossings) / (Double(middle.count) / 16000)
        #expect(abs(frequency - 220) < 5, "\(frequency) Hz")
    }

    @Test("nothing stretched is nothing")
    func stretchNothing() throws {
        #expect(try TimeStretch.apply([], sampleRate: 16000, rate: 1.2).isEmpty)
        #expect(try TimeStretch.apply([0.5], sampleRate: 16000, rate: 2).count == 1)
    }

    @Test("a 1 kHz tone of -23 dBFS in both channels is -23 LUFS (EBU Tech 3341, case 1)")
    func loudness() throws {
        var meter = try LoudnessMeter.make(stereo48)
        let peak = pow(10, -23.0 / 20)
        for _ in 0..<5 { try meter.add(Signal.sine(1000, peak: peak, seconds: 4, rate: 48000, channels: 2)) }
        let report = try meter.finish()
        #expect(abs((report.integrated ?? 0) + 23) <= 0.1)
        #expect(abs((report.truePeak ?? 0) + 23) <= 0.2)
        #expect(report.range < 0.5)
        var plain = try LoudnessMeter.make(stereo48, peaks: false)
        for _ in 0..<5 { try plain.add(Signal.sine(1000, peak: peak, seconds: 4, rate: 48000, channels: 2)) }
        let other = try plain.finish()
        #expect(other.integrated == report.integrated)
        #expect(other.truePeak == nil)
    }

    @Test("silence has no loudness")
    func silence() throws {
        var meter = try LoudnessMeter.make(mono48)
        try meter.add([Float](repeating: 0, count: 96000))
        let report = try meter.finish()
        #expect(report.integrated == nil)
        #expect(report.truePeak == nil)
    }

    @Test("a graph of two inputs adds them up")
    func mixes() throws {
        var graph = try FilterGraph.make(
            "[in0][in1]amix=inputs=2:normalize=0:duration=longest[out]", inputs: [mono48, mono48],
            output: mono48)
        var mixed: [Float] = []
        for step in 0..<10 {
            try graph.push([Float](repeating: 0.25, count: 1000), to: 0)
            if step < 6 { try graph.push([Float](repeating: 0.5, count: 1000), to: 1) }
            while let piece = try graph.pull() { mixed += piece }
            if step == 5 { try graph.finish(input: 1) }
        }
        try graph.finish(input: 0)
        while let piece = try graph.pull() { mixed += piece }
        try #require(mixed.count == 10_000)
        #expect(mixed[..<5000].allSatisfy { abs($0 - 0.75) < 1e-6 })
        #expect(mixed[7000...].allSatisfy { abs($0 - 0.25) < 1e-6 })
    }

    @Test(
        "a graph that does not parse is refused",
        arguments: ["nosuchfilter", "volume=loud", "[in0]anull[nowhere]", "amix"])
    func badGraphs(description: String) async {
        let failure = await code {
            var graph = try FilterGraph.make(description, inputs: [mono48], output: mono48)
            try graph.push([0])
        }
        #expect(failure == .mediaFailed)
    }

    @Test("bit rates are never below what speech over music needs", arguments: AudioCodec.allCases)
    func encodes(codec: AudioCodec) async throws {
        try await withScratch { scratch in
            let path = scratch.path("a.mka")
            let layout = codec == .mp3 ? "stereo" : "5.1"
            let format = AudioFormat(sampleRate: 44100, layout: layout)
            let samples = Signal.noise(44100 * format.channels)
            try AudioFile.write(samples, to: path, codec: codec, format: format, bitRate: 1)
            let audio = try #require(try await Media.probe(path).dialogueStream?.audio)
            #expect(audio.channels == format.channels)
            #expect(audio.sampleRate == (codec == .opus ? 48000 : 44100))
        }
    }

    @Test("an output that cannot be written is refused, and leaves nothing")
    func unwritable() async throws {
        try await withScratch { scratch in
            let samples = Signal.noise(4800)
            for path in [
                scratch.path("none/a.wav"), scratch.folder.path, "/proc/a.wav",
                scratch.path(String(repeating: "n", count: 300) + ".wav"),
            ] {
                let failure = await code {
                    try AudioFile.write(samples, to: path, codec: .pcm16, format: mono48)
                }
                #expect(failure == .outputUnwritable, "\(path)")
            }
            let failure = await code {
                try AudioFile.write(samples, to: scratch.path("a.wav"), codec: .opus, format: mono48)
            }
            #expect(failure == .mediaUnsupported)
            #expect(scratch.names.isEmpty)
        }
    }
}
