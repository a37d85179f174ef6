internal import ArgumentParser
internal import DubCore
internal import DubMedia
internal import DubWorkers
internal import Foundation

/// `dubmill doctor`.
struct DoctorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor", abstract: "Check this machine: programs, worker, models, folders, settings.",
        discussion: "Exit: 0 where dubs can be made, 1 where something is missing, with what to do.")

    @Option(help: "How results are printed: table or json.") var format = OutputFormat.table

    private struct Finding: Encodable {
        var what: String
        var isGood: Bool
        var detail: String
        var fix: String?
    }

    func run() async throws {
        var findings = [
            Finding(what: "dubmill", isGood: true, detail: Version.text),
            Finding(what: "FFmpeg libraries", isGood: true, detail: MediaLibrary.version),
        ]
        findings += await worker()
        findings += try settings()
        switch format {
        case .json: Console.result(try Console.json(findings))
        case .table:
            Console.result(
                findings.map { finding in
                    (finding.isGood ? "ok    " : "BAD   ") + finding.what + ": " + Console.printable(finding.detail)
                        + (finding.fix.map { "\n      fix: \($0)" } ?? "")
                }.joined(separator: "\n"))
        }
        if findings.contains(where: { !$0.isGood }) { throw ExitCode(Exit.failed) }
    }

    private func worker() async -> [Finding] {
        do {
            let home = try WorkerHome.find()
            var findings = [Finding(what: "worker", isGood: true, detail: home.python)]
            for model in try ModelCatalogue.read(home.catalogue).models where model.isDefault {
                let state = model.state(in: home.models)
                let isGood = state == .installed || state == .external
                findings.append(
                    Finding(
                        what: "model \(model.name)", isGood: isGood, detail: state.rawValue,
                        fix: isGood ? nil : "dubmill models pull \(model.name)"))
            }
            let worker = LocalWorker(home: home)
            let began = ContinuousClock.now
            let capabilities = try await worker.capabilities()
            await worker.shutdown()
            let seconds = (ContinuousClock.now - began) / .seconds(1)
            let missing = capabilities.tasks.flatMap { task, models in
                models.contains(where: \.isInstalled) ? [] : [task.rawValue]
            }
            findings.append(
                Finding(
                    what: "worker answers", isGood: missing.isEmpty,
                    detail: missing.isEmpty
                        ? String(format: "after %.1f s", seconds) : "no model for \(missing.joined(separator: ", "))",
                    fix: missing.isEmpty ? nil : "dubmill models pull"))
            return findings
        } catch {
            let error = error as? DubError
            return [
                Finding(
                    what: "worker", isGood: false, detail: "\(error?.what ?? "failed") (\(error?.place ?? ""))",
                    fix: error?.fix ?? "make setup")
            ]
        }
    }

    private func settings() throws -> [Finding] {
        let settings = try Settings()
        let store = Home().store(given: settings.value("store", flag: nil))
        var probe = store
        while !FileManager.default.fileExists(atPath: probe), probe != "/" {
            probe = (probe as NSString).deletingLastPathComponent
        }
        let isWritable = access(probe, W_OK) == 0
        let free = (try? FileManager.default.attributesOfFileSystem(forPath: probe))?[.systemFreeSize] as? NSNumber
        var findings = [
            Finding(
                what: "store", isGood: isWritable,
                detail: store + (free.map { String(format: ", %.0f GB free", $0.doubleValue / 1e9) } ?? ""),
                fix: isWritable ? nil : "Choose a folder that you may write, with --store or DUBMILL_STORE.")
        ]
        for name in Settings.names {
            let (value, origin) = settings.resolve(name, flag: nil)
            guard let value else { continue }
            findings.append(
                Finding(what: "setting \(name)", isGood: true, detail: "\(value) (from the \(origin.rawValue))"))
        }
        return findings
    }
}
