internal import ArgumentParser
internal import DubCore
internal import DubRunner
internal import Foundation

/// Bytes as people write them: `50GiB`, `1.5TB`, `1000`.
struct ByteCount: ExpressibleByArgument, Hashable, Sendable {
    var bytes: Int64

    /// - Returns: `nil` for what is neither a whole number of bytes nor a size with a unit.
    init?(argument: String) {
        guard let bytes = Quantity.size(argument) ?? Int64(argument), bytes >= 0 else { return nil }
        self.bytes = bytes
    }

    /// `1.5 GiB`.
    static func text(_ bytes: Int64) -> String {
        var value = Double(bytes)
        var units = ["B", "KiB", "MiB", "GiB", "TiB"][...]
        while value >= 1023.95, units.count > 1 {
            value /= 1024
            units = units.dropFirst()
        }
        return units.first == "B" ? "\(bytes) B" : String(format: "%.1f ", value) + (units.first ?? "")
    }
}

/// A stretch of time as people write it: `30d`, `12h`, `90m`, `2w`.
struct Age: ExpressibleByArgument, Hashable, Sendable {
    var seconds: Double

    /// - Returns: `nil` for what is no number with a unit.
    init?(argument: String) {
        guard let duration = Quantity.duration(argument) else { return nil }
        seconds = duration.seconds
    }
}
