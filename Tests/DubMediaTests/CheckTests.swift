import DubCore
import DubMedia
import Foundation
import Testing

@Suite("damage", .needsFFmpeg)
struct CheckTests {
    private func clip(_ scratch: Scratch, _ name: String, _ extra: [String] = []) throws -> String {
        try scratch.ffmpeg(
            [
                "-f", "lavfi", "-i", "testsrc2=s=192x128:r=25:d=6", "-f", "lavfi", "-i", "sine=d=6", "-c:v",
                "libx264",
                "-g", "25", "-c:a", "aac",
            ] + extra, to: name)
    }

    @Test("a sound file has no problem", arguments: ["a.mp4", "a.mkv", "a.ts", "a.mov", "a.flv"])
    func sound(name: String) async throws {
        try await withScratch { scratch in
            let path = try clip(scratch, name)
            let problems = try await MediaCheck.check(path)
            #expect(problems == [])
        }
    }

    @Test("a file that is cut off is found out", arguments: ["a.mp4", "a.mkv"])
    func cut(name: String) async throws {
        try await withScratch { scratch in
            let path = try clip(scratch, name, name.hasSuffix("mp4") ? ["-movflags", "+faststart"] : [])
            let data = try Data(contentsOf: URL(fileURLWithPath: path))
            try data.prefix(data.count * 3 / 5).write(to: URL(fileURLWithPath: path))
            let problems = try await MediaCheck.check(path)
            #expect(problems.contains { $0.code == "file.truncated" && $0.severity == .damage })
        }
    }

    @Test("flipped bits and lost packets are found", arguments: ["a.mp4", "a.ts"])
    func flipped(name: String) async throws {
        try await withScratch { scratch in
            let path = try clip(scratch, name, name.hasSuffix("mp4") ? ["-movflags", "+faststart"] : [])
            var data = try Data(contentsOf: URL(fileURLWithPath: path))
            if name.hasSuffix("ts") {
                data.removeSubrange((188 * (data.count / 376))..<(188 * (data.count / 376 + 30)))
            } else {
                for place in stride(from: data.count / 2, to: data.count - 200, by: 211) {
                    data[place] ^= 0x55
                }
            }
            try data.write(to: URL(fileURLWithPath: path))
            let problems = try await MediaCheck.check(path)
            #expect(problems.first?.severity == .damage)
            #expect(!problems.contains { $0.what.contains("0x") })
        }
    }

    @Test(
        "the evaluation set: damage in every broken file, none in the others",
        .enabled(
            if: ProcessInfo.processInfo.environment["DUBMILL_EVALSET"] != nil,
            "DUBMILL_EVALSET names no folder"))
    func evaluationSet() async throws {
        let root = URL(fileURLWithPath: ProcessInfo.processInfo.environment["DUBMILL_EVALSET"] ?? "")
        for folder in ["broken", "en", "dialogue", "noisy", "parallel", "lang", "zoo"] {
            let names = try FileManager.default.contentsOfDirectory(
                atPath: root.appendingPathComponent(folder).path)
            for name in names.sorted() {
                let path = root.appendingPathComponent(folder).appendingPathComponent(name).path
                let problems: [MediaProblem]?
                do { problems = try await MediaCheck.check(path) } catch is DubError { problems = nil }
                if folder == "broken" {
                    #expect(problems?.isEmpty != true, "\(name)")
                } else if name != "ax_sample_ac3.ts" {
                    // That one begins and ends in the middle of an AC-3 frame.
                    #expect(
                        problems?.contains { $0.severity == .damage } == false, "\(name): \(problems ?? [])")
                }
            }
        }
    }
}
