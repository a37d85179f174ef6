internal import DubCore
internal import DubHTTP
internal import Foundation

extension ConformanceSuite {
    /// Requests that are wrong as a whole.
    func refusals(_ subject: Subject, _ report: ConformanceReport) async throws {
        let (task, model) = (subject.task, subject.model.model)
        func body(_ items: [JSONValue], task: WorkerTask = task, model: String = model, version: Int64 = 1) -> Data {
            Data(ConformanceExchange.body(task, model, items, protocol: version).canonical.utf8)
        }
        func items(_ count: Int) -> [JSONValue] { (0..<count).map { ["id": .string("\($0)")] } }
        let requests: [(String, Data, String)] = [
            ("not-json", Data("{\"protocol\":1,".utf8), "what is no JSON"),
            ("not-an-object", Data("[]".utf8), "an array"),
            ("another-protocol", body(items(1), version: 2), "protocol 2"),
            ("unknown-task", body(items(1), task: WorkerTask(rawValue: "juggle")), "a task that it does not know"),
            ("unknown-model", body(items(1), model: "no-such-model"), "a model that it does not have"),
            ("no-items", body([]), "a batch without items"),
            ("item-without-id", body([["text": "No id."]]), "an item without an id"),
            ("duplicate-ids", body([["id": "a"], ["id": "a"]]), "two items of one id"),
            ("too-many-items", body(items(1025)), "1025 items"),
            ("too-large", body(items(1)) + Data(repeating: 32, count: 16 << 20), "more than 16 MiB"),
        ]
        for (name, body, what) in requests {
            try await report.check("refuses.\(name)") {
                let posted = try await exchange.post(body)
                return try refused(posted.status, posted.body, with: 400, what)
            }
        }
        try await report.check("refuses.unknown-path") {
            let answer = try await exchange.get("/v0/nothing")
            return try refused(answer.status, answer.body, with: 404, "a path that is not there")
        }
        try await report.check("refuses.and-lives-on") {
            let status = try await exchange.get("/v1/health").status
            try demand(status == 200, "After all that, its health is answered with status \(status).")
            return "It is well after all that."
        }
    }

    private func refused(_ status: Int, _ body: Data, with wanted: Int, _ what: String) throws -> String {
        try demand(status == wanted, "It answers \(what) with status \(status), and not \(wanted).")
        let refusal: Strict.Refusal
        do {
            refusal = try JSONDecoder().decode(Strict.Refusal.self, from: body)
        } catch {
            throw Complaint(text: "The refusal of \(what) is malformed: \(ConformanceReport.sentence(error))")
        }
        try demand(
            Strict.codes.contains(refusal.error.code), "`\(refusal.error.code)` is no code of the protocol.")
        try demand(!refusal.error.message.isEmpty, "The refusal of \(what) does not say why.")
        return "It refuses \(what): \(refusal.error.message.prefix(120))"
    }
}
