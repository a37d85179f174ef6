internal import DubCore
internal import Foundation

/// Small audio files for a worker to read, and what there is to see of those that it writes.
enum ConformanceSounds {
    /// A tone at 440 Hz with a pause in its middle, a third of full scale.
    static func tone(seconds: Double, rate: Int) -> [Float] {
        (0..<Int(seconds * Double(rate))).map { frame in
            let time = Double(frame) / Double(rate)
            let isPause = abs(time - seconds / 2) < 0.1
            return isPause ? 0 : Float(0.3 * sin(2 * .pi * 440 * time))
        }
    }

    /// A WAV file, mono, 16 bits.
    static func wav(_ samples: [Float], rate: Int) -> Data {
        var data = Data("RIFF".utf8)
        append(UInt32(36 + samples.count * 2), to: &data)
        data += Data("WAVEfmt ".utf8)
        append(UInt32(16), to: &data)
        append(UInt16(1), to: &data)
        append(UInt16(1), to: &data)
        append(UInt32(rate), to: &data)
        append(UInt32(rate * 2), to: &data)
        append(UInt16(2), to: &data)
        append(UInt16(16), to: &data)
        data += Data("data".utf8)
        append(UInt32(samples.count * 2), to: &data)
        for sample in samples {
            append(UInt16(bitPattern: Int16(max(-1, min(1, sample)) * 32_767)), to: &data)
        }
        return data
    }

    /// A CAF file, mono, 32-bit floats in the order of little-endian machines: what dubmill sends to be separated.
    ///
    /// Source: Apple Core Audio Format Specification 1.0.
    static func caf(_ samples: [Float], rate: Int) -> Data {
        var data = Data("caff".utf8)
        append(UInt16(1).bigEndian, to: &data)
        append(UInt16(0), to: &data)
        data += Data("desc".utf8)
        append(UInt64(32).bigEndian, to: &data)
        append(Double(rate).bitPattern.bigEndian, to: &data)
        data += Data("lpcm".utf8)
        for value: UInt32 in [3, 4, 1, 1, 32] { append(value.bigEndian, to: &data) }
        data += Data("data".utf8)
        append(UInt64(4 + samples.count * 4).bigEndian, to: &data)
        append(UInt32(0), to: &data)
        for sample in samples { append(sample.bitPattern, to: &data) }
        return data
    }

    private static func append(_ value: some FixedWidthInteger, to data: inout Data) {
        withUnsafeBytes(of: value) { data.append(contentsOf: $0) }
    }

    /// What the head of a WAV file says, and its samples.
    struct Wave {
        var channels: Int
        var rate: Int
        var bits: Int
        var isFloat: Bool
        var data: Data

        var frames: Int { data.count / max(1, channels * bits / 8) }

        /// - Throws: `Complaint` for what is no WAV file.
        init(reading file: Data) throws(Complaint) {
            func number(_ start: Int, _ count: Int) -> Int {
                file.dropFirst(start).prefix(count).reversed().reduce(0) { $0 << 8 | Int($1) }
            }
            func name(_ start: Int) -> String { String(decoding: file.dropFirst(start).prefix(4), as: UTF8.self) }
            try demand(file.count > 44 && name(0) == "RIFF" && name(8) == "WAVE", "What was written is no WAV file.")
            var (channels, rate, bits, isFloat) = (0, 0, 0, false)
            var place = 12
            while place + 8 <= file.count {
                let size = number(place + 4, 4)
                if name(place) == "fmt " {
                    let format = number(place + 8, 2)
                    // WAVE_FORMAT_EXTENSIBLE has the format at the start of a GUID.
                    isFloat = format == 3 || format == 0xFFFE && number(place + 32, 2) == 3
                    (channels, rate, bits) = (number(place + 10, 2), number(place + 12, 4), number(place + 22, 2))
                } else if name(place) == "data" {
                    (self.channels, self.rate, self.bits, self.isFloat) = (channels, rate, bits, isFloat)
                    data = Data(file.dropFirst(place + 8).prefix(size))
                    return
                }
                place += 8 + size + size % 2
            }
            throw Complaint(text: "The WAV file that was written holds no samples.")
        }

        /// The samples of a mono file of 16 bits, at another rate: good enough to be recognised.
        func samples(at wanted: Int) -> [Float] {
            let own = stride(from: data.startIndex, to: data.endIndex - 1, by: 2).map { place in
                Float(Int16(bitPattern: UInt16(data[place]) | UInt16(data[place + 1]) << 8)) / 32_768
            }
            guard rate != wanted, own.count > 1 else { return own }
            return (0..<own.count * wanted / rate).map { frame in
                let position = Double(frame) * Double(rate) / Double(wanted)
                let first = min(own.count - 2, Int(position))
                let share = Float(position - Double(first))
                return own[first] * (1 - share) + own[first + 1] * share
            }
        }
    }
}
