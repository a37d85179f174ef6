internal import ArgumentParser
internal import DubCore
internal import DubWorkers
internal import Foundation

/// `dubmill worker`.
struct WorkerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "worker", abstract: "Check a worker, or serve one to other machines.",
        discussion: """
            dubmill worker check --local
            dubmill worker check https://gpu1:7443 --token-file token
            dubmill worker serve --listen 0.0.0.0:7443 --token-file token
            """,
        subcommands: [Check.self, Serve.self])

    /// `worker check`.
    struct Check: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Hold a worker to the protocol: requests, refusals, every task that it offers, cancelling.",
            discussion: """
                Media travel by path: a worker on another machine has to see the folder of --folder under the
                same path. Exit: 0 where it does as docs/worker-protocol.md says, 1 where it does not.
                """)

        @Argument(help: "Where the worker answers: http://HOST:PORT, https://HOST:PORT or a Unix socket's path.")
        var endpoint: String?
        @Flag(help: "Start the worker of this machine, and check that.") var local = false
        @Option(help: "A file with the worker's token.", completion: .file()) var tokenFile: String?
        @Option(help: "Certificates (PEM) that the worker's has to come from.", completion: .file()) var authorities:
            String?
        @Option(help: "A folder that the worker sees too, for small audio files.", completion: .directory)
        var folder: String?
        @Flag(help: "Ask every installed model, not the first of each task alone.") var everyModel = false
        @Option(help: "How results are printed: table or json.") var format = OutputFormat.table

        private struct Report: Encodable {
            var worker: String
            var conforms: Bool
            var checks: [ConformanceCheck]
        }

        func validate() throws {
            guard local != (endpoint != nil) else {
                throw ValidationError("Give the address of a worker, or --local.")
            }
        }

        func run() async throws {
            let worker = local ? LocalWorker(home: try WorkerHome.find()) : nil
            do {
                let passed = try await check(worker)
                await worker?.shutdown()
                if !passed { throw ExitCode(Exit.failed) }
            } catch {
                await worker?.shutdown()
                throw error
            }
        }

        private func check(_ worker: LocalWorker?) async throws -> Bool {
            let endpoint: WorkerEndpoint
            if let worker {
                endpoint = try await worker.endpoint()
            } else {
                endpoint = try WorkerEndpoint(
                    self.endpoint ?? "", token: try WorkerTokens.read(file: tokenFile.map(RunPaths.absolute)).common,
                    authorities: authorities.map(RunPaths.absolute))
            }
            if endpoint.isInTheClear { Console.note("Texts and token travel unencrypted to \(endpoint).") }
            let place =
                folder.map { URL(fileURLWithPath: RunPaths.absolute($0)) } ?? FileManager.default.temporaryDirectory
            let files = place.appendingPathComponent("dubmill-check-\(UInt32.random(in: .min ... .max))")
            defer { try? FileManager.default.removeItem(at: files) }
            let isTable = format == .table
            let checks = try await ConformanceSuite(endpoint, folder: files, everyModel: everyModel).run { check in
                if isTable { Console.result(Self.line(check)) }
            }
            let failed = checks.filter { $0.verdict == .fail }.count
            switch format {
            case .json:
                Console.result(
                    try Console.json(
                        Report(worker: local ? "local" : "\(endpoint)", conforms: failed == 0, checks: checks)))
            case .table:
                Console.result(
                    failed == 0
                        ? "\nThe worker conforms to protocol 1: \(checks.count) checks."
                        : "\nThe worker does not conform: \(failed) of \(checks.count) checks failed.")
            }
            return failed == 0
        }

        private static func line(_ check: ConformanceCheck) -> String {
            let mark =
                switch check.verdict {
                case .pass: "ok    "
                case .fail: "BAD   "
                case .skipped: "–     "
                }
            return mark + check.name + ": " + Console.printable(check.detail)
        }
    }

    /// `worker serve`.
    struct Serve: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Serve the models of this machine to dubmill on others.",
            discussion: """
                It serves until it is told to stop (SIGTERM), and then ends what it has begun, for --drain seconds.
                Off this machine it listens with a token alone. See docs/workers.md.
                """)

        @Option(help: "Where to listen: HOST:PORT.") var listen: String?
        @Option(help: "A Unix socket to listen on instead.", completion: .file()) var socket: String?
        @Option(help: "A file that holds the token which callers have to know.", completion: .file())
        var tokenFile: String?
        @Option(help: "The certificate for TLS (PEM).", completion: .file()) var tlsCert: String?
        @Option(help: "Its key (PEM).", completion: .file()) var tlsKey: String?
        @Option(help: "Seconds to end what was begun when it is told to stop.") var drain: Int?
        @Option(help: "Cores for the models; all where it is not given.") var threads: Int?
        @Option(help: "A server of OpenAI's chat protocol that translates; its key is DUBMILL_CHAT_KEY.")
        var chatUrl: String?
        @Option(help: "The model's name there.") var chatModel: String?

        func validate() throws {
            guard (listen == nil) != (socket == nil) else { throw ValidationError("Give --listen or --socket.") }
        }

        func run() throws {
            var arguments: [String] = []
            let files = [tokenFile, tlsCert, tlsKey, socket].map { $0.map(RunPaths.absolute) }
            let given: [(String, String?)] = [
                ("--listen", listen), ("--socket", files[3]), ("--token-file", files[0]), ("--tls-cert", files[1]),
                ("--tls-key", files[2]), ("--drain", drain.map(String.init)), ("--threads", threads.map(String.init)),
            ]
            for case (let name, let value?) in given { arguments += [name, value] }
            let chat = try Workforce.chat(Settings(), url: chatUrl, model: chatModel)
            let launch = try WorkerHome.find().serve(arguments, chat: chat)
            // The worker takes this process's place: whoever supervises it sees the worker itself.
            let words = ([launch.executable] + launch.arguments).map { strdup($0) }
            let environment = launch.environment.map { strdup("\($0.key)=\($0.value)") }
            // Threads of the runtime block signals, and a mask outlives execve: the worker would not hear SIGTERM.
            var none = sigset_t()
            sigemptyset(&none)
            pthread_sigmask(SIG_SETMASK, &none, nil)
            execve(launch.executable, words + [nil], environment + [nil])
            throw DubError(
                .workerNotInstalled, "The worker cannot be started: \(String(cString: strerror(errno))).",
                at: launch.executable, fix: "Set the worker up: make setup.")
        }
    }
}
