internal import DubCore
internal import Foundation

extension ConformanceSuite {
    /// A task with one model: its outputs, its errors, and that the same item has the same output.
    func task(_ subject: Subject, _ report: ConformanceReport) async throws {
        let name = subject.model.model
        // Names are stable where there is one model a task; with more, the model tells them apart.
        let title = report.verdict(of: "\(subject.task.rawValue).output") == nil ? "" : "[\(name)]"
        let prefix = subject.task.rawValue + title
        var before: [String?] = []
        try await report.check("\(prefix).output") {
            let probe = try TaskProbe.of(subject.task, subject.model, files)
            let results = try await exchange.batch(subject.task, name, probe.items)
            for (item, result) in zip(probe.items, results) { before.append(try output(item, result, probe)) }
            if subject.task == .synthesize { keepSpeech(of: probe) }
            let count = before.compactMap(\.self).count
            guard count > 0 else { throw Skip(reason: "\(name) heard nothing in the sounds that there are here.") }
            return "\(name) did \(count) of \(results.count) items as it should."
        }
        guard report.verdict(of: "\(prefix).output") == .pass else { return }
        let probe = try TaskProbe.of(subject.task, subject.model, files)
        try await report.check("\(prefix).item-errors") { try await itemErrors(probe, name) }
        try await report.check("\(prefix).determinism") {
            // The other way round, and beside another item.
            let items = Array(probe.items.reversed()) + [probe.wrong[0].item]
            let results = try await exchange.batch(subject.task, name, items)
            let after = try zip(items, results).prefix(probe.items.count).map { try output($0, $1, probe) }
            try demand(Array(after.reversed()) == before, "The same item came out otherwise the second time.")
            return "The same items came out as before, in another batch and order."
        }
    }

    /// What an item came to, as a text to be compared; `nil` where it was refused for a reason that is accepted.
    private func output(_ item: [String: JSONValue], _ result: ItemResult, _ probe: TaskProbe) throws -> String? {
        switch result.outcome {
        case .failed(let fault):
            if probe.tolerated.contains(fault.code) { return nil }
            throw Complaint(text: "An item that can be done failed with \(fault.code): \(fault.message)")
        case .done(let output):
            try probe.verify(item, output)
            let file = item["output"]?["path"]?.string.flatMap { FileManager.default.contents(atPath: $0) }
            // The samples alone: the head of a WAV file may hold the time at which it was written.
            let samples = try file.map { try ConformanceSounds.Wave(reading: $0).data }
            return output.canonical + (samples.map { Digest.of($0).hex } ?? "")
        }
    }

    /// Leaves what was spoken for those that listen.
    private func keepSpeech(of probe: TaskProbe) {
        guard let path = probe.items.last?["output"]?["path"]?.string,
            let data = FileManager.default.contents(atPath: path),
            let wave = try? ConformanceSounds.Wave(reading: data), wave.bits == 16, wave.channels == 1
        else { return }
        let speech = ConformanceSounds.wav(wave.samples(at: TaskProbe.Files.rate), rate: TaskProbe.Files.rate)
        try? speech.write(to: URL(fileURLWithPath: files.path("speech.wav")))
    }

    private func itemErrors(_ probe: TaskProbe, _ model: String) async throws -> String {
        let items = [probe.items[0]] + probe.wrong.map(\.item) + [probe.items[probe.items.count - 1]]
        let results = try await exchange.batch(probe.task, model, items)
        for (wrong, result) in zip(probe.wrong, results.dropFirst()) {
            guard case .failed(let fault) = result.outcome else {
                throw Complaint(text: "For \(wrong.what) it gave an output instead of an error.")
            }
            try demand(
                wrong.codes.contains(fault.code),
                "For \(wrong.what) the code is `\(fault.code)`, and not `\(wrong.codes.sorted().joined(separator: "` or `"))`."
            )
        }
        for index in [0, items.count - 1] { _ = try output(items[index], results[index], probe) }
        return "Each of \(probe.wrong.count) bad items fails alone: "
            + probe.wrong.map(\.what).joined(separator: ", ") + "."
    }

    /// A model that is listed and not installed.
    func missingModel(_ offer: Strict.Offer) async throws -> String {
        let absent = offer.tasks.sorted { $0.key < $1.key }.flatMap { task, models in
            models.filter { !$0.installed }.map { Subject(task: WorkerTask(rawValue: task), model: $0) }
        }
        for subject in absent {
            guard let probe = try? TaskProbe.of(subject.task, subject.model, files) else { continue }
            let results = try await exchange.batch(subject.task, subject.model.model, [probe.items[0]])
            guard case .failed(let fault) = results[0].outcome, fault.code == "model_missing" else {
                throw Complaint(text: "An item for \(subject.model.model) does not fail with `model_missing`.")
            }
            return "Items for \(subject.model.model), which is not installed, say so: \(fault.message.prefix(120))"
        }
        throw Skip(reason: "All models that it lists are installed.")
    }
}
