import DubCore
import DubSchedule
import Foundation
import Testing

@Suite struct CronExpressions {
    private func time(_ text: String) throws -> Date { try Date(text, strategy: .iso8601) }

    @Test(
        "leap days come when they come",
        arguments: [
            ("0 0 29 2 *", "2023-03-01T00:00:00Z", "2024-02-29T00:00:00Z"),
            ("0 0 29 2 *", "2096-03-01T00:00:00Z", "2104-02-29T00:00:00Z"),
            ("0 0 29 2 */7", "2024-03-01T00:00:00Z", "2032-02-29T00:00:00Z"),
            ("59 23 31 12 *", "2024-12-31T23:59:00Z", "2025-12-31T23:59:00Z"),
            ("0 0 31 * *", "2024-03-31T00:00:00Z", "2024-05-31T00:00:00Z"),
            ("@weekly", "2024-02-28T00:00:00Z", "2024-03-03T00:00:00Z"),
            ("0 12 * * fri-sun", "2024-03-03T12:00:00Z", "2024-03-08T12:00:00Z"),
        ])
    func leap(text: String, after: String, next: String) throws {
        #expect(try CronExpression(text).next(after: time(after), in: .gmt) == time(next))
    }

    @Test("a moment within a minute counts as after it has begun")
    func seconds() throws {
        let cron = try CronExpression("* * * * *")
        let moment = try time("2024-01-01T00:00:00Z").addingTimeInterval(0.5)
        #expect(try cron.next(after: moment, in: .gmt) == time("2024-01-01T00:01:00Z"))
        #expect(try cron.previous(before: moment, in: .gmt) == time("2024-01-01T00:00:00Z"))
    }

    @Test(
        "what is malformed or never comes to pass is refused, with its field",
        arguments: [
            ("60 * * * *", "field 1"), ("* 24 * * *", "field 2"), ("* * 0 * *", "field 3"), ("* * * 13 *", "field 4"),
            ("* * * * 8", "field 5"), ("5/2 * * * *", "field 1"), ("*/0 * * * *", "field 1"),
            ("*/90 * * * *", "field 1"),
            ("5-1 * * * *", "field 1"), (", * * * *", "field 1"), ("* * * * *  *", "6 fields"), ("@noon", "@daily"),
            ("", "0 fields"), ("0 0 30 2 *", "never"), ("0 0 31 4,6,9,11 *", "never"), ("a * * * *", "field 1"),
            ("-1 * * * *", "field 1"), ("1- * * * *", "field 1"), ("١ * * * *", "field 1"), ("* * * foo *", "field 4"),
            ("1,,2 * * * *", "field 1"), ("1/2/3 * * * *", "field 1"), ("99999999999999999999 * * * *", "field 1"),
        ])
    func refused(text: String, says: String) throws {
        let error = #expect(throws: DubError.self) { _ = try CronExpression(text) }
        #expect(error?.code == .scheduleInvalid)
        #expect(error?.description.contains(says) == true, "\(String(describing: error))")
    }

    @Test("every bad field is told at once")
    func allFaults() throws {
        let error = #expect(throws: DubError.self) { _ = try CronExpression("60 24 * * xyz") }
        for field in ["field 1", "field 2", "field 5"] { #expect(error?.place.contains(field) == true) }
    }

    @Test("there is no time past the year 9999, nor before the year 1")
    func ends() throws {
        let cron = try CronExpression("@yearly")
        #expect(try cron.next(after: time("9999-06-01T00:00:00Z"), in: .gmt) == nil)
        #expect(cron.next(after: .distantFuture.addingTimeInterval(1e15), in: .gmt) == nil)
    }

    @Test("zones go by their names alone", arguments: ["CET", "Europe/Atlantis", "", "../etc/passwd"])
    func zones(name: String) {
        #expect(throws: DubError.self) { _ = try TimeZone(named: name) }
    }
}
