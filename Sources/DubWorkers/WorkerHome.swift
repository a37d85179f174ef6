public import DubCore
public import Foundation

/// Where the worker is on this machine: its Python, its code, its models.
public struct WorkerHome: Hashable, Sendable {
    /// The Python that has the worker's packages.
    public var python: String
    /// The folder that holds `dubmill_worker/` and `catalogue.json`.
    public var workers: String
    /// The folder of installed models; it need not exist yet.
    public var models: String

    /// Makes a home of known places.
    public init(python: String, workers: String, models: String) {
        self.python = python
        self.workers = workers
        self.models = models
    }

    /// The file that lists all models.
    public var catalogue: String { workers + "/catalogue.json" }

    /// Finds the worker.
    ///
    /// Python: `DUBMILL_WORKER_PYTHON`, else `$XDG_DATA_HOME/dubmill/worker/bin/python`. Code: `Workers` under
    /// `DUBMILL_HOME`, else under the nearest folder above `executable` that holds `Workers/dubmill_worker` and
    /// `Pipelines/dub.yaml`, else `share/dubmill` beside its `bin`. Models: `DUBMILL_MODELS`, else
    /// `$XDG_DATA_HOME/dubmill/models`. `XDG_DATA_HOME` is `~/.local/share` where unset.
    ///
    /// - Parameter needsPython: whether it is to be started; what lies beside it is found without.
    /// - Throws: `worker.not-installed` where there is no such Python or no such code.
    public static func find(
        environment: [String: String] = ProcessInfo.processInfo.environment,
        executable: String = "/proc/self/exe", needsPython: Bool = true
    ) throws(DubError) -> WorkerHome {
        let home = WorkerHome(
            python: python(environment), workers: try workers(environment, executable),
            models: models(environment))
        guard !needsPython || FileManager.default.isExecutableFile(atPath: home.python) else {
            throw notInstalled("The worker's Python is not there.", home.python)
        }
        return home
    }

    /// Where the worker's Python is expected.
    public static func python(_ environment: [String: String]) -> String {
        given("DUBMILL_WORKER_PYTHON", environment) ?? data(environment) + "/dubmill/worker/bin/python"
    }

    /// Where models are installed.
    public static func models(_ environment: [String: String]) -> String {
        given("DUBMILL_MODELS", environment) ?? data(environment) + "/dubmill/models"
    }

    private static func workers(_ environment: [String: String], _ executable: String) throws(DubError)
        -> String
    {
        let manager = FileManager.default
        func holds(_ folder: String, _ path: String) -> Bool {
            manager.fileExists(atPath: folder + "/" + path)
        }
        if let home = given("DUBMILL_HOME", environment) {
            guard holds(home, "Workers/dubmill_worker") else {
                throw notInstalled("DUBMILL_HOME holds no Workers/dubmill_worker.", home)
            }
            return home + "/Workers"
        }
        let program = URL(fileURLWithPath: executable).resolvingSymlinksInPath()
        var folder = program.deletingLastPathComponent()
        let shared = folder.deletingLastPathComponent().appendingPathComponent("share/dubmill").path
        while folder.path != "/" {
            if holds(folder.path, "Workers/dubmill_worker"), holds(folder.path, "Pipelines/dub.yaml") {
                return folder.path + "/Workers"
            }
            folder = folder.deletingLastPathComponent()
        }
        if holds(shared, "Workers/dubmill_worker") { return shared + "/Workers" }
        throw notInstalled("No folder above the program holds the worker's code.", program.path)
    }

    private static func notInstalled(_ what: String, _ place: String) -> DubError {
        DubError(
            .workerNotInstalled, what, at: place,
            fix: "Run make setup in the repository, or set DUBMILL_WORKER_PYTHON and DUBMILL_HOME.")
    }

    private static func given(_ name: String, _ environment: [String: String]) -> String? {
        environment[name].flatMap { $0.isEmpty ? nil : URL(fileURLWithPath: $0).path }
    }

    private static func data(_ environment: [String: String]) -> String {
        // The XDG base directory specification has relative paths ignored.
        if let folder = environment["XDG_DATA_HOME"], folder.hasPrefix("/") { return folder }
        return (given("HOME", environment) ?? NSHomeDirectory()) + "/.local/share"
    }

    /// The command line that serves on a socket.
    public func serve(
        onSocket socket: String, threads: Int? = nil, chat: ChatServer? = nil
    ) throws(DubError) -> WorkerLaunch {
        guard FileManager.default.isExecutableFile(atPath: python) else {
            throw Self.notInstalled("The worker's Python is not there.", python)
        }
        var arguments = ["-m", "dubmill_worker", "serve", "--socket", socket]
        arguments += ["--models", models, "--catalogue", catalogue]
        if let threads { arguments += ["--threads", String(threads)] }
        var environment = environment()
        if let chat {
            arguments += chat.arguments
            environment["DUBMILL_CHAT_KEY"] = chat.key?.text
        }
        return WorkerLaunch(executable: python, arguments: arguments, environment: environment)
    }

    /// The command line that serves as `arguments` of the worker's own `serve` say, with the models of this machine.
    public func serve(_ arguments: [String], chat: ChatServer? = nil) throws(DubError) -> WorkerLaunch {
        var launch = try serve(onSocket: "", chat: chat)
        let arguments = arguments + (chat?.arguments ?? [])
        launch.arguments = ["-m", "dubmill_worker", "serve", "--models", models, "--catalogue", catalogue] + arguments
        return launch
    }

    /// The command line of the worker's own `models` command: `list`, `pull` or `verify`, with names of models.
    public func modelsCommand(_ action: String, _ names: [String] = [], json: Bool = false) -> WorkerLaunch {
        var arguments = ["-m", "dubmill_worker", "models", action] + names
        arguments += ["--models", models, "--catalogue", catalogue]
        if json { arguments.append("--json") }
        return WorkerLaunch(executable: python, arguments: arguments, environment: environment())
    }

    private func environment() -> [String: String] {
        var environment = WorkerLaunch.minimalEnvironment()
        environment["PYTHONPATH"] = workers
        environment["PYTHONUNBUFFERED"] = "1"
        return environment
    }
}
