import DubTestKit
import Foundation
import Testing

@testable import DubReport

/// Pages in a real browser; `scripts/setup browser` installs it.
@Suite(.serialized, .timeLimit(.minutes(5)), .enabled(if: Browser.isHere, "scripts/setup browser was not run"))
struct BrowserTests {
    @Test(
        "light and dark, wide and narrow: no violation of accessibility, nothing on the console, nothing from outside",
        arguments: ["full", "hostile", "large", "dubs", "empty"])
    func pages(kind: String) async throws {
        try await withScratch { scratch in
            let story =
                switch kind {
                case "full", "dubs": Stories.full(name: "talk")
                case "hostile": Stories.full()
                case "large": Stories.full(lines: 5000, name: "a talk with a rather long name")
                default: Stories.story(items: [], nodes: [], seconds: 0, graph: [])
                }
            let page = scratch.appendingPathComponent("\(kind).html")
            try RunPage(story, dubs: kind == "dubs" ? Stories.dubs() : []).html.write(
                to: page, atomically: true, encoding: .utf8)
            var arguments = [page.path]
            if let shots = ProcessInfo.processInfo.environment["DUBMILL_SHOTS"] {
                arguments += ["--shots", "\(shots)/\(kind)"]
            }
            let (status, text) = try await Browser.check(arguments)
            #expect(status == 0, "\(text)")
            #expect(text.components(separatedBy: "rules passed").count == 5, "\(text)")
        }
    }
}

/// `Tests/Browser/check`.
enum Browser {
    private static let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().appendingPathComponent("Browser/check")

    static let isHere: Bool = {
        let environment = ProcessInfo.processInfo.environment
        let data = environment["XDG_DATA_HOME"].flatMap { $0.isEmpty ? nil : $0 } ?? NSHomeDirectory() + "/.local/share"
        return FileManager.default.fileExists(atPath: data + "/dubmill/browser-tests/axe.min.js")
    }()

    static func check(_ arguments: [String]) async throws -> (status: Int32, text: String) {
        let process = Process()
        process.executableURL = script
        process.arguments = arguments
        process.standardInput = FileHandle.nullDevice
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = pipe
        try process.run()
        let data = try pipe.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        return (process.terminationStatus, String(decoding: data, as: UTF8.self))
    }
}
