import DubCore
import DubTestKit
import Testing

@testable import DubHTTP

@Suite struct HTTPAddressTests {
    @Test(
        "an address is told without its query",
        arguments: [
            ("https://host/a%20b.mp4?sig=hush", "https://host/a%20b.mp4"), ("HTTP://h:8080", "http://h:8080/"),
            ("https://[2001:db8::1]:443/x#y", "https://[2001:db8::1]/x"), ("https://h:443?hush", "https://h/"),
        ])
    func shown(url: String, shown: String) {
        #expect(HTTPAddress(url)?.shown == shown)
    }

    @Test(
        "what programs understand in different ways is none",
        arguments: [
            "https://user@host/", "https://good.example\\@127.0.0.1/", "https://good.example@127.0.0.1/", "ftp://h/",
            "https://", "https:///x", "https://h:0/", "https://h:99999/", "https://h:8 0/", "https://h/a b",
            "https://hôst/", "https://[::1/", "file:///etc/passwd", "https://h\n.example/", "https://h%2e/",
        ])
    func none(url: String) {
        #expect(HTTPAddress(url) == nil)
    }

    @Test(
        "addresses that are not of the internet are told apart",
        arguments: [
            ("127.0.0.1", false), ("127.9.9.9", false), ("0.0.0.0", false), ("10.1.2.3", false),
            ("172.15.0.1", true), ("172.16.0.1", false), ("172.31.255.255", false), ("172.32.0.1", true),
            ("192.168.0.1", false), ("169.254.169.254", false), ("100.64.0.1", false), ("100.128.0.1", true),
            ("198.18.0.1", false), ("224.0.0.1", false), ("255.255.255.255", false), ("8.8.8.8", true),
            ("::1", false), ("::", false), ("fe80::1", false), ("fd00::1", false), ("ff02::1", false),
            ("::ffff:127.0.0.1", false), ("::ffff:8.8.8.8", true), ("64:ff9b::a00:1", false), ("2002:7f00:1::", false),
            ("2001:db8::1", false), ("2001:4860:4860::8888", true),
            // Other ways to write 127.0.0.1.
            ("2130706433", false), ("0x7f.1", false), ("127.1", false), ("0177.0.0.1", false), ("localhost", false),
        ])
    func special(name: String, isPublic: Bool) throws {
        let found = try InternetAddress.all(of: name)
        #expect(!found.isEmpty && found.allSatisfy { $0.isPublic == isPublic }, "\(found.map(\.text))")
    }

    @Test("a host of one's own network is refused, unless it is allowed")
    func own() async throws {
        let address = try #require(HTTPAddress("http://localhost:1/x?hush"))
        let error = await failure { _ = try await address.resolved(areOwnAllowed: false) }
        #expect(error?.code == .httpOwnAddress && error?.place == "http://localhost:1/x")
        #expect(try await address.resolved(areOwnAllowed: true).contains("127.0.0.1"))
    }

    @Test("a request goes to the address that was looked up, whatever the name would be now")
    func pinned() async throws {
        let server = try LoopbackServer { connection in
            while connection.readRequest() != nil {
                connection.write("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nhere".utf8)
            }
        }
        var request = HTTPRequest("GET", "http://no-such-host.invalid:\(server.port)/")
        request.addresses = ["127.0.0.1"]
        #expect(try await HTTPClient().send(request).status == 200)
    }
}
