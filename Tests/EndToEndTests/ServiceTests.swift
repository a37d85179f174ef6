import DubCore
import DubHTTP
import DubTestKit
import Foundation
import Testing

extension EndToEnd {
    /// The daemon's control API: what it does.
    @Suite struct Services {
        @Test("what is submitted is queued, run, delivered and told; a key makes it be done once")
        func submit() async throws {
            try await withScratch { scratch in
                let service = try await ServiceKit(in: scratch)
                let (daemon, address) = try await service.start()
                try service.put("a.mp4", "a")
                try service.put("b.mp4", "b")
                let reply = try await service.submit(address, "a.mp4", "b.mp4", key: "order-1")
                #expect(reply.status == 202, "\(reply.text)")
                #expect(reply.headers["Location"] == "/v1/runs/\(reply.id)")
                #expect(try await service.becomes("passed", reply.id, at: address))
                #expect(service.kit.names("made") == ["a.txt", "b.txt"])
                let detail = try await service.get(address, "/v1/runs/\(reply.id)").json
                #expect(detail["items"]?.array?.count == 2 && detail["counts"] == ["passed": 2])
                #expect(detail["stages"]?.array?.first?["run"] == 2)
                let again = try await service.submit(address, "a.mp4", "b.mp4", key: "order-1")
                #expect(again.status == 202 && again.id == reply.id)
                let other = try await service.submit(address, "a.mp4", key: "order-1")
                #expect(other.status == 409 && other.code == "run.other-request")
                let found = try await service.kit.mill.dubmill("runs", "--format", "json")
                #expect(found.stdout.contains(reply.id))
                #expect(try await service.kit.stop(daemon).status == 0)
                #expect(service.kit.executed == ["a", "b"])
            }
        }

        @Test("lists come in pages, newest first, and by status")
        func pages() async throws {
            try await withScratch { scratch in
                let service = try await ServiceKit(in: scratch)
                let (daemon, address) = try await service.start()
                var submitted: Set<String> = []
                for index in 0..<5 {
                    try service.put("\(index).mp4", index == 3 ? "fail" : "\(index)")
                    submitted.insert(try await service.submit(address, "\(index).mp4").id)
                }
                #expect(
                    try await eventually(within: .seconds(30)) {
                        let page = try await service.get(address, "/v1/runs").json["runs"]?.array ?? []
                        return page.allSatisfy { ["passed", "failed"].contains($0["status"]?.string ?? "") }
                    })
                var (seen, before): ([String], String?) = ([], nil)
                for _ in 0..<3 {
                    let tail = before.map { "&before=\($0)" } ?? ""
                    let page = try await service.get(address, "/v1/runs?limit=2\(tail)").json
                    seen += page["runs"]?.array?.compactMap { $0["id"]?.string } ?? []
                    before = page["next"]?.string
                }
                #expect(before == nil && Set(seen) == submitted && seen.count == 5 && seen == seen.sorted(by: >))
                let failed = try await service.get(address, "/v1/runs?status=failed").json["runs"]?.array ?? []
                #expect(failed.count == 1)
                #expect(try await service.get(address, "/v1/runs?status=queued").json["runs"] == [])
                #expect(try await service.kit.stop(daemon).status == 0)
            }
        }

        @Test("events come as they happen; who lost the connection goes on where it broke, and the end is told once")
        func events() async throws {
            try await withScratch { scratch in
                let service = try await ServiceKit(in: scratch)
                let (daemon, address) = try await service.start()
                try service.put("a.mp4", "wait go")
                let run = try await service.submit(address, "a.mp4").id
                var first: [ServiceKit.Event] = []
                _ = try await service.follow(address, run) { event in
                    first.append(event)
                    return true
                }
                #expect(first.map(\.name) == ["run"] && first[0].data["id"]?.string == run)
                try service.kit.write("go", "")
                var second: [ServiceKit.Event] = []
                _ = try await service.follow(address, run, after: first.last?.id) { event in
                    second.append(event)
                    return false
                }
                #expect(second.last?.name == "end" && second.last?.data["status"] == "passed")
                let ids = (first + second).map(\.id)
                #expect(Set(ids).count == ids.count, "nothing is told twice: \(ids)")
                #expect(second.contains { $0.name == "node" && $0.data["state"] == "done" })
                #expect(try await service.follow(address, run, after: "end") { _ in true } == 204)
                // Whoever comes later is told how it ended.
                var late: [String] = []
                _ = try await service.follow(address, run) { event in
                    late.append(event.name)
                    return false
                }
                #expect(late == ["end"])
                #expect(try await service.kit.stop(daemon).status == 0)
            }
        }

        @Test("a run is cancelled while it waits or runs, and what is left of it is taken on again")
        func cancel() async throws {
            try await withScratch { scratch in
                let service = try await ServiceKit(in: scratch, also: "daemon: {items: 1}")
                let (daemon, address) = try await service.start()
                try service.put("a.mp4", "wait go")
                try service.put("b.mp4", "b")
                let first = try await service.submit(address, "a.mp4").id
                #expect(try await service.becomes("running", first, at: address))
                let second = try await service.submit(address, "b.mp4").id
                #expect(try await service.get(address, "/v1/runs/\(second)").json["status"] == "queued")
                #expect(try await service.post(address, "/v1/runs/\(first)/retry").code == "run.unfinished")
                for run in [second, first] {
                    #expect(try await service.post(address, "/v1/runs/\(run)/cancel").status == 202)
                    #expect(try await service.becomes("interrupted", run, at: address))
                }
                #expect(try await service.post(address, "/v1/runs/\(first)/cancel").status == 202)
                try service.kit.write("go", "")
                let again = try await service.post(address, "/v1/runs/\(first)/retry")
                #expect(again.status == 202 && again.id != first)
                #expect(try await service.becomes("passed", again.id, at: address))
                #expect(try await service.post(address, "/v1/runs/\(again.id)/retry").code == "run.nothing-left")
                #expect(try await service.post(address, "/v1/runs/none/retry").code == "run.unknown")
                #expect(try await service.kit.stop(daemon).status == 0)
                #expect(service.kit.names("made") == ["a.txt"])
            }
        }

        @Test("what was accepted outlives the daemon, under its name: killed, or stopped while it waits")
        func killed() async throws {
            try await withScratch { scratch in
                let service = try await ServiceKit(in: scratch, also: "daemon: {items: 1, drain: 100ms}")
                let (killed, address) = try await service.start()
                try service.put("a.mp4", "wait go")
                try service.put("b.mp4", "b")
                let first = try await service.submit(address, "a.mp4").id
                let second = try await service.submit(address, "b.mp4").id
                #expect(try await eventually { service.kit.executed == ["wait go"] })
                killed.signal(SIGKILL)
                _ = try await killed.finish()
                let (stopped, _) = try await service.start()
                #expect(try await service.kit.said("run.resumed", by: stopped, times: 2))
                #expect(try await service.kit.stop(stopped).status == 0)
                try service.kit.write("go", "")
                let (last, place) = try await service.start()
                #expect(try await service.becomes("passed", first, at: place))
                #expect(try await service.becomes("passed", second, at: place))
                #expect(try await service.kit.stop(last).status == 0)
                #expect(service.kit.names("made") == ["a.txt", "b.txt"])
            }
        }

        @Test("while it drains nothing is taken on, and readiness says so; health stays")
        func draining() async throws {
            try await withScratch { scratch in
                let service = try await ServiceKit(in: scratch)
                let (daemon, address) = try await service.start()
                try service.put("a.mp4", "wait go")
                let run = try await service.submit(address, "a.mp4").id
                #expect(try await service.becomes("running", run, at: address))
                #expect(try await service.get(address, "/readyz").status == 200)
                daemon.signal(SIGTERM)
                #expect(try await service.kit.said("daemon.draining", by: daemon))
                #expect(try await service.get(address, "/readyz").status == 503)
                #expect(try await service.get(address, "/healthz").status == 200)
                #expect(try await service.submit(address, "a.mp4").code == "service.draining")
                try service.kit.write("go", "")
                #expect(try await daemon.finish().status == 0)
            }
        }

        @Test("200 follow one run, each to its end; one more than may is told so")
        func followers() async throws {
            try await withScratch { scratch in
                let service = try await ServiceKit(in: scratch, "followers: 200")
                let (daemon, address) = try await service.start()
                try service.put("a.mp4", "wait go")
                let run = try await service.submit(address, "a.mp4").id
                let begun = Box(0)
                let ended = try await withThrowingTaskGroup(of: String.self) { group in
                    for _ in 0..<200 {
                        group.addTask {
                            var last = ""
                            _ = try await service.follow(address, run) { event in
                                if last.isEmpty { begun.update { $0 += 1 } }
                                last = event.name
                                return false
                            }
                            return last
                        }
                    }
                    #expect(try await eventually(within: .seconds(60)) { begun.value == 200 })
                    let one = try await service.get(address, "/v1/runs/\(run)/events")
                    #expect(one.status == 429 && one.code == "followers.too-many")
                    try service.kit.write("go", "")
                    var ended: [String] = []
                    for try await last in group { ended.append(last) }
                    return ended
                }
                #expect(ended.count == 200 && ended.allSatisfy { $0 == "end" })
                // Their places are free again.
                #expect(
                    try await eventually {
                        try await service.get(address, "/metrics").text.contains("dubmill_http_followers 0")
                    })
                #expect(try await service.kit.stop(daemon).status == 0)
            }
        }

        @Test("the description that is served is the one that is kept")
        func description() async throws {
            try await withScratch { scratch in
                let service = try await ServiceKit(in: scratch)
                let (daemon, address) = try await service.start()
                let served = try await service.ask("GET", address, "/openapi.json", token: nil).json
                let file = Tool.repository.appendingPathComponent("docs/openapi.json")
                let kept = try? JSONValue.parse(Data(contentsOf: file))
                #expect(served["openapi"] == "3.1.0")
                #expect(
                    served == kept,
                    "docs/openapi.json is old: take what GET /openapi.json says, by python3 -m json.tool")
                #expect(try await service.kit.stop(daemon).status == 0)
            }
        }

        @Test("metrics tell the queue, stages, verdicts and bytes, as Prometheus and as OpenMetrics")
        func metrics() async throws {
            try await withScratch { scratch in
                let service = try await ServiceKit(in: scratch)
                let (daemon, address) = try await service.start()
                try service.put("a.mp4", "a")
                try service.put("b.mp4", "fail")
                let run = try await service.submit(address, "a.mp4", "b.mp4").id
                #expect(try await service.becomes("failed", run, at: address))
                let plain = try await service.get(address, "/metrics")
                for line in [
                    "dubmill_queue_depth 0", "dubmill_stage_seconds_count{stage=\"copy\"} 1",
                    "dubmill_verdicts_total{verdict=\"passed\"} 1", "dubmill_verdicts_total{verdict=\"failed\"} 1",
                    "dubmill_dead_letters 1", "dubmill_bytes_total{direction=\"out\"} 2", "dubmill_worker_running 0",
                ] {
                    #expect(plain.text.contains(line + "\n"), "\(line) in \(plain.text)")
                }
                #expect(plain.headers["Content-Type"]?.hasPrefix("text/plain; version=0.0.4") == true)
                let open = try await service.get(address, "/metrics", ["Accept": "application/openmetrics-text"])
                #expect(open.text.hasSuffix("# EOF\n") && open.text.contains("# TYPE dubmill_verdicts counter\n"))
                #expect(try await service.kit.stop(daemon).status == 0)
            }
        }
    }
}
