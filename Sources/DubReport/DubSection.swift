internal import Foundation

/// One dub on a page: what the gate says, both films, both sounds, and its lines, the worst first.
struct DubSection {
    let dub: DubStory
    let index: Int

    /// How many lines are told one by one.
    private static let lineLimit = 40

    private var id: String { "dub-\(index)" }

    private var grade: (name: String, badge: String) {
        switch dub.verdict.verdict {
        case "pass": ("pass", "passed")
        case "review": ("for review", "review")
        default: ("refused", "failed")
        }
    }

    /// The section.
    var markup: Markup {
        let file = (dub.source as NSString).lastPathComponent
        let drawing = SoundDrawing(dub)
        let sound: Markup =
            drawing.isEmpty
            ? ""
            : """
            <ul class="key"><li><i class="wave-source"></i>source</li><li><i class="wave-dub"></i>dub</li>\
            <li><i class="fine"></i>line in order</li><li><i class="warn"></i>somewhat off</li><li><i class="bad"></i>bad</li></ul>
            <div class="scroll field-of-lines" tabindex="0" role="group" aria-label="Sound and lines of \(file) in \
            \(dub.language): the arrow keys go from line to line, Enter plays the dub, Shift and Enter the source" \
            aria-describedby="\(id)-told">\(drawing.svg(id: id))</div>
            <output class="told-line" id="\(id)-told"></output>
            """
        return """
            <section class="dub" id="\(id)" aria-labelledby="\(id)-h">
            <h2 id="\(id)-h">\(file) <span class="arrow" aria-hidden="true">→</span> \(dub.language) \
            <span class="badge \(grade.badge)">\(grade.name)</span></h2>
            \(complaints)
            \(figures)
            <div class="films">\(film(dub.original, "Source", "source"))\(film(dub.dub, "Dub", "dub"))</div>
            \(sound)
            \(table)
            \(checks)</section>

            """
    }

    private var complaints: Markup {
        let bad = dub.verdict.checks.filter { $0.grade != "pass" }.sorted { $0.grade < $1.grade }
        guard !bad.isEmpty else { return "<p class=\"soft\">Every figure is as it should be.</p>" }
        let parts = bad.map { check -> Markup in
            """
            <li class="\(check.grade == "fail" ? "bad" : "warn")"><b>\(check.name)</b> is \(Self.value(check)), and has to be \
            \(check.limit)\(check.note.map { " (\($0))" } ?? "")</li>
            """
        }
        return "<ul class=\"complaints\">\(parts)</ul>"
    }

    /// The figures that people ask for first.
    private var figures: Markup {
        let wanted: [(String, String, (Double) -> String)] = [
            ("speech.onset.median", "Onset, median", { "\(Int(($0 * 1000).rounded())) ms" }),
            ("speech.onset.p95", "Onset, 95 %", { "\(Int(($0 * 1000).rounded())) ms" }),
            ("speech.iou", "Speech together", { Figure.share($0) }),
            ("words.wrong", "Words wrong", { Figure.share($0) }),
            ("language.heard", "In the language", { Figure.share($0) }),
            ("bed.correlation", "Music and room kept", { Figure.share($0) }),
            ("loudness.integrated", "Loudness", { "\(Figure.decimal($0, 1)) LUFS" }),
            ("loudness.true-peak", "True peak", { "\(Figure.decimal($0, 1)) dBTP" }),
        ]
        let pairs = wanted.compactMap { name, title, text -> Markup? in
            guard let check = dub.verdict.checks.first(where: { $0.name == name }), let value = check.value else {
                return nil
            }
            return "<div class=\"\(check.grade)\"><dt>\(title)</dt><dd>\(text(value))</dd></div>"
        }
        return pairs.isEmpty ? "" : "<dl class=\"facts small\">\(pairs)</dl>"
    }

    private func film(_ film: DubStory.Film, _ name: String, _ kind: String) -> Markup {
        guard let link = film.link else {
            return """
                <figure><figcaption>\(name)</figcaption><p class="absent">\(film.absence)</p></figure>
                """
        }
        return """
            <figure><figcaption id="\(id)-\(kind)-name">\(name)</figcaption><video class="\(kind)" controls preload="none" \
            src="\(link)" aria-labelledby="\(id)-\(kind)-name \(id)-h"></video>\
            <p class="absent" hidden>It cannot be played: the file was moved, or this browser does not know its format.</p>\
            </figure>
            """
    }

    private var table: Markup {
        let lines = dub.verdict.figures ?? []
        guard !lines.isEmpty else { return "" }
        let order = lines.indices.sorted { (-lines[$0].badness, $0) < (-lines[$1].badness, $1) }
        let hasFilms = dub.original.link != nil || dub.dub.link != nil
        let rows = order.prefix(Self.lineLimit).map { index -> Markup in
            let line = lines[index]
            func cell(_ text: String?, _ isBad: Bool) -> Markup {
                "<td class=\"n\(isBad ? " off" : "")\">\(text ?? "–")</td>"
            }
            let notes = line.notes.isEmpty ? "" : line.notes.joined(separator: "; ")
            return """
                <tr class="\(line.grade)" data-line="\(index)" data-start="\(Figure.decimal(line.start, 3))" \
                data-end="\(Figure.decimal(line.end, 3))" data-dub-start="\(Figure.decimal(line.dubStart ?? line.start, 3))" \
                data-dub-end="\(Figure.decimal(line.dubEnd ?? line.end, 3))">
                <td class="n">\(index + 1)</td><td class="n">\(Figure.clock(line.start))</td>\
                <th scope="row">\(line.text)\(notes.isEmpty ? "" : "<div class=\"soft note\">\(notes)</div>" as Markup)</th>\
                \(cell(line.state == "notVoiced" ? "not voiced" : line.onset.map(Figure.lateness), abs(line.onset ?? 0) > 0.25 || line.state == "notVoiced"))\
                \(cell(line.rate.map { "\(Figure.decimal($0, 2))×" }, abs((line.rate ?? 1) - 1) > 0.15))\
                \(cell(line.spill.map { $0 < 0.05 ? "none" : "\(Figure.decimal($0, 2)) s" }, (line.spill ?? 0) > 0.5))\
                \(cell(line.wordsWrong.map(Figure.share), (line.wordsWrong ?? 0) > 0.35))\
                \(hasFilms ? play(index + 1) : "")</tr>

                """
        }
        let rest = lines.count - rows.count
        let more: Markup =
            rest > 0
            ? "<p class=\"soft\">\(Figure.count(rest, "line")) that are better: see the verdict beside the dub.</p>"
            : ""
        let listen: Markup = hasFilms ? "<th scope=\"col\">Listen</th>" : ""
        return """
            <div class="scroll" tabindex="0" role="group" aria-label="Lines of \(dub.language), the worst first"><table class="worst">
            <caption>\(Figure.count(lines.count, "line")), the worst first</caption>
            <thead><tr><th scope="col" class="n">#</th><th scope="col" class="n">At</th><th scope="col">Line</th>\
            <th scope="col" class="n">Begins</th><th scope="col" class="n">Speed</th><th scope="col" class="n">Goes on</th>\
            <th scope="col" class="n">Words wrong</th>\(listen)</tr></thead>
            <tbody>
            \(rows)</tbody></table></div>\(more)
            """
    }

    private func play(_ number: Int) -> Markup {
        """
        <td class="play"><button type="button" data-play="source" aria-label="Play line \(number) of the source">source</button> \
        <button type="button" data-play="dub" aria-label="Play line \(number) of the dub">dub</button></td>
        """
    }

    private var checks: Markup {
        let rows = dub.verdict.checks.map { check -> Markup in
            let badge = check.grade == "pass" ? "passed" : check.grade == "review" ? "review" : "failed"
            return """
                <tr><th scope="row">\(check.name)\(check.note.map { "<div class=\"soft note\">\($0)</div>" as Markup } ?? "")</th>\
                <td class="n">\(Self.value(check))</td><td>\(check.limit)</td>\
                <td><span class="badge \(badge)">\(check.grade)</span></td></tr>

                """
        }
        return """
            <details><summary>All \(Figure.count(rows.count, "figure"))</summary><div class="scroll" tabindex="0" role="group" \
            aria-label="All figures of \(dub.language)"><table><caption>What was measured</caption>
            <thead><tr><th scope="col">Figure</th><th scope="col" class="n">Value</th><th scope="col">Has to be</th>\
            <th scope="col">Grade</th></tr></thead><tbody>
            \(rows)</tbody></table></div></details>
            """
    }

    private static func value(_ check: DubVerdict.Check) -> String {
        guard let value = check.value else { return "unknown" }
        if check.unit == "bool" { return value != 0 ? "yes" : "no" }
        if check.unit == "share" { return Figure.share(value) }
        let digits = abs(value) < 10 && value != value.rounded() ? 3 : 1
        return "\(Figure.decimal(value, digits)) \(check.unit)"
    }
}
