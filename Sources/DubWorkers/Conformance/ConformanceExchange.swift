internal import DubCore
internal import DubHTTP
internal import Foundation

/// Talks to a worker without trusting it: requests of any bytes, answers as they come, what was odd noted down.
struct ConformanceExchange: Sendable {
    /// What was odd in any answer.
    struct Oddities: Sendable {
        var stream: [String] = []
        var seconds: [String] = []
        var codes: [String] = []
        var items = 0
        var failures = 0
        var batches = 0
    }

    /// An answer to a batch, line by line.
    struct Posted {
        var status: Int
        var type: String
        var lines: [(line: JSONValue?, text: Data, at: Duration)] = []
        /// What broke the stream, if something did.
        var end: DubError?
        var elapsed: Duration = .zero

        var body: Data { lines.map(\.text).reduce(into: Data()) { $0 += $1 } }
    }

    let link: WorkerLink
    let oddities = Locked(Oddities())

    /// Asks for a resource; `token` is sent instead of the endpoint's own.
    func get(_ path: String, token: WorkerToken?) async throws -> HTTPResponse {
        var link = link
        link.token = token
        var request = link.request("GET", path)
        request.patience = .init(connect: .seconds(5), idle: .seconds(30), total: .seconds(60))
        return try await link.client.send(request)
    }

    func get(_ path: String) async throws -> HTTPResponse { try await get(path, token: link.token) }

    /// The stream that answers a body.
    func stream(_ body: Data) async throws -> HTTPLines {
        var request = link.request("POST", "/v1/batch")
        request.headers["Accept"] = "application/x-ndjson"
        request.headers["Content-Type"] = "application/json"
        request.patience = .init(connect: .seconds(5), idle: link.silence)
        request.body = .data(body)
        return try await link.client.lines(request)
    }

    /// Sends a body and reads the answer to its end.
    func post(_ body: Data) async throws -> Posted {
        let begin = ContinuousClock.now
        let stream = try await stream(body)
        var posted = Posted(status: stream.status, type: stream.headers["Content-Type"] ?? "")
        do {
            for try await line in stream where !line.isEmpty {
                posted.lines.append((try? JSONValue.parse(line), line, ContinuousClock.now - begin))
            }
        } catch let error as DubError {
            posted.end = error
        }
        posted.elapsed = ContinuousClock.now - begin
        return posted
    }

    static func body(
        _ task: WorkerTask, _ model: String, _ items: [JSONValue], protocol version: Int64 = 1
    ) -> JSONValue {
        [
            "protocol": .integer(version), "task": .string(task.rawValue), "model": .string(model), "options": [:],
            "items": .array(items),
        ]
    }

    /// Has a batch done whose items get ids of their own; the results in the order of the items.
    ///
    /// - Throws: `Complaint` where the batch was refused, or an item has no result.
    func batch(_ task: WorkerTask, _ model: String, _ items: [[String: JSONValue]]) async throws -> [ItemResult] {
        // Ids are anybody's: they come back as they are.
        let ids = items.indices.map { "\($0) é/“\(task.rawValue)”" }
        let whole = zip(items, ids).map { JSONValue.object($0.merging(["id": .string($1)]) { $1 }) }
        let posted = try await post(Data(Self.body(task, model, whole).canonical.utf8))
        guard posted.status == 200 else {
            let refusal = try? JSONDecoder().decode(Strict.Refusal.self, from: posted.body)
            throw Complaint(
                text: "A batch for \(model) was answered with status \(posted.status): "
                    + (refusal?.error.message ?? "no reason was given") + ".")
        }
        let results = note(posted, ids, "a batch of \(items.count) for \(model)")
        return try ids.map { id in
            guard let result = results[id] else { throw Complaint(text: "An item of \(items.count) has no result.") }
            return result
        }
    }

    /// The results by id; what is wrong with the stream is noted down.
    func note(_ posted: Posted, _ ids: [String], _ place: String) -> [String: ItemResult] {
        var odd = Oddities()
        odd.batches = 1
        var results: [String: ItemResult] = [:]
        var done: JSONValue?
        for (line, text, _) in posted.lines {
            guard let line, line.object != nil else {
                odd.stream.append("a line is no JSON object: \(String(decoding: text.prefix(60), as: UTF8.self))")
                continue
            }
            if done != nil { odd.stream.append("a line follows the one that says done") }
            if line["done"]?.bool == true {
                done = line
                continue
            }
            do {
                try Self.note(line, among: ids, &results, &odd)
            } catch {
                odd.stream.append("a result is malformed: " + ConformanceReport.sentence(error))
            }
        }
        let failures = results.values.filter { if case .failed = $0.outcome { true } else { false } }.count
        if let end = posted.end { odd.stream.append("it broke off: \(end.what)") }
        if results.count < ids.count { odd.stream.append("\(ids.count - results.count) items have no result") }
        if !posted.type.hasPrefix("application/x-ndjson") {
            odd.stream.append("its type is “\(posted.type)” and not application/x-ndjson")
        }
        if let done {
            if done["items"]?.integer != Int64(ids.count) || done["errors"]?.integer != Int64(failures) {
                odd.stream.append(
                    "the last line counts \(Self.number(done["items"])) items and \(Self.number(done["errors"])) "
                        + "errors; there were \(ids.count) and \(failures)")
            }
            Self.note(seconds: done["seconds"], "the last line", &odd)
            if let wall = done["seconds"]?["wall"]?.double, wall > posted.elapsed / .seconds(1) + 0.1 {
                odd.seconds.append("a batch of \(posted.elapsed / .seconds(1)) s is said to have taken \(wall) s")
            }
        } else {
            odd.stream.append("no last line says done")
        }
        odd.items = results.count
        odd.failures = failures
        let noted = odd
        oddities.withLock { all in
            all.stream += noted.stream.map { "\(place): \($0)" }
            all.seconds += noted.seconds
            all.codes += noted.codes
            all.items += noted.items
            all.failures += noted.failures
            all.batches += 1
        }
        return results
    }

    private static func note(
        _ line: JSONValue, among ids: [String], _ results: inout [String: ItemResult], _ odd: inout Oddities
    ) throws {
        note(seconds: line["seconds"], "a result", &odd)
        // Without its seconds: those are judged apart from all else.
        var members = line.object ?? [:]
        members["seconds"] = nil
        let result: ItemResult = try JSONValue.object(members).decoded()
        guard ids.contains(result.id) else {
            return odd.stream.append("the result `\(result.id)` belongs to no item")
        }
        if results[result.id] != nil { odd.stream.append("an item has two results") }
        results[result.id] = result
        switch (line["status"]?.string, result.outcome) {
        case ("ok", .done(let output)):
            if output.object == nil { odd.stream.append("an output is no object") }
        case ("error", .failed(let fault)):
            if !Strict.codes.contains(fault.code) { odd.codes.append("`\(fault.code)` is no code of the protocol") }
            if fault.message.isEmpty { odd.codes.append("`\(fault.code)` comes without a message") }
        default: odd.stream.append("a status is neither ok nor error")
        }
    }

    private static func note(seconds: JSONValue?, _ place: String, _ odd: inout Oddities) {
        guard let wall = seconds?["wall"]?.double, let cpu = seconds?["cpu"]?.double else {
            return odd.seconds.append("\(place) does not tell its seconds, wall and cpu")
        }
        if wall < 0 || cpu < 0 { odd.seconds.append("\(place) tells less than no seconds") }
    }

    private static func number(_ value: JSONValue?) -> String { value?.integer.map(String.init) ?? "no" }
}
