import DubSchedule
import Foundation
import Testing

@Suite struct Timetables {
    private let daily = try? CronExpression("0 3 * * *")

    private func table(_ missed: Timetable.Missed, jitter: TimeInterval = 0) throws -> Timetable {
        Timetable(cron: try #require(daily), jitter: jitter, missed: missed)
    }

    private func time(_ text: String) throws -> Date { try Date(text + "Z", strategy: .iso8601) }

    @Test(
        "missed times are left out, made up for once, or one by one",
        arguments: [
            // On time.
            (Timetable.Missed.skip, "2024-03-01T03:00:30", ["2024-03-01T03:00:00"], 0),
            (.once, "2024-03-01T03:00:30", ["2024-03-01T03:00:00"], 0),
            (.all, "2024-03-01T03:00:30", ["2024-03-01T03:00:00"], 0),
            // Three missed, of which one by a leap day.
            (.skip, "2024-03-02T12:00:00", [], nil), (.once, "2024-03-02T12:00:00", ["2024-03-02T03:00:00"], nil),
            (.all, "2024-03-02T12:00:00", ["2024-02-29T03:00:00", "2024-03-01T03:00:00", "2024-03-02T03:00:00"], 0),
            // Two missed, and one on time: it does for them too.
            (.skip, "2024-03-02T03:00:59", ["2024-03-02T03:00:00"], nil),
            (.once, "2024-03-02T03:00:59", ["2024-03-02T03:00:00"], nil),
            // Nothing yet.
            (.all, "2024-02-28T12:00:00", [], 0),
        ] as [(Timetable.Missed, String, [String], Int?)])
    func missed(rule: Timetable.Missed, now: String, starts: [String], skipped: Int?) throws {
        let last = try time(starts.isEmpty || now < "2024-03-02" ? "2024-02-29T03:00:00" : "2024-02-28T03:00:00")
        let from = now.hasPrefix("2024-02-28") ? try time("2024-02-28T03:00:00") : last
        let due = try table(rule).due(since: from, now: time(now), name: "nightly")
        #expect(try due.starts == starts.map { try time($0) })
        if let skipped { #expect(due.skipped.count == skipped) }
        let next = try table(rule).cron.next(after: time(now), in: .gmt)
        #expect(due.next == next)
    }

    @Test("down for a year, each minute: a hundred are made up for, once is one, and it is quick")
    func year() throws {
        let (last, now) = (try time("2023-01-01T00:00:00"), try time("2024-01-01T00:00:30"))
        let cron = try CronExpression("* * * * *")
        let all = Timetable(cron: cron, missed: .all).due(since: last, now: now, name: "n")
        #expect(all.starts.count == Timetable.mostMadeUp + 1 || all.starts.count == Timetable.mostMadeUp + 2)
        #expect(all.starts == all.starts.sorted())
        let clock = ContinuousClock.now
        let once = Timetable(cron: cron, missed: .once).due(since: last, now: now, name: "n")
        #expect(try once.starts.last == time("2024-01-01T00:00:00"))
        #expect(ContinuousClock.now - clock < .seconds(1))
    }

    @Test("in the long gap of a rare time, once starts it once")
    func rare() throws {
        let cron = try CronExpression("0 0 29 2 *")
        let table = Timetable(cron: cron, missed: .once)
        let due = table.due(since: try time("2020-01-01T00:00:00"), now: try time("2027-01-01T00:00:00"), name: "leap")
        #expect(try due.starts == [time("2024-02-29T00:00:00")])
        #expect(try table.due(since: due.starts[0], now: time("2027-01-01T00:00:00"), name: "leap").starts.isEmpty)
    }

    @Test("jitter puts a start off by less than itself, always by as much, and differently by name")
    func jitter() throws {
        let table = try table(.once, jitter: 600)
        let due = try time("2024-03-01T03:00:00")
        let delays = (0..<50).map { table.delay(of: due, name: "table \($0)") }
        #expect(delays.allSatisfy { (0..<600).contains($0) })
        #expect(Set(delays).count == 50)
        #expect((delays.max() ?? 0) - (delays.min() ?? 0) > 300)
        let start = due.addingTimeInterval(delays[0])
        let last = due.addingTimeInterval(-1)
        let early = table.due(since: last, now: start.addingTimeInterval(-0.001), name: "table 0")
        #expect(early.starts.isEmpty && early.next == start)
        #expect(table.due(since: last, now: start, name: "table 0").starts == [due])
        // Days were missed, and today's is put off: it does for them, at its time.
        let long = table.due(
            since: due.addingTimeInterval(-5 * 86_400), now: due.addingTimeInterval(1), name: "table 0")
        #expect(long.starts.isEmpty && long.next == start)
    }

    @Test("overlap: skip, queue one, cancel the one before, allow")
    func overlap() throws {
        var table = try table(.once)
        for rule in Timetable.Overlap.allCases {
            table.overlap = rule
            #expect(table.turn(running: 0, waiting: 0) == .start)
        }
        table.overlap = .skip
        #expect(table.turn(running: 1, waiting: 0) == .skip)
        table.overlap = .queue
        #expect(table.turn(running: 1, waiting: 0) == .wait)
        #expect(table.turn(running: 1, waiting: 1) == .skip)
        table.overlap = .cancelPrevious
        #expect(table.turn(running: 1, waiting: 0) == .cancelPreviousAndStart)
        table.overlap = .allow
        #expect(table.turn(running: 3, waiting: 0) == .start)
    }
}
