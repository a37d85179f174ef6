internal import ArgumentParser
internal import DubCore
internal import DubGraph
internal import DubLedger
internal import DubReport
internal import DubRunner
internal import Foundation

/// What `run` and `plan` share where a run is judged beforehand.
struct CostOptions: ParsableArguments {
    @Option(help: "What an hour of this machine costs, for estimates.") var costPerHour: Double?

    func validate() throws {
        if let costPerHour, !(costPerHour > 0 && costPerHour.isFinite) {
            throw ValidationError("--cost-per-hour is \(costPerHour); give more than 0.")
        }
    }

    /// - Throws: `settings.invalid` where the variable or the file says no price.
    func price(_ settings: Settings) throws -> Double? {
        guard let text = settings.value("cost-per-hour", flag: costPerHour.map { "\($0)" }) else { return nil }
        guard let price = Double(text), price > 0, price.isFinite else {
            throw DubError(
                .settingsInvalid, "`cost-per-hour` is \(text), and has to be a number above 0.", at: "cost-per-hour",
                fix: "Give a price, such as 0.35.")
        }
        return price
    }
}

/// How long a run may take, or what it may cost.
enum Budget: Equatable {
    /// Wall seconds.
    case time(Double)
    /// In the currency of `cost-per-hour`.
    case cost(Double)

    /// Reads `90s`, `30m`, `1h30m` or, as an amount, `2.50`.
    init?(_ text: String) {
        if let amount = Double(text) {
            guard amount > 0, amount.isFinite else { return nil }
            self = .cost(amount)
            return
        }
        guard let match = text.wholeMatch(of: /(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s)?/) else {
            return nil
        }
        func number(_ part: Substring?) -> Double { part.flatMap { Double($0) } ?? 0 }
        let seconds = number(match.1) * 3600 + number(match.2) * 60 + number(match.3)
        guard seconds > 0 else { return nil }
        self = .time(seconds)
    }

    /// Whether an estimate stays within it; one without figures does.
    func covers(_ estimate: Estimate) -> Bool {
        switch self {
        case .time(let seconds): (estimate.seconds ?? 0) <= seconds
        case .cost(let amount): (estimate.cost ?? 0) <= amount
        }
    }
}

extension DubError.Code {
    /// A run would take longer, or cost more, than it may.
    static let budgetExceeded = Self(name: "budget.exceeded")
}

extension Estimate {
    /// Judges what was looked at by what the ledger knows.
    static func of(
        _ looks: [PlanLook], parameters: [String: JSONValue], in ledger: SQLiteLedger, price: Double?,
        force: Bool = false
    ) async throws -> Estimate {
        var items: [FutureItem] = []
        for look in looks { items.append(await look.future(force: force)) }
        let figures = Dictionary(grouping: try await ledger.figures()) { "\($0.run)/\($0.item)" }
        var past: [PastItem] = []
        var walls: [String: Double] = [:]
        for run in Set(figures.values.compactMap { $0.first?.run }).sorted() {
            guard let record = try await ledger.run(named: run) else { continue }
            if let ended = record.ended { walls[run] = ended.timeIntervalSince(record.started) }
            for item in try await ledger.items(of: run) {
                guard let stages = figures["\(run)/\(item.index)"] else { continue }
                past.append(
                    PastItem(
                        run: run, settings: alike(record.parameters), mediaSeconds: item.mediaSeconds,
                        wallSeconds: item.wallSeconds, stages: stages))
            }
        }
        return Estimate(
            items, settings: alike(parameters), past: past, runWalls: walls, costPerHour: price)
    }

    /// Settings but for languages, which change the work little and are counted otherwise.
    private static func alike(_ parameters: [String: JSONValue]) -> [String: JSONValue] {
        parameters.filter { !["to", "from"].contains($0.key) }
    }
}
