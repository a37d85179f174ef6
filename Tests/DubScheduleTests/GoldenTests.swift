import DubSchedule
import Foundation
import Testing

/// Times that others worked out: see Golden/make-golden.
@Suite struct GoldenTimes {
    private static func rows(_ name: String) throws -> [[Substring]] {
        let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Golden/\(name)")
        return try String(contentsOf: file, encoding: .utf8).split(separator: "\n").map { $0.split(separator: "\t") }
    }

    private func minute(_ number: Int) -> Date { Date(timeIntervalSince1970: Double(number) * 60) }

    @Test("10,000 random expressions come to pass when croniter says")
    func utc() throws {
        let rows = try Self.rows("utc.tsv")
        #expect(rows.count == 10_000)
        var wrong: [String] = []
        for row in rows {
            let cron = try CronExpression(String(row[0]))
            let numbers = row.dropFirst().compactMap { Int($0) }
            try #require(numbers.count == 5)
            let start = minute(numbers[0])
            let next = cron.times(3, after: start, in: .gmt)
            if next != numbers[1...3].map({ minute(numbers[0] + $0) }) { wrong.append("\(row): \(next)") }
            let previous = cron.previous(before: start, in: .gmt)
            if previous != minute(numbers[0] + numbers[4]) { wrong.append("\(row): \(String(describing: previous))") }
        }
        #expect(wrong.isEmpty, "\(wrong.count): \(wrong.prefix(5))")
    }

    @Test("where clocks change, what runs is what Vixie cron runs, forwards and backwards")
    func clocks() throws {
        let rows = try Self.rows("clocks.tsv")
        #expect(rows.count == 600)
        var wrong: [String] = []
        for row in rows {
            let zone = try TimeZone(named: String(row[0]))
            let cron = try CronExpression(String(row[1]))
            let numbers = row.dropFirst(2).compactMap { Int($0) }
            let (start, end) = (minute(numbers[0]), minute(numbers[0] + numbers[1]))
            let wanted = numbers.dropFirst(2).map { minute(numbers[0] + $0) }
            let found = cron.times(wanted.count + 1, after: start, in: zone).filter { $0 <= end }
            if found != wanted { wrong.append("\(row.joined(separator: " ")): \(found)") }
            var back: [Date] = []
            var last = end.addingTimeInterval(60)
            while let time = cron.previous(before: last, in: zone), time > start {
                back.insert(time, at: 0)
                last = time
            }
            if back != wanted { wrong.append("back \(row.joined(separator: " ")): \(back)") }
        }
        #expect(wrong.isEmpty, "\(wrong.count): \(wrong.prefix(5))")
    }
}
