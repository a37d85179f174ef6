import Foundation

/// A clip in which somebody hums, each time at another pitch, over faint noise: the stub worker hears words in it.
struct Clip {
    /// How long it is, in seconds.
    var seconds = 38.0
    /// What it is muxed into, by its extension.
    var name = "clip.mp4"
    /// How long nobody hums after the second time: from 4 s on it parts chunks.
    var pause = 0.0
    /// Whether anybody hums.
    var isSilent = false
    /// Options of the ffmpeg program behind the inputs.
    var options: [String] = []

    /// One time of humming.
    struct Hum {
        var start: Double
        var end: Double
        var pitch: Double
    }

    /// All of them: 2 s and more each, pauses of 0.5 s to 0.9 s.
    var hums: [Hum] {
        var hums: [Hum] = []
        var at = 0.6
        while at + 2.4 < seconds, !isSilent {
            let index = hums.count
            let length = 2.1 + 0.05 * Double(index % 3)
            hums.append(Hum(start: at, end: at + length, pitch: 160 + 40 * Double(index)))
            at += length + 0.5 + 0.1 * Double(index * 7 % 5) + (index == 1 ? pause : 0)
        }
        return hums
    }

    static let rate = 16_000

    /// 16 kHz, mono, 16 bit.
    private var samples: [Int16] {
        let count = Int(seconds * Double(Self.rate))
        var state: UInt32 = 1
        var samples = (0..<count).map { _ -> Int16 in
            state = state &* 1_664_525 &+ 1_013_904_223
            // Hiss at −60 dBFS; in a silent clip at −84, which nobody turns up to hear something in it.
            return isSilent ? Int16(state >> 30) - 2 : Int16(state >> 26) - 32
        }
        for hum in hums {
            for index in Int(hum.start * Double(Self.rate))..<Int(hum.end * Double(Self.rate)) {
                let time = Double(index) / Double(Self.rate)
                samples[index] += Int16(8000 * sin(2 * .pi * hum.pitch * time))
            }
        }
        return samples
    }

    private var wav: Data {
        var data = Data()
        func append(_ text: String) { data.append(contentsOf: text.utf8) }
        func append<Number: FixedWidthInteger>(_ number: Number) {
            withUnsafeBytes(of: number.littleEndian) { data.append(contentsOf: $0) }
        }
        let samples = samples
        append("RIFF")
        append(UInt32(36 + 2 * samples.count))
        append("WAVEfmt ")
        append(UInt32(16))
        append(UInt16(1))
        append(UInt16(1))
        append(UInt32(Self.rate))
        append(UInt32(2 * Self.rate))
        append(UInt16(2))
        append(UInt16(16))
        append("data")
        append(UInt32(2 * samples.count))
        samples.withUnsafeBytes { data.append(contentsOf: $0) }
        return data
    }

    /// Makes it in a folder: a moving picture of 64×48, and AAC at 48 kHz unless `options` say otherwise.
    ///
    /// - Returns: its path.
    func make(in folder: URL) async throws -> String {
        let sound = folder.appendingPathComponent("sound-\(UInt32.random(in: .min ... .max)).wav")
        try wav.write(to: sound)
        defer { try? FileManager.default.removeItem(at: sound) }
        let path = folder.appendingPathComponent(name).path
        try await Tool.ffmpeg(
            [
                "-f", "lavfi", "-i", "testsrc=size=64x48:rate=10", "-i", sound.path, "-map", "0:v", "-map", "1:a",
                "-t", "\(seconds)", "-c:v", "mpeg4", "-g", "10", "-c:a", "aac", "-ar", "48000", "-b:a", "96k",
                "-metadata:s:a:0", "language=eng",
            ] + options + ["file:" + path], in: folder)
        return path
    }
}
