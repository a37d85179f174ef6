import DubCore
import DubTestKit
import Foundation
import Testing

extension EndToEnd {
    /// Watched folders.
    @Suite struct Watching {
        @Test("a file is taken when it is whole, each content once, and put where it belongs")
        func whole() async throws {
            try await withScratch { scratch in
                let kit = try DaemonKit(in: scratch)
                try kit.configure("after: move")
                try kit.drop("before.mp4", "before")
                let daemon = try await kit.start()
                // One that is written piece by piece, with pauses longer than it has to stay as it is.
                let slow = URL(fileURLWithPath: kit.incoming + "/slow.mp4")
                try Data("first ".utf8).write(to: slow)
                let writer = try FileHandle(forWritingTo: slow)
                try writer.seekToEnd()
                try kit.drop("upload.mp4.part", "upload")
                try kit.drop(".hidden.mp4", "hidden")
                try kit.drop("notes.txt", "notes")
                try Data().write(to: URL(fileURLWithPath: kit.incoming + "/empty.mp4"))
                try kit.drop("s1/e1.mp4", "episode")
                try kit.drop("s2/again.mp4", "episode")
                #expect(try await eventually(within: .seconds(30)) { kit.names("in/done").count == 3 })
                #expect(kit.executed.sorted() == ["before", "episode"])
                try writer.write(contentsOf: Data("last\n".utf8))
                try writer.close()
                #expect(rename(kit.incoming + "/upload.mp4.part", kit.incoming + "/upload.mp4") == 0)
                #expect(try await eventually(within: .seconds(30)) { kit.names("in/done").count == 5 })
                #expect(kit.executed.sorted() == ["before", "episode", "first last", "upload"])
                #expect(kit.names("in/done") == ["before.mp4", "s1/e1.mp4", "s2/again.mp4", "slow.mp4", "upload.mp4"])
                let made = kit.names("out")
                #expect(
                    Set(made).isSuperset(of: ["before.txt", "slow.txt", "upload.txt"]) && made.count == 4, "\(made)")
                // The same again under another name is known, and put away.
                try kit.drop("copy.mp4", "upload")
                #expect(try await kit.said("file.known", by: daemon, times: 2))
                #expect(try await eventually { kit.names("in/done").contains("copy.mp4") })
                #expect(kit.executed.count == 4)
                #expect(try await kit.stop(daemon).status == 0)
                #expect(kit.names("in").filter { !$0.hasPrefix("done/") } == ["empty.mp4", "notes.txt"])
            }
        }

        @Test("where a marker is asked for, nothing is taken without; it goes with the file")
        func marker() async throws {
            try await withScratch { scratch in
                let kit = try DaemonKit(in: scratch)
                try kit.configure("ready: required, after: delete")
                let daemon = try await kit.start()
                try kit.drop("a.mp4", "a")
                try kit.drop("b.mp4", "b")
                try Data().write(to: URL(fileURLWithPath: kit.incoming + "/b.mp4.ready"))
                #expect(try await eventually(within: .seconds(30)) { kit.names("out") == ["b.txt"] })
                #expect(try await eventually { kit.names("in") == ["a.mp4"] })
                #expect(try await kit.stop(daemon).status == 0)
                #expect(kit.executed == ["b"])
            }
        }

        @Test("what is kept is done once, and again where what is asked for changes, by the folder's own file too")
        func kept() async throws {
            try await withScratch { scratch in
                let kit = try DaemonKit(in: scratch)
                try kit.configure()
                try kit.drop("a.mp4", "a")
                try kit.drop("b.trailer.mp4", "b")
                let first = try await kit.start()
                #expect(try await kit.said("file.done", by: first, times: 2))
                #expect(try await kit.stop(first).status == 0)
                let second = try await kit.start()
                #expect(try await kit.said("file.known", by: second, times: 2))
                try kit.write("in/.dubmill.yaml", "rules: [{match: '*.trailer.*', set: {tone: high}}]\n")
                #expect(try await kit.said("file.done", by: second))
                #expect(kit.executed.sorted() == ["a", "b", "b"])
                // A faulty one is told, and the one before holds.
                try kit.write("in/.dubmill.yaml", "rules: [{match: '*.trailer.*', sett: {tone: low}}]\n")
                #expect(try await kit.said("folder.configuration-refused", by: second))
                let refused = try #require(kit.events("folder.configuration-refused", by: second).first)
                #expect(refused["error.where"]?.string?.hasSuffix("/in/.dubmill.yaml:1:32") == true, "\(refused)")
                try kit.drop("c.mp4", "c")
                #expect(try await kit.said("file.done", by: second, times: 2))
                #expect(try await kit.stop(second).status == 0)
                #expect(kit.executed.sorted() == ["a", "b", "b", "c"])
            }
        }

        @Test("what fails is put apart with the reason, and may be tried again from there")
        func quarantine() async throws {
            try await withScratch { scratch in
                let kit = try DaemonKit(in: scratch)
                try kit.configure("after: move")
                let daemon = try await kit.start()
                try kit.drop("x/bad.mp4", "fail")
                #expect(try await kit.said("file.quarantined", by: daemon))
                #expect(kit.names("in/quarantine") == ["x/bad.mp4", "x/bad.mp4.reason.json"])
                let reason = try JSONValue.parse(
                    Data(contentsOf: URL(fileURLWithPath: kit.incoming + "/quarantine/x/bad.mp4.reason.json")))
                #expect(reason["error"]?["code"]?.string?.hasPrefix("exec") == true, "\(reason)")
                #expect(reason["file"]?.string == kit.incoming + "/x/bad.mp4")
                #expect(rename(kit.incoming + "/quarantine/x/bad.mp4", kit.incoming + "/bad.mp4") == 0)
                #expect(try await kit.said("file.quarantined", by: daemon, times: 2))
                #expect(try await kit.stop(daemon).status == 0)
                #expect(kit.executed == ["fail", "fail"])
            }
        }

        @Test("where the fault is not the file's, it stays, and nothing is put apart")
        func held() async throws {
            try await withScratch { scratch in
                let kit = try DaemonKit(in: scratch)
                try kit.configure("after: move, rules: [{match: 'a*', out: notes/made}]")
                try kit.write("notes", "a file where a folder should be")
                let daemon = try await kit.start()
                try kit.drop("a.mp4", "a")
                try kit.drop("b.mp4", "b")
                #expect(try await kit.said("file.held", by: daemon))
                #expect(try await kit.said("file.done", by: daemon))
                #expect(try await kit.stop(daemon).status == 0)
                #expect(kit.names("in") == ["a.mp4", "done/b.mp4"])
                #expect(kit.events("file.held", by: daemon).first?["error.code"] == "output.unwritable")
                #expect(try await kit.mill.ledger("SELECT count(*) FROM taken WHERE state <> 'done'") == [["0"]])
            }
        }

        @Test("two daemons share a folder, three write into it: each file once")
        func shared() async throws {
            try await withScratch { scratch in
                let kit = try DaemonKit(in: scratch)
                try kit.configure("after: move")
                let daemons = [try await kit.start(), try await kit.start()]
                let count = 60
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for writer in 0..<3 {
                        group.addTask {
                            for number in stride(from: writer, to: count, by: 3) {
                                try kit.drop("f\(number).mp4", "content \(number)")
                            }
                        }
                    }
                    try await group.waitForAll()
                }
                #expect(try await eventually(within: .seconds(90)) { kit.names("in/done").count == count })
                for daemon in daemons { #expect(try await kit.stop(daemon).status == 0) }
                #expect(kit.names("out").count == count)
                #expect(kit.executed.count == count && Set(kit.executed).count == count)
                #expect(kit.names("in").count == count, "nothing is left, nothing was lost")
                let shares = daemons.map { kit.events("file.done", by: $0).count }
                #expect(shares.reduce(0, +) == count && !shares.contains(0), "\(shares)")
                #expect(
                    try await kit.mill.ledger("SELECT state, count(*) FROM taken GROUP BY state") == [
                        ["done", "\(count)"]
                    ])
            }
        }

        @Test("killed: what it had begun, and what arrived meanwhile, is done by the next, and nothing twice")
        func killed() async throws {
            try await withScratch { scratch in
                let kit = try DaemonKit(in: scratch)
                try kit.configure("after: move")
                let first = try await kit.start()
                try kit.drop("quick.mp4", "quick")
                #expect(try await kit.said("file.done", by: first))
                try kit.drop("long.mp4", "wait go")
                #expect(try await eventually { kit.executed.contains("wait go") })
                first.signal(SIGKILL)
                #expect(try await first.finish().status == 128 + SIGKILL)
                try kit.drop("later.mp4", "later")
                try kit.write("go", "")
                let second = try await kit.start()
                #expect(try await kit.said("file.done", by: second, times: 2))
                #expect(try await kit.stop(second).status == 0)
                #expect(kit.names("in/done") == ["later.mp4", "long.mp4", "quick.mp4"])
                #expect(kit.names("out") == ["later.txt", "long.txt", "quick.txt"])
                #expect(kit.executed.sorted() == ["later", "quick", "wait go", "wait go"])
            }
        }

        @Test("a film that kills the worker whenever it is tried fails alone: those after it are dubbed")
        func poison() async throws {
            try await withScratch { scratch in
                var behaviour = StubWorker.Behaviour.hearing
                behaviour.dieAt = "at 280 hertz"
                let kit = try DaemonKit(in: scratch, behaviour: behaviour)
                try kit.write(
                    "dubmill.yaml",
                    "watch: [{folder: in, to: es, out: out, settle: 0.3s, after: move, set: {listen: false}}]\n"
                        + "daemon: {items: 1}\n")
                let daemon = try await kit.start()
                let bad = try await Clip(seconds: 13, name: "bad.mp4").make(in: scratch)
                #expect(rename(bad, kit.incoming + "/bad.mp4") == 0)
                #expect(
                    try await eventually(within: .seconds(60)) {
                        !kit.events("file.held", by: daemon).isEmpty
                            || !kit.events("file.quarantined", by: daemon).isEmpty
                    })
                let good = try await Clip(seconds: 6, name: "good.mp4").make(in: scratch)
                #expect(rename(good, kit.incoming + "/good.mp4") == 0)
                #expect(try await kit.said("file.done", by: daemon, within: .seconds(60)), "\(daemon.saidSoFar)")
                #expect(try await kit.stop(daemon).status == 0)
                #expect(kit.names("in/done") == ["good.mp4"])
            }
        }

        @Test("scripts beside a film go into its dub, each in its language; the others are translated")
        func sidecars() async throws {
            try await withScratch { scratch in
                let kit = try DaemonKit(in: scratch)
                try kit.write(
                    "dubmill.yaml",
                    "watch: [{folder: in, to: [es, fr], out: out, settle: 0.3s, after: move, set: {listen: false}}]\n")
                let clip = try await Clip(seconds: 6).make(in: scratch)
                try Data("1\n00:00:00,600 --> 00:00:02,700\nDe mano humana.\n".utf8)
                    .write(to: URL(fileURLWithPath: kit.incoming + "/film.es.srt"))
                #expect(rename(clip, kit.incoming + "/film.mp4") == 0)
                let daemon = try await kit.start()
                #expect(
                    try await eventually(within: .seconds(60)) {
                        kit.names("in/done") == ["film.es.srt", "film.mp4"]
                    }, "\(daemon.saidSoFar)")
                #expect(try await kit.stop(daemon).status == 0)
                #expect(Set(kit.names("out")).isSuperset(of: ["film.es.mp4", "film.fr.mp4"]), "\(kit.names("out"))")
                let spanish = try String(contentsOfFile: kit.mill.out + "/film.es.srt", encoding: .utf8)
                #expect(spanish.contains("De mano humana."))
                let french = try String(contentsOfFile: kit.mill.out + "/film.fr.srt", encoding: .utf8)
                #expect(french.contains("[fr]"))
            }
        }
    }
}
