import DubCore
import DubGraph
import DubRunner
import DubStorage
import DubTestKit
import Foundation
import Testing

@testable import DubStages

/// Programs that are on every machine, run by `exec`. One after the other: some look at the clock.
@Suite(.serialized) struct ExecTests {
    private func run(
        _ bench: StageBench, _ command: [JSONValue], out: JSONValue = ["text": "txt"],
        in values: [String: StageValue] = [:], with more: [String: JSONValue] = [:],
        log: @escaping @Sendable (String) -> Void = { _ in }
    ) async throws -> [String: StageValue] {
        let stage = ExecStage()
        let parameters = stage.signature.parameters.merging(["command": .array(command), "out": out]) { $1 }
        return try await stage.run(
            StageInputs(values: values, parameters: parameters.merging(more) { $1 }),
            in: StageContext(store: bench.store, note: log))
    }

    private func shell(_ script: String) -> [JSONValue] { ["/bin/sh", "-c", .string(script)] }

    private func text(_ value: StageValue?, _ bench: StageBench) throws -> String {
        let artifact = try #require(value?.artifacts.first)
        return try String(contentsOfFile: bench.store.path(of: artifact), encoding: .utf8)
    }

    private func put(_ text: String, _ bench: StageBench) throws -> Artifact {
        try bench.store.put(Data(text.utf8), type: "txt")
    }

    @Test("inputs and outputs stand in the command as paths, a list as a word for each file")
    func words() async throws {
        try await withBench { bench in
            let all = try ["one", "two"].map { try put($0, bench) }
            let outputs = try await run(
                bench, ["cp", "{in.first}", "{out.text}"], in: ["first": .one(all[0])])
            #expect(try text(outputs["text"], bench) == "one")
            #expect(outputs["text"]?.artifacts.first?.type == "txt")
            let joined = try await run(
                bench,
                shell(#"out="$1"; shift; cat "$@" > "$out"; echo $# >> "$out""#) + [
                    "sh", "{out.text}", "{in.all}",
                    "{in.absent}", ["/dev/null", "/dev/null"],
                ], in: ["all": .list(all)])
            #expect(try text(joined["text"], bench) == "onetwo4\n")
            let error = await #expect(throws: DubError.self) {
                try await run(bench, ["echo", "files={in.all}"], in: ["all": .list(all)])
            }
            #expect(error?.code.name == "exec.failed")
        }
    }

    @Test("a list is what was written into its folder, by name; other files are not")
    func lists() async throws {
        try await withBench { bench in
            let outputs = try await run(
                bench,
                shell("cd \"$0\"; for n in 3 1 2; do echo $n > $n.png; done; echo x > .4.png; echo x > 5.txt")
                    + ["{out.pictures}"], out: ["pictures": ["png"]])
            let pictures = try #require(outputs["pictures"])
            guard case .list(let artifacts) = pictures else { throw ExecTestError() }
            #expect(try artifacts.map { try text(.one($0), bench) } == ["1\n", "2\n", "3\n"])
            #expect(try await run(bench, ["true"], out: ["none": ["png"]]) == ["none": .list([])])
        }
    }

    @Test("it starts in its scratch folder, with a small environment and nothing on stdin")
    func surroundings() async throws {
        try await withBench { bench in
            setenv("DUBMILL_SECRET_OF_TESTS", "hidden", 1)
            let outputs = try await run(
                bench, shell("{ cat; pwd; env; } > \"$OUT\""), with: ["env": ["OUT": "{out.text}", "NUMBER": 5]])
            let lines = try text(outputs["text"], bench).split(separator: "\n").map(String.init)
            #expect(lines.first?.hasPrefix(bench.store.root + "/scratch/") == true)
            let names = Set(lines.dropFirst().map { String($0.prefix { $0 != "=" }) })
            #expect(
                names.isSubset(of: ["PATH", "HOME", "LANG", "TMPDIR", "OUT", "NUMBER", "PWD", "OLDPWD", "SHLVL", "_"]))
            #expect(lines.contains("NUMBER=5"))
            #expect(lines.contains { $0 == "TMPDIR=" + (lines.first ?? "") })
        }
    }

    @Test("what it says is logged, and stands in the error")
    func failing() async throws {
        try await withBench { bench in
            let lines = Box<[String]>([])
            let error = await #expect(throws: DubError.self) {
                try await run(bench, shell("echo out; echo worse >&2; exit 7")) { line in
                    lines.update { $0.append(line) }
                }
            }
            #expect(error?.code.name == "exec.failed")
            #expect(error?.persistence == .permanent)
            #expect(error?.what.contains("exit status 7") == true)
            #expect(error?.what.contains("worse") == true)
            #expect(Set(lines.value) == ["out", "worse"])
            let transient = await #expect(throws: DubError.self) {
                try await run(bench, shell("exit 75"), with: ["transient_exits": [75, 3]])
            }
            #expect(transient?.persistence == .transient)
            let killed = await #expect(throws: DubError.self) { try await run(bench, shell("kill -9 $$")) }
            #expect(killed?.what.contains("signal 9") == true)
        }
    }

    @Test(
        "a program that is missing, or is none, is not found",
        arguments: ["no-such-program-here", "/no/such/program", "./relative", "/etc", "/etc/passwd", ""])
    func notFound(program: String) async throws {
        try await withBench { bench in
            let error = await #expect(throws: DubError.self) { try await run(bench, [.string(program)]) }
            #expect(error?.code.name == "exec.not-found", "\(String(describing: error))")
        }
    }

    @Test("what it did not write, or wrote as a link, is missing; another name of a file is copied")
    func missing() async throws {
        try await withBench { bench in
            for script in ["true", "ln -s /etc/passwd text.txt", "mkdir text.txt"] {
                let error = await #expect(throws: DubError.self) { try await run(bench, shell(script)) }
                #expect(error?.code.name == "exec.output-missing", "\(script)")
            }
            let source = bench.path("source.txt")
            try Data("before".utf8).write(to: URL(fileURLWithPath: source))
            let outputs = try await run(bench, ["ln", .string(source), "{out.text}"])
            let handle = try #require(FileHandle(forWritingAtPath: source))
            try handle.write(contentsOf: Data("after!".utf8))
            #expect(try text(outputs["text"], bench) == "before")
        }
    }

    @Test("when it is cancelled, the whole group ends within a second, though it ignores being asked")
    func cancelled() async throws {
        try await withBench { bench in
            let pids = bench.path("pids")
            let task = Task {
                try await run(
                    bench,
                    shell(
                        "trap '' TERM; sh -c 'trap \"\" TERM; echo $$ >> \(pids); while :; do sleep 0.1; done' & "
                            + "echo $$ >> \(pids); while :; do sleep 0.1; done"))
            }
            let started = try await eventually {
                (try? String(contentsOfFile: pids, encoding: .utf8))?.split(separator: "\n").count == 2
            }
            #expect(started)
            let began = ContinuousClock.now
            task.cancel()
            await #expect(throws: CancellationError.self) { try await task.value }
            #expect(ContinuousClock.now - began < .seconds(1.5))
            for pid in try String(contentsOfFile: pids, encoding: .utf8).split(separator: "\n").compactMap({ Int32($0) }
            ) {
                let isGone = try await eventually { Self.isGone(pid) }
                #expect(isGone)
            }
        }
    }

    /// Whether a process has ended, though nobody may have reaped it yet.
    private static func isGone(_ pid: Int32) -> Bool {
        guard let stat = try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8) else { return true }
        return stat.split(separator: ")").last?.hasPrefix(" Z") == true
    }
}

private struct ExecTestError: Error {}
