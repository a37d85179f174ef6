import DubCore
import DubRunner
import DubTestKit
import Foundation
import Testing

@testable import DubReport

@Suite struct RunPageTests {
    @Test("names from outside become text: no element, no attribute, nothing that steers")
    func hostile() throws {
        let html = RunPage(Stories.full()).html
        #expect(!html.contains("<script>alert"))
        #expect(!html.contains("onload='x'"))
        #expect(!html.contains("\u{202e}") && !html.contains("\u{1b}"))
        #expect(html.contains("&lt;script&gt;alert(1)&lt;/script&gt;&quot; onload=&#39;x&#39; &amp; \\u{202e}gpj."))
        #expect(html.components(separatedBy: "<script").count == 2, "our own script alone")
        for name in ["pipeline", "state", "stage", "axis", "parameter"] {
            var story = Stories.full()
            let evil = "<img src=x onerror=alert(1)>"
            switch name {
            case "pipeline": story.run.pipeline = evil
            case "state": story.state = evil
            case "stage":
                story.nodes[0].stage = evil
                story.run.graph[0].name = evil
            case "axis": story.run.graph[4].axes = [evil]
            default: story.run.parameters[evil] = .string(evil)
            }
            #expect(!RunPage(story).html.contains("<img"), "\(name)")
        }
    }

    @Test("stands by itself: nothing is loaded, and the same story is the same page")
    func alone() {
        let story = Stories.full(name: "talk")
        let html = RunPage(story).html
        for part in ["http:", "https:", "src=", "@import", "url(", "<link rel=\"stylesheet"] {
            #expect(!html.replacing("url(#tip)", with: "").contains(part), "\(part)")
        }
        #expect(html == RunPage(story).html)
    }

    @Test("tells state, times, speed, errors with their fix, logs, retries and costs")
    func told() {
        let html = RunPage(Stories.full(name: "talk")).html
        for part in [
            ">finished<", "1 min 30 s", "<dt>× real time</dt><dd>2.9</dd>", "Mend talk", "<h2 id=\"h-retries\">",
            "starting\ntalk\nended", "3 times", "Cost by stage", "each language, chunk", "1 passed, 1 review, 1 failed",
        ] { #expect(html.contains(part), "\(part)") }
    }

    @Test("dubs: the worst line first, what is absent is said, names stay text, and the page is below 1 MB")
    func dubs() throws {
        let html = RunPage(Stories.full(name: "talk"), dubs: Stories.dubs(name: Stories.hostile)).html
        #expect(!html.contains("<script>alert") && !html.contains("onload='x'"))
        let table = try #require(html.range(of: "the worst first</caption>"))
        let rest = html[table.upperBound...]
        let first = try #require(rest.range(of: "<th scope=\"row\">Line 7</th>"))
        let second = try #require(rest.range(of: "<th scope=\"row\">Line 3</th>"))
        #expect(first.lowerBound < second.lowerBound)
        #expect(html.contains("20 lines that are better"))
        #expect(html.contains("<p class=\"absent\">refused</p>"))
        #expect(html.contains("preload=\"none\" src=\"talk.es.mp4\""))
        #expect(html.utf8.count < 1_000_000)
    }

    @Test("a run without anything is still a page")
    func empty() {
        let html = RunPage(Stories.story(items: [], nodes: [], seconds: 0, graph: [])).html
        #expect(html.contains("<h1>") && !html.contains("<svg"))
    }

    @Test("a hundred thousand nodes are merged into a page that a browser draws at once")
    func large() {
        let story = Stories.full(lines: 50_000, name: "talk")
        let began = ContinuousClock.now
        let html = RunPage(story).html
        #expect(ContinuousClock.now - began < .seconds(20))
        #expect(html.utf8.count < 2_000_000, "\(html.utf8.count)")
        #expect(html.components(separatedBy: "<rect").count < 4000)
    }
}

@Suite struct TimelineTests {
    @Test("what ran at once lies in lanes, what was one after the other in one")
    func lanes() throws {
        let nodes = [
            Stories.node("mix[1]", at: 0, for: 4), Stories.node("mix[2]", at: 1, for: 4),
            Stories.node("mix[3]", at: 5, for: 4), Stories.node("mix[4]", at: 6, for: 3),
        ]
        let timeline = Timeline(Stories.story(items: [], nodes: nodes, seconds: 10), width: 1000)
        let band = try #require(timeline.bands.first)
        #expect(band.lanes.map { $0.map(\.node) } == [[0, 2], [1, 3]])
        #expect(band.waiting.isEmpty && !timeline.isMerged)
    }

    @Test("merging loses no node, no second, and no failure", arguments: [10, 1000, 20_000])
    func conserves(lines: Int) {
        let story = Stories.full(lines: lines)
        let timeline = Timeline(story, width: 1000)
        let marks = timeline.bands.flatMap(\.lanes).flatMap(\.self)
        #expect(marks.reduce(0) { $0 + $1.count } == story.nodes.count)
        let (drawn, real) = (marks.reduce(0) { $0 + $1.seconds }, story.nodes.reduce(0) { $0 + $1.seconds })
        #expect(abs(drawn - real) < 1e-6 * real)
        #expect(marks.contains { $0.state == .failed })
        #expect(marks.count <= Timeline.markLimit)
        for lane in timeline.bands.flatMap(\.lanes) {
            #expect(zip(lane, lane.dropFirst()).allSatisfy { $0.end <= $1.begin + 1.5 * timeline.length / 1000 })
        }
    }

    @Test("counts who waited, by the time that they did")
    func waiting() throws {
        let nodes = [
            Stories.node("mix[1]", at: 60, for: 20, waited: 60), Stories.node("mix[2]", at: 120, for: 10, waited: 90),
        ]
        let timeline = Timeline(Stories.story(items: [], nodes: nodes, seconds: 240), width: 1000)
        let waiting = try #require(timeline.bands.first?.waiting)
        let part = 240.0 / Double(Timeline.bins)
        #expect(abs(waiting.reduce(0, +) * part - 150) < 1e-6)
        #expect(waiting[10] == 1 && waiting[45] == 2 && waiting[100] == 1 && waiting[200] == 0)
    }
}

@Suite struct GraphLayoutTests {
    @Test("a stage stands after all that it reads; arrows that follow from others are left out")
    func layers() {
        let layout = GraphLayout(Stories.graph)
        for stage in Stories.graph {
            for read in stage.reads {
                #expect((layout.layer[read] ?? 99) < (layout.layer[stage.name] ?? -1), "\(read) → \(stage.name)")
            }
        }
        let arrows = layout.arrows.map { [$0.first, $0.last] }
        #expect(arrows.contains([.stage("mix"), .stage("remux")]))
        #expect(!arrows.contains([.stage("item"), .stage("remux")]), "it follows from item → … → remux")
        #expect(
            layout.arrows.allSatisfy { arrow in
                arrow.dropFirst().dropLast().allSatisfy { if case .passing = $0 { true } else { false } }
            })
    }

    @Test("a record that goes in circles is drawn, not followed for ever")
    func circles() {
        let stages = ["a", "b", "c"].map { StageRecord(name: $0, uses: $0, axes: [], reads: ["c", "a", "b"]) }
        #expect(GraphLayout(stages).layers.joined().count >= 3)
        #expect(RunPage(Stories.story(items: [], nodes: [], seconds: 1, graph: stages)).html.contains("<svg"))
    }
}

@Suite struct FigureTests {
    @Test(
        "tells times as people do",
        arguments: [
            (0, "0.00 s"), (9.99, "9.99 s"), (9.996, "10.0 s"), (59.96, "1 min 00 s"), (200, "3 min 20 s"),
            (3599.7, "1 h 00 min"), (7380, "2 h 03 min"),
        ])
    func time(seconds: Double, text: String) {
        #expect(Figure.time(seconds) == text)
    }
}
