public import Foundation
internal import Glibc
internal import DubCore

/// A server on a Unix socket or on a port of 127.0.0.1 that says exactly what a test tells it to, byte by byte.
///
/// Each connection is served by `handler` on a thread of its own. It stops with its last reference.
public final class LoopbackServer: Sendable {
    /// Where it listens: the Unix socket, or `nil`.
    public let socketPath: String?
    /// The port on 127.0.0.1; 0 with a Unix socket.
    public let port: UInt16
    private let listener: Int32
    private let accepted = Locked(0)

    /// Connections that were taken so far.
    public var connections: Int { accepted.withLock { $0 } }

    /// Starts listening, on `socketPath` or, without one, on a free port.
    public init(
        at socketPath: String? = nil, handler: @escaping @Sendable (LoopbackConnection) -> Void
    ) throws {
        let family = socketPath == nil ? AF_INET : AF_UNIX
        let listener = socket(family, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard listener >= 0 else { throw POSIXError(.init(rawValue: errno) ?? .EIO) }
        let status = socketPath.map { Self.bind(listener, toPath: $0) } ?? Self.bindToPort(listener)
        guard status == 0, listen(listener, 64) == 0 else {
            defer { close(listener) }
            throw POSIXError(.init(rawValue: errno) ?? .EIO)
        }
        self.listener = listener
        self.socketPath = socketPath
        port = socketPath == nil ? Self.port(of: listener) : 0
        let thread = Thread { [weak self] in
            while true {
                let descriptor = accept(listener, nil, nil)
                guard descriptor >= 0 else {
                    if errno == EINTR || errno == ECONNABORTED { continue }
                    break
                }
                self?.accepted.withLock { $0 += 1 }
                Thread.detachNewThread { handler(LoopbackConnection(descriptor)) }
            }
            close(listener)
        }
        thread.start()
    }

    deinit {
        // The thread closes the descriptor: closing it here would let accept run on a stranger's.
        shutdown(listener, Int32(SHUT_RDWR))
    }

    private static func bind(_ listener: Int32, toPath path: String) -> Int32 {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) {
            $0.copyBytes(from: Array(path.utf8).prefix($0.count - 1))
        }
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.bind(listener, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
    }

    private static func bindToPort(_ listener: Int32) -> Int32 {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.bind(listener, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }

    private static func port(of listener: Int32) -> UInt16 {
        var address = sockaddr_in()
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        _ = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(listener, $0, &size) }
        }
        return UInt16(bigEndian: address.sin_port)
    }
}

/// One connection to a `LoopbackServer`, closed with its last reference. All calls block.
public final class LoopbackConnection: Sendable {
    /// A request as it came over the wire.
    public struct Request: Sendable {
        /// The request line and the header lines.
        public var head: [String]
        /// The body.
        public var body: Data
    }

    private let descriptor: Int32

    init(_ descriptor: Int32) {
        self.descriptor = descriptor
    }

    deinit {
        close(descriptor)
    }

    /// Reads a request with its body; `nil` where the peer has closed.
    public func readRequest() -> Request? {
        var head: [UInt8] = []
        var byte: UInt8 = 0
        while !head.suffix(4).elementsEqual([13, 10, 13, 10]) {
            guard read(descriptor, &byte, 1) == 1 else { return nil }
            head.append(byte)
        }
        let lines = String(decoding: head, as: UTF8.self).components(separatedBy: "\r\n").filter {
            !$0.isEmpty
        }
        let length =
            lines.first { $0.lowercased().hasPrefix("content-length:") }
            .flatMap { Int($0.dropFirst(15).trimmingCharacters(in: .whitespaces)) } ?? 0
        var body = [UInt8](repeating: 0, count: length)
        var filled = 0
        while filled < length {
            let count = body.withUnsafeMutableBytes { bytes in
                bytes.baseAddress.map { read(descriptor, $0 + filled, length - filled) } ?? 0
            }
            guard count > 0 else { return nil }
            filled += count
        }
        return Request(head: lines, body: Data(body))
    }

    /// Sends bytes.
    ///
    /// - Returns: `false` where the peer has closed.
    @discardableResult
    public func write(_ bytes: some Sequence<UInt8>) -> Bool {
        var rest = Array(bytes)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes {
                send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return false }
            rest = rest.dropFirst(count)
        }
        return true
    }

    /// Sends text.
    @discardableResult
    public func write(_ text: String) -> Bool { write(Array(text.utf8)) }

    /// Sends a whole answer.
    @discardableResult
    public func answer(_ body: String = "", status: String = "200 OK", headers: [String] = []) -> Bool {
        let fields = (headers + ["Content-Length: \(body.utf8.count)"]).joined(separator: "\r\n")
        return write("HTTP/1.1 \(status)\r\n\(fields)\r\n\r\n\(body)")
    }

    /// Blocks until the peer closes its end; what it sends is thrown away.
    public func waitForClose() {
        var buffer = [UInt8](repeating: 0, count: 4096)
        while read(descriptor, &buffer, buffer.count) > 0 {}
    }
}
