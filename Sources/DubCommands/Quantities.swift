internal import ArgumentParser
internal import DubCore
internal import Foundation

/// Bytes as people write them: `50GiB`, `1.5 TB`, `1000`.
struct ByteCount: ExpressibleByArgument, Hashable, Sendable {
    var bytes: Int64

    /// - Returns: `nil` for what is no number ≥ 0 with one of the units B, KB, KiB, … TiB.
    init?(argument: String) {
        let text = argument.trimmingCharacters(in: .whitespaces).lowercased()
        let number = text.prefix { $0.isNumber || $0 == "." }
        let unit = text.dropFirst(number.count).trimmingCharacters(in: .whitespaces)
        let powers = ["k": 1, "m": 2, "g": 3, "t": 4]
        var scale = 1.0
        if !unit.isEmpty, unit != "b" {
            guard let power = unit.first.flatMap({ powers[String($0)] }), ["", "b", "ib"].contains(unit.dropFirst())
            else { return nil }
            // `50G` is meant as 50 GiB by who leaves the rest away.
            scale = pow(unit.hasSuffix("b") && !unit.hasSuffix("ib") ? 1000 : 1024, Double(power))
        }
        guard let value = Double(number), value.isFinite, value * scale < Double(Int64.max) else { return nil }
        bytes = Int64(value * scale)
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

    /// - Returns: `nil` for what is no number ≥ 0 with one of the units.
    init?(argument: String) {
        let units = ["m": 60.0, "h": 3600, "d": 86_400, "w": 604_800]
        guard let unit = argument.last.flatMap({ units[String($0)] }), let value = Double(argument.dropLast()),
            value.isFinite, value >= 0
        else { return nil }
        seconds = value * unit
    }
}
