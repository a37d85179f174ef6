internal import DubCore
internal import Foundation

/// A numeric address of a host.
struct InternetAddress: Sendable, Hashable {
    /// 4 bytes, or 16.
    let bytes: [UInt8]

    /// Every address that a name stands for.
    static func all(of name: String) throws -> [InternetAddress] {
        var hints = addrinfo()
        hints.ai_family = AF_UNSPEC
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        defer { if let list { freeaddrinfo(list) } }
        let status = getaddrinfo(name, nil, &hints, &list)
        guard status == 0 else {
            throw DubError(
                .httpUnreachable, "The host's address cannot be found: \(String(cString: gai_strerror(status))).",
                at: name, fix: "Check the address.", persistence: .transient)
        }
        var found: [InternetAddress] = []
        var next = list
        while let entry = next?.pointee {
            if let address = entry.ai_addr.flatMap({ InternetAddress($0, family: entry.ai_family) }),
                !found.contains(address)
            {
                found.append(address)
            }
            next = entry.ai_next
        }
        return found
    }

    init(bytes: [UInt8]) {
        self.bytes = bytes
    }

    private init?(_ address: UnsafeMutablePointer<sockaddr>, family: Int32) {
        switch family {
        case AF_INET:
            bytes = address.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { place in
                withUnsafeBytes(of: place.pointee.sin_addr) { Array($0) }
            }
        case AF_INET6:
            bytes = address.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) { place in
                withUnsafeBytes(of: place.pointee.sin6_addr) { Array($0) }
            }
        default: return nil
        }
    }

    /// As libcurl reads it.
    var text: String {
        if bytes.count == 4 { return bytes.map(String.init).joined(separator: ".") }
        let groups = stride(from: 0, to: 16, by: 2).map { String(Int(bytes[$0]) << 8 | Int(bytes[$0 + 1]), radix: 16) }
        return "[\(groups.joined(separator: ":"))]"
    }

    /// Whether it is of the internet at large.
    ///
    /// Source: IANA's special-purpose address registries (RFC 6890 and its successors); those that hold an IPv4 address
    /// (mapped, NAT64, 6to4) are what that is.
    var isPublic: Bool {
        if bytes.count == 4 { return !Self.special4.contains { begins(with: $0.0, bits: $0.1) } }
        if begins(with: [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff], bits: 96)
            || begins(with: [0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0], bits: 96)
        {
            return InternetAddress(bytes: Array(bytes[12...])).isPublic
        }
        if begins(with: [0x20, 0x02], bits: 16) { return InternetAddress(bytes: Array(bytes[2..<6])).isPublic }
        // All that is given out is 2000::/3.
        return begins(with: [0x20], bits: 3) && !Self.special6.contains { begins(with: $0.0, bits: $0.1) }
    }

    private static let special4: [([UInt8], Int)] = [
        ([0], 8), ([10], 8), ([100, 64], 10), ([127], 8), ([169, 254], 16), ([172, 16], 12), ([192, 0, 0], 24),
        ([192, 0, 2], 24), ([192, 88, 99], 24), ([192, 168], 16), ([198, 18], 15), ([198, 51, 100], 24),
        ([203, 0, 113], 24), ([224], 3),
    ]
    private static let special6: [([UInt8], Int)] = [
        // Teredo, ORCHID and the like; documentation.
        ([0x20, 0x01, 0], 23), ([0x20, 0x01, 0x0d, 0xb8], 32), ([0x3f, 0xff, 0], 20),
    ]

    private func begins(with prefix: [UInt8], bits: Int) -> Bool {
        for bit in 0..<bits {
            let wanted = bit / 8 < prefix.count ? prefix[bit / 8] : 0
            let mask = UInt8(0x80) >> UInt8(bit % 8)
            if bytes[bit / 8] & mask != wanted & mask { return false }
        }
        return true
    }
}
