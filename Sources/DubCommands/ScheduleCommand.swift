internal import ArgumentParser
internal import DubCore
internal import DubSchedule
internal import Foundation

/// `dubmill schedule`.
struct ScheduleCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "schedule", abstract: "Look at timetables.", subcommands: [Next.self])

    /// `schedule next`.
    struct Next: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "When a cron expression comes to pass.",
            discussion: """
                dubmill schedule next "30 2 * * mon-fri" --zone Europe/Berlin --count 5

                Five fields: minute, hour, day of the month, month, weekday; or @hourly, @daily, @weekly, @monthly,
                @yearly. Where clocks change, the rules are those of Vixie cron: docs/timetables.md.
                """)

        @Argument(help: "The expression, in quotes.") var cron: String
        @Option(help: "The time zone: a name such as Europe/Berlin.") var zone = "UTC"
        @Option(help: "How many times, 1 to 1000.") var count = 5
        @Option(help: "The moment after which to look, such as 2026-03-28T00:00:00Z; now where it is not given.")
        var after: String?
        @Option(help: "How results are printed: table or json.") var format = OutputFormat.table

        func validate() throws {
            guard (1...1000).contains(count) else {
                throw ValidationError("--count is \(count); give a number from 1 to 1000.")
            }
        }

        func run() async throws {
            let (zone, cron): (TimeZone, CronExpression)
            do throws(DubError) {
                (zone, cron) = (try TimeZone(named: self.zone), try CronExpression(self.cron))
            } catch {
                Console.note("\(error)")
                throw ExitCode(Exit.code(of: error))
            }
            var moment = Date()
            if let after {
                guard let given = try? Date(after, strategy: .iso8601) else {
                    throw ValidationError("--after \(after): write a moment such as 2026-03-28T00:00:00Z.")
                }
                moment = given
            }
            let times = cron.times(count, after: moment, in: zone)
            switch format {
            case .json:
                Console.result(
                    try Console.json(
                        Answer(cron: cron.text, zone: zone.identifier, times: times.map { Self.iso($0, zone) })))
            case .table:
                guard !times.isEmpty else { return Console.note("It comes to pass no more.") }
                let weekday = Date.VerbatimFormatStyle(
                    format: "\(weekday: .abbreviated)", locale: Locale(identifier: "en_GB"), timeZone: zone,
                    calendar: Calendar(identifier: .gregorian))
                Console.result(
                    Console.table(
                        ["LOCAL TIME", "DAY", "UTC"],
                        times.map { [Self.iso($0, zone), weekday.format($0), Self.iso($0, .gmt)] }))
            }
        }

        private static func iso(_ time: Date, _ zone: TimeZone) -> String {
            time.formatted(Date.ISO8601FormatStyle(timeZoneSeparator: .colon, timeZone: zone))
        }

        private struct Answer: Encodable {
            var cron: String
            var zone: String
            /// With the zone's distance from UTC at that time.
            var times: [String]
        }
    }
}
