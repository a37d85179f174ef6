internal import DubCore
internal import DubPublish
internal import DubRunner
internal import DubGraph
internal import DubNotify
internal import DubService
internal import DubWatch
internal import Foundation

/// Whether a daemon could do what it is told, as far as that can be known beforehand.
struct DaemonCheck: Sendable {
    let machine: Machine

    /// Reads a configuration and tries it.
    ///
    /// - Throws: `input.missing`; `settings.invalid` with every fault and its line.
    func configuration(_ file: String) throws -> DaemonConfiguration {
        let text: String
        do {
            text = try String(contentsOf: URL(filePath: file), encoding: .utf8)
        } catch {
            throw DubError(
                .inputMissing, "The configuration cannot be read: \(error.localizedDescription).", at: file,
                fix: "Write one, or name it with --config; docs/daemon.md shows an example.", cause: error)
        }
        let configuration = try ConfigurationReader.daemon(text, file: file, others: Settings.names)
        try check(configuration.folders, configuration.timetables, configuration.http, configuration.notify, file: file)
        return configuration
    }

    /// Tries pipelines, parameters, casts, thresholds and manifests, and where the API would listen.
    ///
    /// - Throws: `settings.invalid` with every fault and its line.
    func check(
        _ folders: [WatchedFolder], _ timetables: [TimetableEntry], _ http: ServiceEntry? = nil,
        _ notify: [NotifyEntry] = [], file: String = ""
    ) throws {
        var faults: [Fault] = []
        func attempt(_ file: String, _ line: Int, _ body: () throws -> Void) {
            do {
                try body()
            } catch {
                let error = error as? DubError ?? DubError(.internal, "\(error)", at: file, fix: "Please report this.")
                faults.append(
                    Fault(file: file, line: line, column: 1, what: "\(error.place): \(error.what)", fix: error.fix))
            }
        }
        for folder in folders {
            if folder.isPrefix { attempt(folder.file, folder.line) { _ = try DestinationAddress(folder.folder) } }
            attempt(folder.file, folder.line) { try self.attempt(folder.order) }
            for rule in folder.rules {
                attempt(folder.file, rule.line) { try self.attempt(rule.order.over(folder.order)) }
            }
        }
        for entry in timetables {
            switch entry.source {
            case .files: attempt(entry.file, entry.line) { try self.attempt(entry.order) }
            case .manifest(let file):
                // It may be written later than this; where it is there, it has to be right.
                guard FileManager.default.fileExists(atPath: file) else { continue }
                attempt(entry.file, entry.line) {
                    for order in Set(try Manifest.read(file).map { $0.order.over(entry.order) }) {
                        try self.attempt(order)
                    }
                }
            }
        }
        if let http {
            for fault in ServiceAccess.faults(of: http, tokens: http.tokens ?? Home().tokens) {
                attempt(file, http.line) { throw fault }
            }
            attempt(file, http.line) { _ = try Reach(http, home: Home()) }
        }
        for entry in notify { attempt(file, entry.line) { _ = try Recipient(entry) } }
        if !faults.isEmpty { throw DubError.faulty(faults) }
    }

    private func attempt(_ order: FileOrder) throws {
        let pipeline = try Home().pipeline(order.pipeline ?? "dub")
        _ = try machine.graph(pipeline, parameters: try FileRun.parameters(of: order, pipeline: pipeline))
        if let cast = order.cast { _ = try CastFile.read(cast) }
        if let gate = order.gate { _ = try GateFile.read(gate) }
        if let publish = order.publish { try PublishWork.check(publish) }
    }
}
