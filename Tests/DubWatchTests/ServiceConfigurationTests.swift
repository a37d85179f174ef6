import DubCore
import DubWatch
import Testing

@Suite struct ServiceConfigurations {
    private func daemon(_ text: String) throws -> DaemonConfiguration {
        try ConfigurationReader.daemon(text, file: "/srv/dubmill.yaml", others: ["store", "to"])
    }

    @Test("http and notify are read, paths are from the file's folder")
    func whole() throws {
        let read = try daemon(
            """
            to: de
            daemon: {stuck: 30m}
            http:
              listen: "[::]:9000"
              tls: {certificate: tls/cert.pem, key: /etc/key.pem}
              tokens: tokens.json
              roots: [in, /media]
              out: made
              pipelines: [dub, own.yaml]
              body: 64KiB
              headers: 8KiB
              followers: 10
              connections: 20
              idle: 1.5s
            notify:
              - {kind: webhook, url: "https://x/", key-file: hook.key, on: failed}
              - {kind: pagerduty, key-env: PD}
            """)
        let http = try #require(read.http)
        #expect(http.host == "::" && http.port == 9000 && http.place == "[::]:9000" && !http.isOnLoopback)
        #expect(http.certificate == .init(chain: "/srv/tls/cert.pem", key: "/etc/key.pem"))
        #expect(http.roots == ["/srv/in", "/media"] && http.out == "/srv/made" && http.tokens == "/srv/tokens.json")
        #expect(http.pipelines == ["dub", "/srv/own.yaml"])
        #expect(http.bodyLimit == 65536 && http.headerLimit == 8192 && http.followers == 10 && http.idle == 1.5)
        #expect(read.stuck == 1800 && read.base.defaults == ["to": ["de"]])
        #expect(read.notify.map(\.kind) == [.webhook, .pagerduty])
        #expect(read.notify[0].events == [.failed] && read.notify[0].key == .file("/srv/hook.key"))
        #expect(read.notify[1].events == [.quarantined, .stuck] && read.notify[1].key == .environment("PD"))
    }

    @Test(
        "addresses",
        arguments: [("8720", "127.0.0.1:8720"), ("localhost:1", "localhost:1"), ("\"[::1]:0\"", "[::1]:0")])
    func addresses(text: String, place: String) throws {
        let entry = try #require(try daemon("http: {listen: \(text)}").http)
        #expect(entry.place == place && entry.isOnLoopback)
    }

    @Test(
        "what is wrong is told",
        arguments: [
            "http: {listen: \"::1:80\"}", "http: {listen: \"x:99999\"}", "http: {listen: \":80\"}", "http: {body: 1}",
            "http: {idle: 1ms}", "http: {tls: {certificate: a}}", "http: {anonymous: all}",
            "http: {behind_proxy: true}",
            "notify: [{url: \"https://x/\"}]", "notify: [{kind: slack}]",
            "notify: [{kind: webhook, url: \"https://x/\"}]",
        ])
    func faults(text: String) {
        #expect(throws: DubError.self) { try daemon(text) }
    }
}
