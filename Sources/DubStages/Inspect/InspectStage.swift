internal import DubCore
internal import DubGraph
internal import DubMedia
internal import DubRunner
internal import DubTiming

/// The gate: measures the finished file from outside, and adds how the lines came out.
struct InspectStage: Stage {
    let signature = StageSignature(
        name: "inspect", version: 6,
        inputs: [
            .one("media"), .one("video"), .one("remuxed"), .one("placement"), .one("mixed"), .one("source"),
            .one("pieces"), .list("heard"), .list("rated"), .list("original"), .optional("gate"),
        ],
        outputs: [.one("verdict")], parameters: ["to": "", "profile": "dub"])

    /// From which share of lines on a thing is for review.
    private static let tolerated = 0.1

    func run(_ inputs: StageInputs, in context: StageContext) async throws -> [String: StageValue] {
        let placement = try context.read(Placement.self, "placement", of: inputs)
        let remuxed = try context.read(RemuxReport.self, "remuxed", of: inputs)
        let mixed = try context.read(MixReport.self, "mixed", of: inputs)
        let layout = try context.read(Layout.self, "source", of: inputs)
        let target = try Language(inputs.parameters["to"]?.string ?? "")
        let rules = try inputs.artifact("gate").map { try GateRules.read(context.path(of: $0)) } ?? .none
        let heard = HeardDub(
            sourceSpeech: layout.speech, sourceDuration: layout.duration,
            hearing: Hearing(
                try context.read(PieceLayout.self, "pieces", of: inputs),
                try inputs.list("heard").map { try context.store.read(HeardPiece.self, from: $0) }),
            ratings: (
                source: try inputs.list("original").map { try context.store.read(from: $0) },
                dub: try inputs.list("rated").map { try context.store.read(from: $0) }
            ))
        let profiles = [inputs.parameters["profile"]?.string ?? "dub"] + (mixed.profile.map { [$0] } ?? [])
        var checks = try await Inspection.checks(
            context.path(of: try context.artifact("video", of: inputs)),
            source: context.path(of: try context.artifact("media", of: inputs)), language: target,
            dropped: remuxed.dropped, speech: heard, isLevelled: mixed.profile != nil)
        let lines = Self.lines(placement)
        let figures = Self.figures(placement).heard(in: heard, target)
        checks += Self.checks(lines, mixed)
        checks.append(Inspection.overlaps(figures))
        checks += Inspection.speech(heard, figures, language: target)
        var engines: [String: Int] = [:]
        for line in placement.lines {
            for name in [line.engines.translator, line.engines.voice] where !name.isEmpty {
                engines[name, default: 0] += 1
            }
        }
        let verdict = Verdict(
            language: target, checks: rules.applied(to: checks, profiles: profiles), lines: lines, figures: figures,
            engines: engines,
            notes: Self.notes(placement) + (remuxed.reason.map { ["container: \($0)"] } ?? []))
        return ["verdict": .one(try context.store.put(json: verdict))]
    }

    private static func figures(_ placement: Placement) -> [LineFigure] {
        placement.lines.map { line in
            var figure = LineFigure(
                id: line.id, start: line.window.start, end: line.window.end, text: line.text, state: .voiced)
            figure.notes = line.notes
            switch line.placed.outcome {
            case .fits, .spills: break
            case .review(let why):
                figure.state = .review
                figure.notes.append(why)
            case .unvoiced(let why):
                figure.state = .notVoiced
                figure.notes.append(why)
            }
            if let span = line.placed.span {
                figure.dubStart = span.start
                figure.dubEnd = span.end
                figure.rate = (line.placed.rate * 1000).rounded() / 1000
                figure.spill = (max(0, span.end - line.window.end) * 1000).rounded() / 1000
            }
            return figure
        }
    }

    private static func lines(_ placement: Placement) -> Verdict.Lines {
        var lines = Verdict.Lines()
        for line in placement.lines {
            lines.total += 1
            if let missing = line.missing {
                lines.glossary = (lines.glossary ?? 0) + (missing.isEmpty ? 0 : 1)
            }
            if line.engines.isFallback { lines.fallback += 1 }
            if line.engines.isDraft { lines.draft += 1 }
            switch line.placed.outcome {
            case .fits, .spills: lines.voiced += 1
            case .review:
                lines.voiced += 1
                lines.review += 1
            case .unvoiced: lines.notVoiced += 1
            }
        }
        return lines
    }

    private static func checks(_ lines: Verdict.Lines, _ mixed: MixReport) -> [Verdict.Check] {
        func count(_ name: String, _ value: Int, tolerated share: Double, else grade: Verdict.Grade) -> Verdict.Check {
            let most = Int((share * Double(lines.total)).rounded(.down))
            return .init(
                name: name, value: Double(value), unit: "lines", limit: "at most \(most)",
                grade: value <= most ? .pass : grade)
        }
        // A profile raises or lowers the whole, the dialogue with it.
        let change = mixed.dialogue.flatMap { now in mixed.source.dialogue.map { now - $0 - mixed.level } }
        let glossary = lines.glossary.map { [count("lines.glossary", $0, tolerated: 0, else: .review)] } ?? []
        return glossary + [
            count(
                "lines.not-voiced", lines.notVoiced, tolerated: 0,
                else: lines.voiced == 0 || Double(lines.notVoiced) > max(1, tolerated * Double(lines.total))
                    ? .fail : .review),
            count("lines.review", lines.review, tolerated: tolerated, else: .review),
            count("lines.fallback", lines.fallback, tolerated: 0, else: .review),
            count("lines.draft", lines.draft, tolerated: 0, else: .review),
            .init(
                name: "dialogue.loudness.change", value: change, unit: "LU", limit: "within ±1",
                grade: change.map { abs($0) <= 1 } ?? true ? .pass : .review),
        ]
    }

    private static func notes(_ placement: Placement) -> [String] {
        placement.lines.flatMap { line in
            var notes = line.notes
            switch line.placed.outcome {
            case .fits, .spills: break
            case .review(let why): notes.append(why)
            case .unvoiced(let why): notes.append("not voiced: \(why)")
            }
            return notes.map { "\(line.id) at \((line.window.start * 10).rounded() / 10) s: \($0)" }
        }
    }
}
