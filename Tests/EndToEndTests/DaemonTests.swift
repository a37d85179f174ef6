import DubCore
import DubTestKit
import Foundation
import Testing

extension EndToEnd {
    /// The daemon itself: signals, configuration, timetables.
    @Suite struct Daemons {
        @Test("SIGTERM: what runs is finished, what waits is left for the next")
        func drains() async throws {
            try await withScratch { scratch in
                let kit = try DaemonKit(in: scratch)
                try kit.configure(also: "daemon: {items: 1, drain: 60s}")
                let first = try await kit.start()
                try kit.drop("a.mp4", "wait go")
                #expect(try await eventually { kit.executed == ["wait go"] })
                try kit.drop("b.mp4", "b")
                #expect(try await kit.said("file.arrived", by: first, times: 2))
                first.signal(SIGTERM)
                #expect(try await kit.said("daemon.draining", by: first))
                try kit.write("go", "")
                #expect(try await first.finish().status == 0)
                #expect(kit.events("file.done", by: first).count == 1)
                #expect(kit.names("out") == ["a.txt"])
                let second = try await kit.start()
                #expect(try await kit.said("file.done", by: second))
                #expect(try await kit.stop(second).status == 0)
                #expect(kit.executed == ["wait go", "b"])
            }
        }

        @Test("what is not finished within the bound is stopped, and taken up by the next")
        func bound() async throws {
            try await withScratch { scratch in
                let kit = try DaemonKit(in: scratch)
                try kit.configure(also: "daemon: {drain: 100ms}")
                let first = try await kit.start()
                try kit.drop("a.mp4", "wait go")
                #expect(try await eventually { kit.executed == ["wait go"] })
                let outcome = try await kit.stop(first)
                #expect(outcome.status == 0 && outcome.elapsed < .seconds(15), "\(outcome)")
                #expect(kit.events("daemon.stopping", by: first).count == 1)
                try kit.write("go", "")
                let second = try await kit.start()
                #expect(try await kit.said("file.done", by: second))
                #expect(try await kit.stop(second).status == 0)
                #expect(kit.names("out") == ["a.txt"])
            }
        }

        @Test("SIGHUP: a faulty configuration is refused with its lines and the one before holds; a sound one is taken")
        func reload() async throws {
            try await withScratch { scratch in
                let kit = try DaemonKit(in: scratch)
                try kit.configure()
                let daemon = try await kit.start()
                try kit.configure("settel: 1s", also: "daemon: {items: none}\ntimetables: [{name: x, cron: '* *'}]")
                daemon.signal(SIGHUP)
                #expect(try await kit.said("configuration.refused", by: daemon))
                let text = try #require(kit.events("configuration.refused", by: daemon).first?["error.message"]?.string)
                for part in ["settel", "yaml:3:", "yaml:4:"] { #expect(text.contains(part), "\(text)") }
                try kit.drop("a.mp4", "a")
                #expect(try await kit.said("file.done", by: daemon))
                // A pipeline's parameter that there is not is a fault too.
                try kit.configure("set: {tune: high}")
                daemon.signal(SIGHUP)
                #expect(try await kit.said("configuration.refused", by: daemon, times: 2))
                try kit.configure("set: {tone: high}, after: move")
                daemon.signal(SIGHUP)
                #expect(try await kit.said("configuration.reloaded", by: daemon))
                #expect(try await eventually(within: .seconds(20)) { kit.names("in/done") == ["a.mp4"] })
                #expect(try await kit.stop(daemon).status == 0)
                #expect(kit.executed == ["a", "a"])
            }
        }

        @Test("it does not start with a faulty configuration, nor with none, and --check tells what it would keep")
        func refused() async throws {
            try await withScratch { scratch in
                let kit = try DaemonKit(in: scratch)
                let file = kit.mill.path("dubmill.yaml")
                #expect(try await kit.mill.dubmill("daemon", "--config", file).status == 1)
                try kit.configure("pipeline: cheep.yaml")
                let twice = try await kit.mill.dubmill("daemon", "--config", file)
                #expect(twice.status == 64 && twice.stderr.contains("settings.invalid"), "\(twice.stderr)")
                try kit.write("dubmill.yaml", "store: \(kit.mill.store)\n")
                #expect(try await kit.mill.dubmill("daemon", "--config", file).status == 64)
                try kit.configure(
                    also:
                        "timetables: [{name: nightly, cron: '@daily', pipeline: cheap.yaml, files: 'x/*', paused: true}]"
                )
                let checked = try await kit.mill.dubmill("daemon", "--config", file, "--check")
                #expect(checked.status == 0 && checked.stdout.contains("nightly") && checked.stdout.contains("paused"))
            }
        }

        /// A timetable that starts a manifest of two files and one that is not there.
        private func timetable(_ kit: DaemonKit, _ more: String = "") throws {
            try kit.drop("../library/a.mp4", "wait go")
            try kit.drop("../library/b.mp4", "b")
            try kit.write(
                "nightly.csv", "file,set.tone,out\nlibrary/a.mp4,high,\nlibrary/b.mp4,,else\nlibrary/c.mp4,,\n")
            try kit.configure(
                also: "timetables: [{name: nightly, cron: '0 0 1 * *', batch: nightly.csv, pipeline: cheap.yaml,"
                    + " out: out\(more)}]")
        }

        /// As if the timetable had last been seen two years ago.
        private func longAgo(_ kit: DaemonKit) async throws {
            let script = """
                import sqlite3, sys, time
                ledger = sqlite3.connect(sys.argv[1], timeout=30)
                ledger.execute("DELETE FROM started")
                ledger.execute("INSERT INTO started VALUES ('nightly', ?, '', 'begun')", (time.time() - 2 * 366 * 86400,))
                ledger.commit()
                """
            try await Tool.run(
                "/usr/bin/python3", ["-c", script, kit.mill.store + "/ledger.sqlite"], in: kit.mill.folder)
        }

        @Test("times that were missed are made up for once, by one of two daemons; a batch that was killed is taken up")
        func missed() async throws {
            try await withScratch { scratch in
                let kit = try DaemonKit(in: scratch)
                try timetable(kit)
                let seen = try await kit.start()
                #expect(try await eventually { try await kit.mill.ledger("SELECT * FROM started").count == 1 })
                #expect(try await kit.stop(seen).status == 0)
                #expect(kit.executed.isEmpty, "a new timetable has missed nothing")
                try await longAgo(kit)
                let daemons = [try await kit.start(), try await kit.start()]
                #expect(try await eventually(within: .seconds(30)) { kit.executed.sorted() == ["b", "wait go"] })
                for daemon in daemons {
                    daemon.signal(SIGKILL)
                    _ = try await daemon.finish()
                }
                #expect(daemons.map { kit.events("batch.started", by: $0).count }.reduce(0, +) == 1)
                try kit.write("go", "")
                let next = try await kit.start()
                #expect(try await kit.said("timetable.resumed", by: next))
                #expect(try await kit.said("batch.finished", by: next))
                let told = try #require(kit.events("batch.finished", by: next).first?["items"]?.string)
                #expect(told == "1 failed, 2 passed")
                #expect(try await kit.stop(next).status == 0)
                #expect(kit.executed.sorted() == ["b", "wait go", "wait go"])
                #expect(kit.names("out") == ["a.txt"] && kit.names("else") == ["b.txt"])
                let last = try await kit.start()
                #expect(try await kit.stop(last).status == 0)
                #expect(kit.events("batch.started", by: last).isEmpty)
            }
        }

        @Test(
            "a time that comes while the batch before goes on: skip, queue, cancel-previous, allow",
            arguments: ["skip", "queue", "cancel-previous", "allow"])
        func overlap(rule: String) async throws {
            try await withScratch { scratch in
                let kit = try DaemonKit(in: scratch)
                try kit.drop("../library/a.mp4", "wait go")
                try kit.configure(
                    also: "timetables: [{name: nightly, cron: '0 0 1 1 *', files: 'library/*', pipeline: cheap.yaml,"
                        + " out: out, missed: all, overlap: \(rule)}]")
                let seen = try await kit.start()
                #expect(try await eventually { try await kit.mill.ledger("SELECT * FROM started").count == 1 })
                #expect(try await kit.stop(seen).status == 0)
                // Two times are made up for, at once.
                try await longAgo(kit)
                let daemon = try await kit.start()
                #expect(try await kit.said("batch.started", by: daemon))
                switch rule {
                case "skip": #expect(try await kit.said("timetable.overlapped", by: daemon))
                case "queue":
                    #expect(try await kit.said("timetable.waiting", by: daemon))
                    #expect(kit.events("batch.started", by: daemon).count == 1)
                default: #expect(try await kit.said("batch.started", by: daemon, times: 2))
                }
                // A configuration that is read again in the middle of it loses nothing, though the timetable is changed.
                try kit.configure(
                    also:
                        "\n\ntimetables: [{name: nightly, cron: '0 0 1 1 *', files: 'library/*', pipeline: cheap.yaml,"
                        + " out: out, missed: all, overlap: \(rule), priority: 3}]")
                daemon.signal(SIGHUP)
                #expect(try await kit.said("configuration.reloaded", by: daemon))
                if rule == "cancel-previous" { #expect(try await kit.said("batch.finished", by: daemon)) }
                #expect(try await eventually { kit.executed.contains("wait go") })
                try kit.write("go", "")
                #expect(try await kit.said("batch.finished", by: daemon, times: rule == "skip" ? 1 : 2))
                #expect(try await kit.stop(daemon).status == 0)
                let told = kit.events("batch.finished", by: daemon).compactMap { $0["items"]?.string }
                #expect(
                    told
                        == (rule == "skip"
                            ? ["1 passed"]
                            : rule == "cancel-previous"
                                ? ["1 cancelled", "1 passed"]
                                : ["1 passed", "1 passed"]))
                #expect(kit.names("out") == ["a.txt"])
            }
        }

        @Test(
            "missed: skip leaves them out, and a paused timetable starts nothing",
            arguments: ["missed: skip", "paused: true"])
        func skipped(rule: String) async throws {
            try await withScratch { scratch in
                let kit = try DaemonKit(in: scratch)
                try timetable(kit, ", \(rule)")
                let seen = try await kit.start()
                #expect(try await eventually { try await kit.mill.ledger("SELECT * FROM started").count == 1 })
                #expect(try await kit.stop(seen).status == 0)
                try await longAgo(kit)
                let daemon = try await kit.start()
                let event = rule.hasPrefix("missed") ? "timetable.missed" : "timetable.paused"
                #expect(try await kit.said(event, by: daemon))
                #expect(try await kit.stop(daemon).status == 0)
                #expect(kit.executed.isEmpty)
            }
        }
    }
}
