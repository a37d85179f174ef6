import DubCore
import DubTestKit
import Foundation
import Testing

extension EndToEnd {
    /// What others make of the daemon: schemathesis of its API, promtool of its figures and rules, systemd of its unit.
    @Suite struct Operations {
        static let tools: String = {
            let environment = ProcessInfo.processInfo.environment
            let data = environment["XDG_DATA_HOME"] ?? "\(environment["HOME"] ?? NSHomeDirectory())/.local/share"
            return "\(data)/dubmill/api-tests"
        }()
        static let hasTools = FileManager.default.isExecutableFile(atPath: "\(tools)/promtool")
        static let analyze = "/usr/bin/systemd-analyze"

        @Test(
            "schemathesis finds no 5xx, and no answer that the description does not know",
            .enabled(if: hasTools, "scripts/setup api was not run"))
        func schemathesis() async throws {
            try await withScratch { scratch in
                // It does not know that a body may be too large.
                let service = try await ServiceKit(in: scratch, "body: 64MiB")
                let (daemon, address) = try await service.start()
                try service.put("a.mp4", "a")
                let run = try await service.submit(address, "a.mp4").id
                #expect(try await service.becomes("passed", run, at: address))
                // Events of runs that go on have no end to wait for: they have tests of their own.
                let process = try Running(
                    "\(Self.tools)/bin/schemathesis",
                    [
                        "run", "http://\(address)/openapi.json", "--header", "Authorization: Bearer \(service.writer)",
                        "--max-examples", "60", "--seed", "1", "--workers", "1", "--no-color",
                        "--exclude-operation-id", "followRun", "--request-timeout", "20", "--generation-database",
                        "none",
                        "--checks",
                        "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,response_headers_conformance,negative_data_rejection,unsupported_method,ignored_auth,missing_required_header",
                    ],
                    environment: ["PATH": "/usr/bin:/bin", "HOME": scratch.path, "LANG": "C.UTF-8"],
                    currentFolder: scratch, logs: scratch)
                let outcome = try await process.finish()
                #expect(outcome.status == 0, "\(outcome.stdout.suffix(8000))\n\(outcome.stderr.suffix(2000))")
                #expect(try await service.get(address, "/healthz").status == 200)
                #expect(try await service.kit.stop(daemon).status == 0)
                #expect(service.kit.events("http.failed", by: daemon).isEmpty)
            }
        }

        @Test(
            "promtool finds nothing to object to in metrics and rules, and the rules say what they should",
            .enabled(if: hasTools, "scripts/setup api was not run"))
        func promtool() async throws {
            try await withScratch { scratch in
                let rules = Tool.repository.appendingPathComponent("docs/operations")
                try await Tool.run(
                    "\(Self.tools)/promtool", ["check", "rules", "\(rules.path)/alerts.yaml"], in: scratch)
                try await Tool.run(
                    "\(Self.tools)/promtool", ["test", "rules", "\(rules.path)/alerts.test.yaml"], in: scratch)
                let service = try await ServiceKit(in: scratch)
                let (daemon, address) = try await service.start()
                try service.put("a.mp4", "a")
                let run = try await service.submit(address, "a.mp4").id
                #expect(try await service.becomes("passed", run, at: address))
                let text = try await service.get(address, "/metrics").text
                try service.kit.write("metrics", text)
                let told = try await Tool.run(
                    "/bin/sh",
                    ["-c", "\(Self.tools)/promtool check metrics < \(service.kit.mill.path("metrics")) 2>&1"],
                    in: scratch)
                #expect(told.isEmpty, "\(told)")
                // What rules and dashboard ask for is told.
                for file in ["alerts.yaml", "grafana.json"] {
                    let asked = try String(contentsOf: rules.appendingPathComponent(file), encoding: .utf8)
                    for match in asked.matches(of: /dubmill_[a-z_]+[a-z]/) {
                        let family = match.output.replacing(/_(bucket|sum|count)$/, with: "")
                        #expect(text.contains("# TYPE \(family) "), "\(family) of \(file)")
                    }
                }
                #expect(try await service.kit.stop(daemon).status == 0)
            }
        }

        @Test(
            "systemd understands the unit",
            .enabled(if: FileManager.default.isExecutableFile(atPath: analyze), "there is no systemd"))
        func unit() async throws {
            try await withScratch { scratch in
                let unit = Tool.repository.appendingPathComponent("docs/operations/dubmill.service")
                let text = try String(contentsOf: unit, encoding: .utf8).replacing(
                    "/usr/local/bin/dubmill", with: "/bin/true")
                let copy = scratch.appendingPathComponent("dubmill.service")
                try Data(text.utf8).write(to: copy)
                let told = try await Tool.run(
                    "/bin/sh", ["-c", "\(Self.analyze) verify --man=no \(copy.path) 2>&1"], in: scratch)
                #expect(!told.contains("dubmill.service:"), "\(told)")
            }
        }
    }
}
