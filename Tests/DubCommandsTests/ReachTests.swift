import DubCore
import DubTestKit
import DubWatch
import Foundation
import Testing

@testable import DubCommands

@Suite struct Reaches {
    private func with(_ body: (Reach, String) async throws -> Void) async throws {
        try await withScratch { scratch in
            let files = FileManager.default
            let base = scratch.resolvingSymlinksInPath().path
            for folder in ["in/deep", "in2", "made", "private"] {
                try files.createDirectory(atPath: "\(base)/\(folder)", withIntermediateDirectories: true)
            }
            for file in ["in/a.mp4", "in/deep/b.mp4", "in2/c.mp4", "private/key"] {
                try Data("x".utf8).write(to: URL(fileURLWithPath: "\(base)/\(file)"))
            }
            try files.createSymbolicLink(atPath: "\(base)/in/out.mp4", withDestinationPath: "../private/key")
            try files.createSymbolicLink(atPath: "\(base)/in/same.mp4", withDestinationPath: "a.mp4")
            try files.createSymbolicLink(atPath: "\(base)/made/leak", withDestinationPath: "../private")
            var entry = ServiceEntry()
            entry.roots = ["\(base)/in", "\(base)/in2"]
            entry.out = "\(base)/made"
            entry.pipelines = []
            try await body(try Reach(entry, home: Home(environment: [:])), base)
        }
    }

    @Test("sources lie below a root, links resolved")
    func sources() async throws {
        try await with { reach, base in
            let found = try ["a.mp4", "deep/../a.mp4", "same.mp4", "\(base)/in2/c.mp4"].map { try reach.source($0) }
            #expect(found == ["a.mp4", "a.mp4", "a.mp4"].map { "\(base)/in/\($0)" } + ["\(base)/in2/c.mp4"])
            for path in [
                "../private/key", "out.mp4", "\(base)/private/key", "/etc/passwd", "\(base)/in3/x", "../in2x/c.mp4",
                "http://x/a.mp4", "file:///etc/passwd",
            ] {
                let error = #expect(throws: DubError.self, "\(path)") { try reach.source(path) }
                #expect(error?.code.name == "source.refused", "\(path)")
            }
            for path in ["none.mp4", "deep", "."] {
                let error = #expect(throws: DubError.self, "\(path)") { try reach.source(path) }
                #expect(error?.code == .inputMissing, "\(path)")
            }
        }
    }

    @Test("outputs lie below one folder, links resolved as far as they are there")
    func outputs() async throws {
        try await with { reach, base in
            let found = try [nil, "season1/new", "\(base)/made/x"].map { try reach.output($0) }
            #expect(found == ["", "/season1/new", "/x"].map { "\(base)/made\($0)" })
            for path in [
                "../private", "a/../../private", "/tmp", "leak", "leak/new/deep", "\(base)/madex", "s3://b/k", ".",
            ] {
                #expect(throws: DubError.self, "\(path)") { try reach.output(path) }
            }
        }
    }

    @Test("a parameter that could be a path has to be one that may be read")
    func parameters() async throws {
        try await with { reach, base in
            let found = try reach.parameters(["bed": "deep/b.mp4", "x": "track:2", "y": 3, "z": "auto"])
            #expect(found == ["bed": .string("\(base)/in/deep/b.mp4"), "x": "track:2", "y": 3, "z": "auto"])
            for value in ["/etc/passwd", "../private/key", "concat:a|b", "http://x/y", "file:key"] {
                #expect(throws: DubError.self, "\(value)") { try reach.parameters(["bed": .string(value)]) }
            }
        }
    }
}
