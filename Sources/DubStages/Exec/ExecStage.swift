internal import DubCore
internal import DubGraph
internal import DubRunner
internal import DubWorkers
internal import Foundation

/// Runs any program: what it reads and writes is declared by the step.
///
/// No shell is between. The program starts in the attempt's scratch folder with little more than a search path around
/// it, so that what it writes follows from what is in the key: command, environment, version, inputs.
struct ExecStage: Stage {
    let signature = StageSignature(
        name: "exec", version: 1, inputs: [], outputs: [],
        parameters: ["command": [], "env": [:], "version": 1, "transient_exits": []], required: ["command"],
        isOpen: true)

    func run(_ inputs: StageInputs, in context: StageContext) async throws -> [String: StageValue] {
        let outputs = try outputs(of: inputs, in: context)
        let launch = try launch(inputs, outputs, context)
        let ending: ProgramRun.Ending
        do {
            ending = try await ProgramRun.run(launch) { context.log($0) }
        } catch let error as ProgramRun.NotStarted {
            throw DubError(
                error.isMissing ? .execNotFound : .execFailed, "The program cannot be started: \(error.reason).",
                at: launch.executable, fix: "Start it by hand to see what is missing.",
                persistence: error.isTransient ? .transient : .permanent, cause: error)
        }
        guard ending.status == 0 else {
            let passing = inputs.parameters["transient_exits"]?.array?.compactMap(\.integer) ?? []
            let mayPass = ending.status.map { passing.contains(Int64($0)) } ?? false
            throw DubError(
                .execFailed, "The program ended with \(ending.description).\(Self.lastWords(ending.lastLines))",
                at: launch.executable, fix: "See what it said: `dubmill logs` shows all of it.",
                persistence: mayPass ? .transient : .permanent)
        }
        return try outputs.reduce(into: [:]) { values, output in
            values[output.name] = try output.adopted(into: context.store, ending.lastLines)
        }
    }

    static func lastWords(_ lines: [String]) -> String {
        lines.isEmpty ? " It said nothing." : " It said last:\n    " + lines.joined(separator: "\n    ")
    }

    private func outputs(of inputs: StageInputs, in context: StageContext) throws -> [ExecOutput] {
        try (inputs.parameters["out"]?.object ?? [:]).sorted { $0.key < $1.key }.map { name, type in
            let output = ExecOutput(
                name: name, type: type.string ?? type.array?.first?.string ?? "", isList: type.array != nil,
                scratch: try context.scratch)
            if output.isList {
                try FileManager.default.createDirectory(atPath: output.path, withIntermediateDirectories: false)
            }
            return output
        }
    }

    private func launch(
        _ inputs: StageInputs, _ outputs: [ExecOutput], _ context: StageContext
    ) throws -> WorkerLaunch {
        let filling = ExecFilling(
            inputs: inputs.values.mapValues { value in
                switch value {
                case .one(let artifact): .one(context.path(of: artifact))
                case .list(let artifacts): .list(artifacts.map(context.path))
                }
            }, outputs: Dictionary(outputs.map { ($0.name, $0.path) }, uniquingKeysWith: { $1 }))
        let words = try filling.words(inputs.parameters["command"]?.array ?? [])
        let own = ProcessInfo.processInfo.environment
        var environment = [
            "PATH": own["PATH"] ?? "/usr/local/bin:/usr/bin:/bin", "HOME": own["HOME"] ?? "/",
            "LANG": own["LANG"] ?? "C.UTF-8", "TMPDIR": try context.scratch,
        ]
        for (name, value) in inputs.parameters["env"]?.object ?? [:] {
            environment[name] = try filling.words([value]).joined(separator: ":")
        }
        guard let program = words.first, let path = ProgramRun.find(program, in: environment["PATH"] ?? "") else {
            throw DubError(
                .execNotFound, "There is no program `\(words.first ?? "")`.", at: words.first ?? "command",
                fix: "Install it, or write its absolute path; it is looked for in \(environment["PATH"] ?? "").")
        }
        return WorkerLaunch(
            executable: path, arguments: Array(words.dropFirst()), environment: environment,
            folder: try context.scratch)
    }
}

/// Fills `{in.NAME}` and `{out.NAME}` with paths.
struct ExecFilling {
    /// What an input stands for.
    enum Paths {
        case one(String)
        case list([String])
    }

    var inputs: [String: Paths]
    var outputs: [String: String]

    /// The words of a command. A word that is `{in.NAME}` alone becomes as many words as there are files: none for an
    /// input that was not given. A list, as a parameter may be, becomes a word for each element.
    ///
    /// - Throws: `exec.failed` where a list stands within a word.
    func words(_ command: [JSONValue]) throws -> [String] {
        try command.flatMap { word -> [String] in
            if let list = word.array { return try words(list) }
            guard let text = word.string else { return [word.canonical] }
            if let whole = text.wholeMatch(of: /\{in\.([^{}]*)\}/) {
                switch inputs[String(whole.output.1)] {
                case .one(let path): return [path]
                case .list(let paths): return paths
                case nil: return []
                }
            }
            return [try filled(text)]
        }
    }

    private func filled(_ text: String) throws -> String {
        var filled = ""
        var rest = text[...]
        while let match = rest.firstMatch(of: /\{(in|out)\.([^{}]*)\}/) {
            filled += rest[..<match.range.lowerBound]
            let name = String(match.output.2)
            if match.output.1 == "out" {
                filled += outputs[name] ?? ""
            } else {
                switch inputs[name] {
                case .one(let path): filled += path
                case nil: break
                case .list:
                    throw DubError(
                        .execFailed, "`{in.\(name)}` is a list of files here.", at: text,
                        fix: "Let it be a word of its own: it becomes a word for each file.")
                }
            }
            rest = rest[match.range.upperBound...]
        }
        return filled + rest
    }
}

/// A file, or a folder of files, that a program is to write.
struct ExecOutput {
    let name: String
    let type: String
    let isList: Bool
    let scratch: String

    /// What `{out.NAME}` stands for: the file `NAME.TYPE`, or the folder `NAME` of a list.
    var path: String { isList ? "\(scratch)/\(name)" : "\(scratch)/\(name).\(type)" }

    /// Takes what was written into a store: of a list the files of its type, by name.
    ///
    /// - Throws: `exec.output-missing`; `output.unwritable` of the store.
    func adopted(into store: any Store, _ lastLines: [String]) throws -> StageValue {
        guard isList else {
            guard let artifact = try adopt(path, store) else {
                throw DubError(
                    .execOutputMissing,
                    "The program ended well, and did not write `\(name)`.\(ExecStage.lastWords(lastLines))",
                    at: "\(name).\(type)", fix: "Have it write to `{out.\(name)}`.")
            }
            return .one(artifact)
        }
        let files = try FileManager.default.contentsOfDirectory(atPath: path)
            .filter { !$0.hasPrefix(".") && ($0 as NSString).pathExtension.lowercased() == type }
            .sorted { Array($0.utf8).lexicographicallyPrecedes($1.utf8) }
        return .list(try files.compactMap { try adopt("\(path)/\($0)", store) })
    }

    /// `nil` where there is no file: a link or a folder is none.
    private func adopt(_ path: String, _ store: any Store) throws -> Artifact? {
        guard let attributes = try? FileManager.default.attributesOfItem(atPath: path),
            attributes[.type] as? FileAttributeType == .typeRegular
        else { return nil }
        guard let links = attributes[.referenceCount] as? Int, links > 1 else {
            return try store.adopt(fileAt: path, type: type)
        }
        // Another name of a file that may change: the store's own has to be a copy.
        let copy = "\(scratch)/.\(UUID().uuidString)"
        try FileManager.default.copyItem(atPath: path, toPath: copy)
        return try store.adopt(fileAt: copy, type: type)
    }
}

extension DubError.Code {
    /// A program of an `exec` stage ended with an error.
    static let execFailed = Self(name: "exec.failed")
    /// A program of an `exec` stage is not installed.
    static let execNotFound = Self(name: "exec.not-found")
    /// A program of an `exec` stage ended well and did not write what is declared.
    static let execOutputMissing = Self(name: "exec.output-missing")
}
