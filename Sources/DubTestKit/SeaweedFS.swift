internal import DubWorkers
internal import Foundation
internal import Glibc

/// A SeaweedFS of the test's own on 127.0.0.1, with one identity that may do everything: a store that speaks S3.
public struct SeaweedFS: Sendable {
    /// The access key of its identity.
    public static let accessKey = "MILLACCESS"
    /// The secret key of its identity.
    public static let secretKey = "MILLSECRET"

    /// `http://127.0.0.1:PORT`.
    public let address: String

    /// Where `scripts/setup services` puts the program; `nil` where it was not run.
    public static let program: String? = {
        let environment = ProcessInfo.processInfo.environment
        let data = environment["XDG_DATA_HOME"] ?? "\(environment["HOME"] ?? NSHomeDirectory())/.local/share"
        let path = "\(data)/dubmill/services/weed"
        return FileManager.default.isExecutableFile(atPath: path) ? path : nil
    }()

    /// Starts one, runs `body`, and ends it, whatever happened; it ends with the test process too.
    public static func run<Value: Sendable>(
        _ body: @Sendable @escaping (SeaweedFS) async throws -> Value
    ) async throws -> Value {
        guard let program else { throw Failure(reason: "SeaweedFS is not installed: run make test-services") }
        return try await withScratch { scratch in
            let ports = try freePorts(10)
            let config = scratch.appendingPathComponent("s3.json")
            try Data(
                """
                {"identities":[{"name":"mill","credentials":[{"accessKey":"\(accessKey)","secretKey":"\(secretKey)"}],
                "actions":["Admin","Read","Write","List","Tagging"]}]}
                """.utf8
            ).write(to: config)
            try FileManager.default.createDirectory(
                at: scratch.appendingPathComponent("data"), withIntermediateDirectories: false)
            var environment = WorkerLaunch.minimalEnvironment()
            environment["WEED_S3_SSE_KEK"] = String(repeating: "5a", count: 32)
            let launch = WorkerLaunch(
                executable: program,
                arguments: [
                    "mini", "-dir=\(scratch.path)/data", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-webdav=false",
                    "-admin.ui=false", "-s3.config=\(config.path)", "-s3.port=\(ports[0])",
                    "-s3.port.grpc=\(ports[1])", "-s3.port.iceberg=0", "-s3.port.lance=0",
                    "-master.port=\(ports[2])", "-master.port.grpc=\(ports[3])", "-volume.port=\(ports[4])",
                    "-volume.port.grpc=\(ports[5])", "-filer.port=\(ports[6])", "-filer.port.grpc=\(ports[7])",
                    "-admin.port=\(ports[8])", "-admin.port.grpc=\(ports[9])",
                ], environment: environment, folder: scratch.path)
            let log = Box<[String]>([])
            // Not a child task: its end is waited for below, by hand.
            let server = Task {
                let ending = try await ProgramRun.run(launch) { line in log.update { $0.append(line) } }
                throw Failure(reason: "it ended with \(ending.description)")
            }
            let store = SeaweedFS(address: "http://127.0.0.1:\(ports[0])")
            do {
                // Its first start on a machine takes a while: 150 MB are read.
                guard try await eventually(within: .seconds(60), { isListening(ports[0]) && isListening(ports[6]) })
                else { throw Failure(reason: "SeaweedFS did not start: \(log.value.suffix(20))") }
                let value = try await body(store)
                server.cancel()
                _ = await server.result
                return value
            } catch {
                server.cancel()
                _ = await server.result
                throw error
            }
        }
    }

    /// Why there is no server.
    public struct Failure: Error, CustomStringConvertible {
        /// A sentence.
        public var reason: String
        /// The sentence.
        public var description: String { reason }
    }

    private static func address(_ port: UInt16) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        return address
    }

    private static func isListening(_ port: UInt16) -> Bool {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        defer { close(descriptor) }
        var address = address(port)
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
    }

    /// Ports that nobody listens on, all held at once while they are looked for.
    private static func freePorts(_ count: Int) throws -> [UInt16] {
        var held: [Int32] = []
        defer { for descriptor in held { close(descriptor) } }
        return try (0..<count).map { _ in
            let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
            held.append(descriptor)
            var address = address(0)
            var size = socklen_t(MemoryLayout<sockaddr_in>.size)
            let status = withUnsafeMutablePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { place in
                    bind(descriptor, place, size) == 0 ? getsockname(descriptor, place, &size) : -1
                }
            }
            guard status == 0 else { throw Failure(reason: "there is no free port") }
            return UInt16(bigEndian: address.sin_port)
        }
    }
}
