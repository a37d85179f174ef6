import DubCore
import DubTestKit
import DubWorkers
import Foundation
import Testing

/// What the conformance suite finds, in workers that do well and in ones that are broken on purpose.
@Suite struct ConformanceTests {
    private func check(_ behaviour: StubWorker.Behaviour) async throws -> [ConformanceCheck] {
        try await withScratch { scratch in
            let stub = try StubWorker(in: scratch.appendingPathComponent("stub"))
            let endpoint = try await stub.worker.endpoint()
            try stub.become(behaviour)
            let suite = ConformanceSuite(
                WorkerEndpoint(endpoint.address, token: behaviour.token.flatMap { WorkerToken($0) }),
                folder: scratch.appendingPathComponent("files"))
            let checks = try await suite.run()
            await stub.worker.shutdown()
            return checks
        }
    }

    private func failed(_ checks: [ConformanceCheck]) -> Set<String> {
        Set(checks.filter { $0.verdict == .fail }.map(\.name))
    }

    @Test("a worker that does as it should passes every check")
    func good() async throws {
        var behaviour = StubWorker.Behaviour()
        behaviour.token = "open-sesame"
        let checks = try await check(behaviour)
        #expect(failed(checks).isEmpty, "\(checks.filter { $0.verdict == .fail })")
        let names = checks.map(\.name)
        #expect(Set(names).count == names.count)
        for task in ["synthesize", "detect_speech", "detect_language", "transcribe", "translate", "embed", "separate"] {
            for part in ["output", "item-errors", "determinism"] {
                #expect(checks.contains { $0.name == "\(task).\(part)" && $0.verdict == .pass }, "\(task).\(part)")
            }
        }
        #expect(checks.contains { $0.name == "token" && $0.verdict == .pass })
        #expect(checks.contains { $0.name == "cancel" && $0.verdict == .pass })
        #expect(checks.count >= 40)
    }

    @Test(
        "a broken worker fails the checks of what is broken, and no others",
        arguments: [
            ("no done", ["stream"]), ("no seconds", ["seconds"]), ("own codes", nil),
            ("random", ["translate.determinism"]), ("all at the end", ["progress", "cancel"]), ("deaf", ["cancel"]),
            ("duplicate ids", ["refuses.duplicate-ids"]), ("any protocol", ["refuses.another-protocol"]),
            ("other ids", nil),
        ] as [(String, Set<String>?)])
    func broken(_ how: String, _ expected: Set<String>?) async throws {
        var behaviour = StubWorker.Behaviour()
        behaviour.breaks = [how]
        let found = failed(try await check(behaviour))
        switch how {
        case "own codes":
            #expect(found.isSuperset(of: ["codes", "translate.item-errors", "item-errors.model-missing"]))
            #expect(found.isDisjoint(with: ["translate.output", "stream", "seconds", "cancel"]))
        case "other ids": #expect(found.isSuperset(of: ["stream", "translate.output", "embed.output"]))
        default: #expect(found == expected)
        }
    }

    @Test("another protocol, a wrong token and a server that fails are told at the first check")
    func wrongDoor() async throws {
        var other = StubWorker.Behaviour()
        other.protocol = 2
        var failing = StubWorker.Behaviour()
        failing.status = 500
        for behaviour in [other, failing] {
            let checks = try await check(behaviour)
            #expect(checks.map(\.name) == ["health"])
            #expect(checks.first?.verdict == .fail)
        }
    }

    @Test("addresses are read, and hold no secrets")
    func addresses() throws {
        #expect(try WorkerEndpoint("https://gpu1:7443/").address == .url("https://gpu1:7443"))
        #expect(try WorkerEndpoint("unix:/run/w.sock").address == .socket("/run/w.sock"))
        #expect(try WorkerEndpoint("/run/w.sock").address == .socket("/run/w.sock"))
        #expect(try WorkerEndpoint("http://gpu1:7443").isInTheClear)
        #expect(try !WorkerEndpoint("http://127.0.0.1:7443").isInTheClear)
        #expect(try !WorkerEndpoint("https://gpu1:7443").isInTheClear)
        for wrong in ["gpu1:7443", "ftp://gpu1", "https://me:secret@gpu1", "https://gpu1/?token=secret", ""] {
            do {
                _ = try WorkerEndpoint(wrong)
                Issue.record("\(wrong) was taken")
            } catch {
                #expect(error.code == .workerAddress)
                #expect(!"\(error)".contains("secret"))
            }
        }
        let token = try #require(WorkerToken("secret"))
        let endpoint = try WorkerEndpoint("https://gpu1:7443", token: token)
        var dumped = ""
        dump(endpoint, to: &dumped)
        #expect(!"\(endpoint) \(token) \(dumped)".contains("secret"))
    }

    @Test("tokens come from a file, by address or for all")
    func tokens() async throws {
        try await withScratch { scratch in
            let file = scratch.appendingPathComponent("tokens").path
            try "# ours\nhttps://gpu1:7443 first\n\nany\n".write(toFile: file, atomically: true, encoding: .utf8)
            let tokens = try WorkerTokens.read(file: file)
            #expect(tokens.token(for: "https://gpu1:7443/") == WorkerToken("first"))
            #expect(tokens.token(for: "https://gpu2:7443") == WorkerToken("any"))
            #expect(
                try WorkerTokens.read(file: nil, environment: ["DUBMILL_WORKER_TOKEN": "x"]).common == WorkerToken("x"))
            try "three words here\n".write(toFile: file, atomically: true, encoding: .utf8)
            #expect(await failure { _ = try WorkerTokens.read(file: file) }?.code == .workerUnauthorised)
            #expect(await failure { _ = try WorkerTokens.read(file: file + "x") }?.code == .inputMissing)
        }
    }
}
