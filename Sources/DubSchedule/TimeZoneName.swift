public import DubCore
public import Foundation

extension TimeZone {
    /// The zone of a name of the tz database, such as `Europe/Berlin` or `UTC`.
    ///
    /// - Throws: `schedule.invalid`. Abbreviations such as `CET` are refused but for `UTC` and `GMT`: they stand for a
    ///   fixed distance in one place and for a zone in another.
    public init(named name: String) throws(DubError) {
        if ["UTC", "GMT", "Etc/UTC"].contains(name) {
            self = .gmt
            return
        }
        guard name.contains("/"), let zone = TimeZone(identifier: name) else {
            throw DubError(
                .scheduleInvalid, "There is no time zone `\(name)`.", at: name,
                fix:
                    "Use a name such as Europe/Berlin, America/New_York or UTC; `timedatectl list-timezones` shows all."
            )
        }
        self = zone
    }
}
