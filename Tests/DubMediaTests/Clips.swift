import DubCore
import DubMedia
import Foundation
import Testing

/// Runs a body with a folder of its own, which goes away afterwards.
func withScratch<Value>(_ body: (Scratch) async throws -> Value) async throws -> Value {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent(
        "dubmedia-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    return try await body(Scratch(folder: folder))
}

/// A folder for one test.
struct Scratch {
    let folder: URL

    func path(_ name: String) -> String { folder.appendingPathComponent(name).path }

    var names: [String] {
        (try? FileManager.default.contentsOfDirectory(atPath: folder.path))?.sorted() ?? []
    }

    /// Makes a file with the ffmpeg program, which is the generator and the referee of these tests.
    @discardableResult
    func ffmpeg(_ arguments: [String], to name: String) throws -> String {
        let output = path(name)
        try Tool.run("ffmpeg", ["-nostdin", "-v", "error", "-y"] + arguments + ["file:" + output])
        return output
    }
}

/// Programs that tests call.
enum Tool {
    static let hasFFmpeg = (try? run("ffmpeg", ["-version"])) != nil

    /// Mounts 64 KiB of memory as a disk; only root may.
    static func mountSmallDisk(_ folder: String) -> Bool {
        guard
            (try? FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true))
                != nil
        else {
            return false
        }
        return (try? run("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", folder])) != nil
    }

    static func unmount(_ folder: String) { _ = try? run("umount", [folder]) }

    struct Failed: Error { var text: String }

    @discardableResult
    static func run(_ name: String, _ arguments: [String]) throws -> String {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = [name] + arguments
        process.standardInput = FileHandle.nullDevice
        let output = Pipe()
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        try process.run()
        let data = try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw Failed(text: "\(name) \(arguments)") }
        return String(decoding: data, as: UTF8.self)
    }
}

extension Trait where Self == ConditionTrait {
    /// Tests that make their clips with the ffmpeg program.
    static var needsFFmpeg: Self { .enabled(if: Tool.hasFFmpeg, "the ffmpeg program is not installed") }
}

/// Signals whose place can be found again.
enum Signal {
    /// Silence with a burst of a decaying 1 kHz tone that begins at `place`.
    static func burst(at place: Int, of count: Int, rate: Int) -> [Float] {
        var samples = [Float](repeating: 0, count: count)
        for index in place..<min(count, place + rate / 50) {
            let time = Double(index - place) / Double(rate)
            samples[index] = Float(0.8 * sin(2 * .pi * 1000 * time + .pi / 2) * exp(-time * 200))
        }
        return samples
    }

    /// Noise with all its weight below 2 kHz, which every codec keeps; the same each time.
    static func noise(_ count: Int, seed: UInt64 = 1) -> [Float] {
        var state = seed &* 0x9E37_79B9_7F4A_7C15 | 1
        var low = 0.0
        return (0..<count).map { _ in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            low += (Double(Int64(bitPattern: state) >> 11) / Double(1 << 52) - low) * 0.2
            return Float(low)
        }
    }

    /// By how many samples `found` is later than `wanted`, by correlation of a middle part.
    static func lag(_ found: [Float], behind wanted: [Float], within reach: Int) -> Int? {
        let count = min(found.count, wanted.count)
        let first = count / 3
        let length = min(count / 3, 8000)
        guard length > 1000, first > reach else { return nil }
        var best = (score: 0.0, lag: 0)
        for lag in -reach...reach {
            var sum = 0.0
            for index in first..<(first + length) {
                sum += Double(wanted[index]) * Double(found[index + lag])
            }
            if sum > best.score { best = (sum, lag) }
        }
        return best.lag
    }

    static func loudest(_ samples: [Float]) -> Int? {
        samples.indices.max { abs(samples[$0]) < abs(samples[$1]) }
    }

    static func sine(_ frequency: Double, peak: Double, seconds: Double, rate: Int, channels: Int = 1)
        -> [Float]
    {
        (0..<Int(seconds * Double(rate))).flatMap { index in
            [Float](
                repeating: Float(peak * sin(2 * .pi * frequency * Double(index) / Double(rate))),
                count: channels)
        }
    }
}

let mono48 = AudioFormat(sampleRate: 48000)
let stereo48 = AudioFormat(sampleRate: 48000, layout: "stereo")

/// The code of the `DubError` that a body throws.
func code(_ body: () async throws -> Void) async -> DubError.Code? {
    do {
        try await body()
        return nil
    } catch {
        return (error as? DubError)?.code
    }
}
