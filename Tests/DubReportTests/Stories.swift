import DubCore
import DubRunner
import Foundation

@testable import DubReport

/// Runs that never were, for drawing.
enum Stories {
    static let began = Date(timeIntervalSince1970: 1_764_000_000)
    static let hostile = "<script>alert(1)</script>\" onload='x' & \u{202e}gpj.\u{1b}[31m"

    static let graph: [StageRecord] = [
        ("probe", [], ["item"]), ("extract", [], ["item", "probe"]), ("chunk", [], ["extract"]),
        ("detect", [], ["chunk", "extract"]), ("transcribe", ["chunk"], ["chunk", "detect"]),
        ("edits", [], ["chunk", "edits (given)"]), ("merge", ["chunk"], ["edits", "transcribe"]),
        ("translate", ["language", "chunk"], ["merge"]), ("lines", ["language", "chunk"], ["edits", "translate"]),
        ("synthesize", ["language", "chunk", "line"], ["lines"]),
        ("fit", ["language"], ["chunk", "lines", "synthesize"]),
        ("mix", ["language"], ["fit", "item", "probe", "synthesize"]),
        ("remux", ["language"], ["fit", "item", "mix", "probe"]),
        ("inspect", ["language"], ["fit", "item", "mix", "remux"]),
    ].map { StageRecord(name: $0.0, uses: $0.0, axes: $0.1, reads: $0.2) }

    static func node(
        _ name: String, at begin: Double, for seconds: Double, item: Int = 0, waited: Double = 0,
        state: NodeRecord.State = .done, attempts: Int = 1, error: ErrorRecord? = nil, log: String? = nil,
        reason: String = "never ran"
    ) -> NodeHistory {
        NodeHistory(
            item: item, node: name, stage: String(name.prefix { $0 != "[" }), state: state, reason: reason,
            queued: began.addingTimeInterval(begin - waited), started: began.addingTimeInterval(begin),
            seconds: seconds, attempts: attempts, error: error, log: log)
    }

    static func story(
        items: [ItemRecord], nodes: [NodeHistory], seconds: Double, graph: [StageRecord] = graph
    ) -> RunStory {
        let run = RunRecord(
            id: "20251124-160000-abcd", pipeline: "dub", parameters: ["to": ["es", "fr"], "translator": "apertium"],
            started: began, ended: began.addingTimeInterval(seconds), state: .finished, process: 1, graph: graph)
        return RunStory(
            run: run, state: "finished", items: items, nodes: nodes, now: began.addingTimeInterval(seconds + 60),
            version: "0.1.0")
    }

    /// A run with all that a page can show; `lines` synthesised in each of two languages.
    static func full(lines: Int = 40, name: String = hostile) -> RunStory {
        let error = ErrorRecord(
            DubError(.internal, "It broke: \(name)", at: "synthesize \(name)", fix: "Mend \(name)"))
        var nodes = [
            node("probe", at: 0, for: 0.4), node("extract", at: 0.4, for: 2.1), node("chunk", at: 2.5, for: 1.2),
            node("detect", at: 3.7, for: 0.8, state: .cached), node("edits", at: 3.8, for: 0.01),
        ]
        nodes[3].seconds = 0
        var time = 4.5
        for chunk in 1...8 {
            nodes.append(node("transcribe[\(chunk)]", at: time, for: 3.2, waited: time - 4.5))
            time += 3.3
        }
        let rate = 60.0 / Double(lines)
        for language in ["es", "fr"] {
            let shift = language == "es" ? 0.0 : 1.5
            for chunk in 1...8 {
                let begin = 8 + shift + Double(chunk) * 4
                nodes.append(node("translate[\(language),\(chunk)]", at: begin, for: 3.5, waited: 2))
                nodes.append(node("lines[\(language),\(chunk)]", at: begin + 3.6, for: 0.02))
            }
            for line in 0..<lines {
                let begin = 14 + shift + Double(line) * rate
                let isBad = line % max(1, lines / 2) == 3
                nodes.append(
                    node(
                        "synthesize[\(language),\(line % 8 + 1),\(line / 8 + 1)]", at: begin, for: rate * 3,
                        waited: min(10, Double(line) * 0.1), state: isBad ? .failed : .done, attempts: isBad ? 3 : 1,
                        error: isBad ? error : nil, log: isBad ? "starting\n\(name)\nended" : nil,
                        reason: "parameter voice \"\(name)\"→\"pico\""))
            }
            nodes.append(node("mix[\(language)]", at: 78 + shift, for: 6))
            nodes.append(node("remux[\(language)]", at: 85 + shift, for: 1))
        }
        var passed = ItemRecord(
            index: 0, source: "/films/\(name)/talk.mp4", status: "passed", wallSeconds: 84, mediaSeconds: 212)
        passed.nodes.run = nodes.count
        passed.outputs = [OutputRecord(kind: "video", language: "es", path: "/out/a.mp4", sha256: .of("x"))]
        let failed = ItemRecord(
            index: 1, source: "/films/\(name).mp4", status: "failed", wallSeconds: 12, mediaSeconds: 20, error: error)
        let review = ItemRecord(index: 2, source: "/films/b.mp4", status: "review", wallSeconds: 40, mediaSeconds: 33)
        nodes.sort { $0.started < $1.started }
        return story(items: [passed, failed, review], nodes: nodes, seconds: 90)
    }

    /// A dub for review whose files are there, and one that was refused and is not.
    static func dubs(name: String = "talk") -> [DubStory] {
        var random = SystemRandomNumberGenerator()
        func sound(_ seconds: Int) -> DubStory.Sound {
            DubStory.Sound(peaks: (0..<seconds * 50).map { _ in .random(in: 0...1, using: &random) }, part: 0.02)
        }
        let lines = (0..<60).map { index in
            let begin = Double(index) * 2
            return """
                {"id": "\(index)", "start": \(begin), "end": \(begin + 1.5), "dubStart": \(begin + 0.1),
                 "dubEnd": \(begin + 1.9), "text": "Line \(index)", "state": "\(index == 7 ? "notVoiced" : "voiced")",
                 "onset": \(index == 3 ? 0.9 : 0.02), "rate": \(index == 5 ? 1.4 : 1), "spill": 0.4,
                 "wordsWrong": \(index == 9 ? 1 : 0.1), "wordsLost": 0, "notes": []}
                """
        }.joined(separator: ",")
        func verdict(_ grade: String) -> DubVerdict? {
            let text = """
                {"verdict": "\(grade)", "figures": [\(lines)], "checks": [
                 {"name": "speech.onset.median", "value": 0.02, "unit": "s", "limit": "at most 0.15", "grade": "pass"},
                 {"name": "words.wrong", "value": 0.5, "unit": "share", "limit": "at most 0.35", "grade": "review"},
                 {"name": "picture.identical", "value": 0, "unit": "bool", "limit": "1", "grade": "\(grade)", "note": "n"}]}
                """
            return try? DubVerdict(Data(text.utf8))
        }
        return ["review", "fail"].compactMap { grade in
            verdict(grade).map { verdict in
                DubStory(
                    source: "/films/\(name).mp4", language: "Spanish", verdict: verdict,
                    original: .init(
                        link: grade == "fail" ? nil : "talk.mp4", absence: "\(name) is gone", sound: sound(121)),
                    dub: .init(
                        link: grade == "fail" ? nil : "talk.es.mp4", absence: "refused",
                        sound: grade == "fail" ? nil : sound(121)))
            }
        }
    }
}
