internal import DubCore
internal import Foundation

/// The service manager that started the process, told how it is by sd_notify(3): a datagram to `$NOTIFY_SOCKET`.
struct ServiceManager: Sendable {
    private let socketPath: String?
    /// How often it has to hear that the process is well, so that it does not take it for hung: half of what it waits.
    let watchdog: Duration?

    init(environment: [String: String] = ProcessInfo.processInfo.environment) {
        socketPath = environment["NOTIFY_SOCKET"].flatMap { $0.hasPrefix("/") || $0.hasPrefix("@") ? $0 : nil }
        let isMeant = environment["WATCHDOG_PID"].map { Int32($0) == getpid() } ?? true
        let microseconds = isMeant ? environment["WATCHDOG_USEC"].flatMap { Int64($0) } : nil
        watchdog = microseconds.map { Duration.microseconds($0 / 2) }
    }

    func ready(_ status: String) { send("READY=1\nSTATUS=\(status)") }

    /// `ready` has to follow.
    func reloading() {
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        send("RELOADING=1\nMONOTONIC_USEC=\(Int64(now.tv_sec) * 1_000_000 + Int64(now.tv_nsec) / 1000)")
    }

    func stopping(_ status: String) { send("STOPPING=1\nSTATUS=\(status)") }

    func isWell() { send("WATCHDOG=1") }

    /// A manager that does not listen is none of ours to mind.
    private func send(_ text: String) {
        guard let socketPath else { return }
        let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        // A name that begins with @ is of the abstract kind, which has a zero there.
        let name = socketPath.hasPrefix("@") ? "\0" + String(socketPath.dropFirst()) : socketPath
        let bytes = Array(name.utf8)
        let room = MemoryLayout.size(ofValue: address.sun_path)
        guard bytes.count < room else { return }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        let length = socklen_t(MemoryLayout<sa_family_t>.size + bytes.count)
        let message = Array(text.utf8)
        let flags = Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT)
        _ = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                sendto(descriptor, message, message.count, flags, $0, length)
            }
        }
    }
}
