internal import DubCore
internal import DubRunner
internal import Foundation

/// A run told on one page of HTML: it needs no network, nothing beside it, and no script to be read.
public struct RunPage: Sendable {
    private let story: RunStory
    private let dubs: [DubStory]
    private let stages: [StageCost]
    /// Failures that are told one by one; beyond them their number.
    private static let failureLimit = 200
    private static let retryLimit = 100

    /// A page about what is known; `dubs` are shown one by one.
    public init(_ story: RunStory, dubs: [DubStory] = []) {
        self.story = story
        self.dubs = dubs
        stages = story.stages
    }

    /// The page. The same for the same story, to the byte.
    public var html: String {
        let title = "\(story.run.pipeline) \(story.run.id)"
        let page: Markup = """
            <!doctype html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; \
            script-src 'unsafe-inline'; img-src data:; media-src 'self' file:">
            <meta name="color-scheme" content="light dark">
            <title>\(title) – dubmill</title>
            <link rel="icon" href="data:,">
            <style>
            \(PageStyle.css)
            </style>
            </head>
            <body>
            <header>
            <h1>\(story.run.pipeline) <span class="run">\(story.run.id)</span> \(badge(story.state))</h1>
            \(facts)
            </header>
            <main>
            \(items)
            \(dubs.enumerated().map { DubSection(dub: $1, index: $0).markup })
            \(graph)
            \(timeline)
            \(costs)
            \(failures)
            \(retries)
            </main>
            <footer><p>Told by dubmill \(story.version) at \(Figure.instant(story.now)) from its ledger.</p></footer>
            <script>
            \(PageStyle.script)
            </script>
            </body>
            </html>

            """
        return page.text
    }

    private func badge(_ state: String) -> Markup {
        let known = ["passed", "review", "failed", "cancelled", "finished", "interrupted", "running", "waiting"]
        return "<span class=\"badge \(known.contains(state) ? state : "")\">\(state)</span>"
    }

    // MARK: - Headline

    private var facts: Markup {
        let wall = story.wallSeconds
        let media = story.mediaSeconds
        let (ran, cached, failed) = (
            stages.reduce(0) { $0 + $1.run }, stages.reduce(0) { $0 + $1.cached }, stages.reduce(0) { $0 + $1.failed }
        )
        let states = Dictionary(story.items.map { ($0.status, 1) }, uniquingKeysWith: +)
        let order = ["passed", "review", "failed", "cancelled", "running", "waiting"]
        let told = (order + states.keys.filter { !order.contains($0) }.sorted()).compactMap { name in
            states[name].map { "\($0) \(name)" }
        }
        let retries = stages.reduce(0) { $0 + $1.retries }
        var facts: [(String, Markup)] = [
            (
                "Began",
                "<time datetime=\"\(story.run.started.formatted(.iso8601))\">\(day) <small>\(clock)</small></time>"
            ),
            (
                "Wall time",
                "\(Figure.time(wall))\(Markup(stringLiteral: story.state == "running" ? " <small>so far</small>" : ""))"
            ),
            ("Media", "\(Figure.time(media))"),
        ]
        if media > 0, wall > 0 { facts.append(("× real time", "\(Figure.decimal(media / wall, 1))")) }
        facts.append(("Files", "\(story.items.count) <small>\(told.joined(separator: ", "))</small>"))
        facts.append(
            ("Nodes", "\(ran + cached + failed) <small>\(ran) run, \(cached) cached, \(failed) failed</small>"))
        if retries > 0 { facts.append(("Retries", "\(retries)")) }
        let pairs: [Markup] = facts.map { "<div><dt>\($0.0)</dt><dd>\($0.1)</dd></div>\n" }
        return "<dl class=\"facts\">\n\(pairs)</dl>\n\(settings)"
    }

    private var day: String { String(Figure.instant(story.run.started).prefix(10)) }
    private var clock: String { String(Figure.instant(story.run.started).dropFirst(11)) }

    private var settings: Markup {
        let set = story.run.parameters.sorted { $0.key < $1.key }.map { name, value -> Markup in
            let text = value.array?.map { $0.string ?? $0.canonical }.joined(separator: ", ")
            return "<code>\(name)</code> \(text ?? value.string ?? value.canonical)"
        }
        return set.isEmpty ? "" : "<p class=\"soft\">With \(Markup.joined(set, with: ", ")).</p>"
    }

    // MARK: - Items

    private var items: Markup {
        let rows = story.items.map { item -> Markup in
            let name = (item.source as NSString).lastPathComponent
            let folder = (item.source as NSString).deletingLastPathComponent
            let speed = item.wallSeconds > 0 && item.mediaSeconds > 0 && item.nodes.run > 0
            var made: [String] = []
            for output in item.outputs {
                let name = [output.kind, output.language ?? ""].filter { !$0.isEmpty }.joined(separator: " ")
                if !made.contains(name) { made.append(name) }
            }
            return """
                <tr class="\(item.status == "passed" ? "good" : "bad")">
                <th scope="row">\(name)<div class="soft" style="font-weight:400">\(folder)</div>\(fault(item.error))</th>
                <td>\(badge(item.status))</td>
                <td class="n">\(item.mediaSeconds > 0 ? Figure.time(item.mediaSeconds) : "–")</td>
                <td class="n">\(item.wallSeconds > 0 ? Figure.time(item.wallSeconds) : "–")</td>
                <td class="n">\(speed ? Figure.decimal(item.mediaSeconds / item.wallSeconds, 1) : "–")</td>
                <td class="n">\(item.nodes.run)</td><td class="n">\(item.nodes.cached)</td>
                <td>\(made.isEmpty ? "–" : made.joined(separator: ", "))</td></tr>

                """
        }
        let passed = story.items.count { $0.status == "passed" }
        let button: Markup =
            passed > 0 && passed < story.items.count
            ? "<p><button id=\"few\" type=\"button\" aria-pressed=\"false\" hidden>Only what did not pass</button></p>"
            : ""
        return """
            <section aria-labelledby="h-items" id="items">
            <h2 id="h-items">Files</h2>
            \(button)<div class="scroll" tabindex="0" role="group" aria-label="Table of files">
            <table><caption>\(Figure.count(story.items.count, "file")), what became of each</caption>
            <thead><tr><th scope="col">File</th><th scope="col">Status</th><th scope="col" class="n">Media</th>
            <th scope="col" class="n">Wall</th><th scope="col" class="n">× real time</th><th scope="col" class="n">Run</th>
            <th scope="col" class="n">Cached</th><th scope="col">Made</th></tr></thead>
            <tbody>
            \(rows)</tbody></table></div></section>
            """
    }

    private func fault(_ error: ErrorRecord?) -> Markup {
        guard let error else { return "" }
        return """
            <div class="fault" style="font-weight:400"><code>\(error.code)</code> \(error.message)<br>\
            <span class="soft">Where: \(error.where)<br>Fix: \(error.fix)</span></div>
            """
    }

    // MARK: - Drawings

    private var graph: Markup {
        let drawing = GraphDrawing(story).svg
        guard !drawing.text.isEmpty else { return "" }
        return """
            <section aria-labelledby="h-graph">
            <h2 id="h-graph">Pipeline</h2>
            <p class="soft">Left to right, row by row: what reads what. An arrow that follows from others is left out. The \
            bar in a stage is its share of all seconds.</p>
            <div class="scroll" tabindex="0" role="group" aria-label="Drawing of the pipeline">\(drawing)</div></section>
            """
    }

    private var timeline: Markup {
        let drawing = TimelineDrawing(story)
        let svg = drawing.svg
        guard !svg.text.isEmpty else { return "" }
        let merged: Markup = drawing.isMerged ? " Bars that would lie on each other are drawn as one." : ""
        return """
            <section aria-labelledby="h-timeline">
            <h2 id="h-timeline">Timeline</h2>
            <p class="soft">What ran when.\(merged) Point at a bar, or go along them with the arrow keys.</p>
            <ul class="key"><li><i class="done"></i>ran</li><li><i class="failed"></i>failed</li>\
            <li><i class="cached"></i>cached</li><li><i class="waiting"></i>how many waited for their place</li></ul>
            <div class="scroll" id="timeline-field" tabindex="0" role="group" aria-label="Timeline: the arrow keys go from \
            bar to bar" aria-describedby="told">\(svg)</div>
            <output id="told"></output>
            \(slowest)
            </section>
            """
    }

    private var slowest: Markup {
        let nodes = story.nodes.filter { $0.state != .cached }.sorted { $0.seconds > $1.seconds }.prefix(20)
        guard !nodes.isEmpty else { return "" }
        let rows = nodes.map { node -> Markup in
            """
            <tr><th scope="row">\(node.node)</th><td>\(story.name(ofItem: node.item))</td>\
            <td class="n">\(Figure.time(node.seconds))</td><td class="n">\(Figure.time(node.waited))</td>\
            <td>\(node.reason)</td></tr>

            """
        }
        return """
            <details><summary>What took longest</summary><div class="scroll" tabindex="0" role="group" \
            aria-label="Table of the longest nodes"><table>
            <caption>The \(Figure.count(nodes.count, "node")) that took longest</caption>
            <thead><tr><th scope="col">Node</th><th scope="col">File</th><th scope="col" class="n">Seconds</th>\
            <th scope="col" class="n">Waited</th><th scope="col">Why it ran</th></tr></thead>
            <tbody>
            \(rows)</tbody></table></div></details>
            """
    }

    // MARK: - Costs

    private var costs: Markup {
        guard !stages.isEmpty else { return "" }
        let total = stages.reduce(0) { $0 + $1.seconds }
        let media = story.mediaSeconds
        let rows = stages.map { stage -> Markup in
            let share = total > 0 ? stage.seconds / total : 0
            return """
                <tr><th scope="row">\(stage.stage)</th><td class="n">\(stage.run)</td><td class="n">\(stage.cached)</td>\
                <td class="n">\(stage.failed)</td><td class="n">\(Figure.time(stage.seconds))</td>\
                <td class="n">\(Figure.share(share))</td><td><svg class="bar" aria-hidden="true" \
                preserveAspectRatio="none" viewBox="0 0 100 1"><rect width="\(share * 100)" height="1"/></svg></td>\
                <td class="n">\(media > 0 ? Figure.decimal(stage.seconds / media, 3) : "–")</td>\
                <td class="n">\(Figure.time(stage.waited))</td></tr>

                """
        }
        return """
            <section aria-labelledby="h-costs">
            <h2 id="h-costs">Cost by stage</h2>
            <div class="scroll" tabindex="0" role="group" aria-label="Table of costs"><table>
            <caption>Seconds of all nodes of a stage added up, \(Figure.time(total)) in all: where nodes run side by side \
            this is more than wall time</caption>
            <thead><tr><th scope="col">Stage</th><th scope="col" class="n">Run</th><th scope="col" class="n">Cached</th>\
            <th scope="col" class="n">Failed</th><th scope="col" class="n">Seconds</th>\
            <th scope="col" class="n">Share</th><td></td><th scope="col" class="n">Per second of media</th>\
            <th scope="col" class="n">Waited</th></tr></thead>
            <tbody>
            \(rows)</tbody></table></div></section>
            """
    }

    // MARK: - What went wrong

    private var failures: Markup {
        let failed = story.nodes.filter { $0.state == .failed }
        guard !failed.isEmpty else { return "" }
        let articles = failed.prefix(Self.failureLimit).enumerated().map { index, node -> Markup in
            let error = node.error
            let log: Markup =
                node.log.map {
                    "<details\(Markup(stringLiteral: index < 3 ? " open" : ""))><summary>Log</summary><pre tabindex=\"0\" role=\"region\" aria-label=\"Log \(index + 1)\">\($0)</pre></details>"
                } ?? ""
            return """
                <article aria-labelledby="f-\(index)"><h3 id="f-\(index)">\(node.node) of \(story.name(ofItem: node.item))</h3>
                <dl><dt>What</dt><dd><code>\(error?.code ?? "unknown")</code> \(error?.message ?? "")</dd>
                <dt>Where</dt><dd>\(error?.where ?? "–")</dd><dt>Fix</dt><dd>\(error?.fix ?? "–")</dd>
                <dt>Tried</dt><dd>\(Figure.count(node.attempts, "time")), the last for \(Figure.time(node.seconds))</dd></dl>
                \(log)</article>

                """
        }
        let rest = failed.count - articles.count
        let more: Markup = rest > 0 ? "<p>And \(rest) more: dubmill logs \(story.run.id)</p>" : ""
        return """
            <section aria-labelledby="h-failures">
            <h2 id="h-failures">Failures</h2>
            <p class="soft">\(Figure.count(failed.count, "node")) failed for good. When that is mended, \
            <code>dubmill retry \(story.run.id)</code> takes up what is missing.</p>
            \(articles)\(more)</section>
            """
    }

    private var retries: Markup {
        let retried = story.nodes.filter { $0.attempts > 1 }.sorted { $0.attempts > $1.attempts }
        guard !retried.isEmpty else { return "" }
        let rows = retried.prefix(Self.retryLimit).map { node -> Markup in
            """
            <tr><th scope="row">\(node.node)</th><td>\(story.name(ofItem: node.item))</td>\
            <td class="n">\(node.attempts)</td><td>\(badge(node.state == .failed ? "failed" : "passed"))</td></tr>

            """
        }
        return """
            <section aria-labelledby="h-retries">
            <h2 id="h-retries">Retries</h2>
            <div class="scroll" tabindex="0" role="group" aria-label="Table of retries"><table>
            <caption>\(Figure.count(retried.count, "node")) took more than one attempt\
            \(Markup(stringLiteral: retried.count > Self.retryLimit ? "; those with the most" : ""))</caption>
            <thead><tr><th scope="col">Node</th><th scope="col">File</th><th scope="col" class="n">Attempts</th>\
            <th scope="col">In the end</th></tr></thead>
            <tbody>
            \(rows)</tbody></table></div></section>
            """
    }
}
