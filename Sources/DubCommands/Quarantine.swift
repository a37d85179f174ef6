internal import DubCore
internal import DubGraph
internal import DubRunner
internal import DubStages
internal import Foundation

/// The folder where what the gate refuses is kept apart, with the reason beside it.
struct Quarantine: Sendable {
    let folder: String
    let deliverer: Deliverer

    /// Puts the files of refused languages there, and for each a text that says why.
    ///
    /// - Throws: `output.unwritable`.
    func keep(_ plan: Plan, stem: String, source: String, refused: [String: Verdict]) async throws -> [OutputRecord] {
        guard !refused.isEmpty else { return [] }
        try deliverer.prepare()
        var records = try await deliverer.deliver(plan, stem: stem, source: source) { language, _ in
            refused[language ?? ""] != nil
        }
        for index in records.indices { records[index].kind = "quarantined-\(records[index].kind)" }
        for (language, verdict) in refused.sorted(by: { $0.key < $1.key }) {
            let name = [stem, language, "refused", "txt"].filter { !$0.isEmpty }.joined(separator: ".")
            let path = "\(folder)/\(name.replacingOccurrences(of: "/", with: "-"))"
            let lines = ["\(source)", "The gate refuses this dub:"] + verdict.complaints.map { "- \($0)" }
            let text = Data((lines.joined(separator: "\n") + "\n").utf8)
            do {
                try text.write(to: URL(filePath: path), options: .atomic)
            } catch {
                throw DubError(
                    .outputUnwritable, "The reason cannot be written: \(error.localizedDescription).", at: path,
                    fix: "Make room, or choose another folder with --quarantine.", cause: error)
            }
            records.append(
                OutputRecord(
                    kind: "quarantined-reason", language: language.isEmpty ? nil : language, path: path,
                    sha256: Digest.of(text)))
        }
        return records
    }
}
