internal import DubCore
internal import DubHTTP
internal import Foundation

extension ConformanceSuite {
    /// What holds for all tasks: the stream, its figures, work side by side, cancelling.
    func behaviour(_ subjects: [Subject], _ report: ConformanceReport) async throws {
        // What is quickest tells the most in a short time; one that writes files can be watched.
        let speaker = subjects.first { $0.task == .synthesize && report.verdict(of: "synthesize.output") == .pass }
        let others: [WorkerTask] = [.detectSpeech, .separate, .embed, .translate, .transcribe]
        let subject = speaker ?? others.lazy.compactMap { task in subjects.first { $0.task == task } }.first
        if let subject, let probe = try? TaskProbe.of(subject.task, subject.model, files) {
            try await report.check("progress") { try await progress(subject, probe) }
            try await report.check("side-by-side") { try await sideBySide(subject, probe) }
            try await report.check("cancel") { try await cancel(subject, probe) }
        }
        let odd = exchange.oddities.withLock { $0 }
        try await report.check("stream") {
            try demand(odd.stream.isEmpty, Self.few(odd.stream))
            return "\(odd.batches) batches of \(odd.items) items: a line for each, and a last one that counts them."
        }
        try await report.check("seconds") {
            try demand(odd.seconds.isEmpty, Self.few(odd.seconds))
            return "Every item and every batch says what it cost."
        }
        try await report.check("codes") {
            try demand(odd.codes.isEmpty, Self.few(odd.codes))
            return "\(odd.failures) errors had codes of the protocol and said what was wrong."
        }
    }

    private static func few(_ faults: [String]) -> String {
        var seen = Set<String>()
        let different = faults.filter { seen.insert($0).inserted }
        let more = different.count > 3 ? " (and \(different.count - 3) more)" : ""
        return different.prefix(3).joined(separator: "; ").prefix(1).uppercased()
            + different.prefix(3).joined(separator: "; ").dropFirst() + more + "."
    }

    /// Copies of an item, with outputs of their own where it has one.
    private func copies(_ count: Int, _ probe: TaskProbe, _ folder: String) throws -> [[String: JSONValue]] {
        try FileManager.default.createDirectory(
            atPath: files.path(folder), withIntermediateDirectories: true)
        return (0..<count).map { index in
            var item = probe.items[index % probe.items.count]
            if item["output"] != nil { item["output"] = ["path": .string(files.path("\(folder)/\(index).wav"))] }
            return item
        }
    }

    private func posted(
        _ items: [[String: JSONValue]], _ subject: Subject, _ place: String
    ) async throws -> ConformanceExchange.Posted {
        let ids = items.indices.map { "\($0)" }
        let whole = zip(items, ids).map { JSONValue.object($0.merging(["id": .string($1)]) { $1 }) }
        let body = ConformanceExchange.body(subject.task, subject.model.model, whole)
        let posted = try await exchange.post(Data(body.canonical.utf8))
        _ = exchange.note(posted, ids, place)
        return posted
    }

    /// Lines come as items end, and not all at the end.
    private func progress(_ subject: Subject, _ probe: TaskProbe) async throws -> String {
        let posted = try await posted(try copies(48, probe, "progress"), subject, "a batch of 48")
        let (first, last) = (posted.lines.first?.at ?? .zero, posted.elapsed)
        try demand(posted.lines.count > 1, "A batch of 48 items has \(posted.lines.count) lines.")
        guard last > .milliseconds(60) else {
            throw Skip(reason: "48 items took \(Self.seconds(last)): too little to tell.")
        }
        try demand(
            first < last * 0.8, "The first of 48 results came after \(Self.seconds(first)) of \(Self.seconds(last)).")
        return "The first of 48 results came after \(Self.seconds(first)), the last after \(Self.seconds(last))."
    }

    /// It says how it is while it works, and works for two at once.
    private func sideBySide(_ subject: Subject, _ probe: TaskProbe) async throws -> String {
        async let work = posted(try copies(48, probe, "beside"), subject, "a batch beside another")
        async let other = posted(try copies(4, probe, "other"), subject, "a batch beside another")
        let begin = ContinuousClock.now
        let status = try await exchange.get("/v1/health").status
        let took = ContinuousClock.now - begin
        let statuses = [try await work.status, try await other.status]
        try demand(status == 200, "At work, its health is answered with status \(status).")
        try demand(took < .seconds(5), "At work, it took \(Self.seconds(took)) to say how it is.")
        try demand(statuses == [200, 200], "One of two batches at once was refused.")
        return "It does two batches at once, and says meanwhile how it is (after \(Self.seconds(took)))."
    }

    /// Closing the connection stops the batch.
    private func cancel(_ subject: Subject, _ probe: TaskProbe) async throws -> String {
        let count = 1024
        let items = try copies(count, probe, "cancelled")
        let whole = items.enumerated().map { JSONValue.object($1.merging(["id": .string("\($0)")]) { $1 }) }
        let body = Data(ConformanceExchange.body(subject.task, subject.model.model, whole).canonical.utf8)
        try await leave(after: body)
        let isSeen = items[0]["output"] != nil
        let written = isSeen ? try await settled("cancelled") : 0
        let again = try await exchange.batch(subject.task, subject.model.model, [probe.items[0]])
        guard case .done = again[0].outcome else {
            throw Complaint(text: "After a batch was cancelled, the next one fails.")
        }
        guard isSeen else {
            return "The next batch is done. Whether the old one stopped cannot be seen: its task writes no files."
        }
        try demand(written < count, "All \(count) items were done although the connection was closed after the first.")
        return "The connection was closed after the first result: \(written) of \(count) items were done, and no more."
    }

    /// Sends a batch and closes the connection at its first result.
    private func leave(after body: Data) async throws {
        let stream = try await exchange.stream(body)
        try demand(stream.status == 200, "A batch of 1024 is answered with status \(stream.status).")
        for try await line in stream where !line.isEmpty { return }
    }

    /// How many files there are once no more come, at most 20 s from now.
    private func settled(_ folder: String) async throws -> Int {
        func count() -> Int {
            ((try? FileManager.default.contentsOfDirectory(atPath: files.path(folder))) ?? [])
                .filter { $0.hasSuffix(".wav") && !$0.hasPrefix(".") }.count
        }
        var (last, since) = (count(), ContinuousClock.now)
        let deadline = ContinuousClock.now + .seconds(20)
        while ContinuousClock.now - since < .seconds(1) {
            try await Task.sleep(for: .milliseconds(50))
            let now = count()
            if now != last { (last, since) = (now, .now) }
            guard ContinuousClock.now < deadline else {
                throw Complaint(text: "20 s after the connection was closed it is still at work: \(now) items done.")
            }
        }
        return last
    }

    private static func seconds(_ duration: Duration) -> String { String(format: "%.2f s", duration / .seconds(1)) }
}
