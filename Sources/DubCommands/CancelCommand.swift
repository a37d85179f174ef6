internal import ArgumentParser
internal import DubCore
internal import DubLedger
internal import DubRunner
internal import Foundation

/// `dubmill cancel`.
struct CancelCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cancel", abstract: "Ask the process of a run to stop.",
        discussion: """
            It stops as after ^C: nothing is lost, and dubmill retry takes up what is missing. Not an error where the
            run has ended already.
            """)

    @Argument(help: "The run's name, or the beginning of it.") var run: String
    @OptionGroup var place: LedgerPlace

    func run() async throws {
        let ledger = try place.ledger()
        let found = try await ledger.found(run)
        guard try await !ledger.isQueued(found.id) else {
            // Its process is the daemon, which does more than this run.
            throw DubError(
                .inputMissing, "The run is in the queue of a daemon.", at: found.id,
                fix: "Ask the daemon: POST /v1/runs/\(found.id)/cancel (docs/http-api.md).")
        }
        guard found.state == .running else {
            return Console.result("\(found.id) had ended already: \(found.state.rawValue)")
        }
        guard RunProcess(id: found.process).hasOpen(store: try place.folder()) else {
            // Its number may be another's by now.
            return Console.result("\(found.id) had ended already: its process \(found.process) is gone")
        }
        guard kill(found.process, SIGINT) == 0 else {
            throw DubError(
                .inputMissing, "The process cannot be asked: \(String(cString: strerror(errno))).",
                at: "process \(found.process)", fix: "Ask as the user who started it.")
        }
        Console.result("\(found.id): asked process \(found.process) to stop")
    }
}

/// A process as `/proc` tells of it.
struct RunProcess {
    let id: Int32

    /// Whether it is a dubmill that has the ledger of this store open.
    func hasOpen(store: String) -> Bool {
        guard id > 0, let program = link("exe"), let own = Self(id: getpid()).link("exe") else { return false }
        func name(_ path: String) -> String {
            (path.replacing(" (deleted)", with: "") as NSString).lastPathComponent
        }
        guard name(program) == name(own) else { return false }
        let ledger = URL(fileURLWithPath: RunPaths.absolute(store) + "/ledger.sqlite").resolvingSymlinksInPath().path
        let open = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(id)/fd")) ?? []
        return open.contains { link("fd/\($0)") == ledger }
    }

    private func link(_ name: String) -> String? {
        try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(id)/\(name)")
    }
}
