internal import ArgumentParser
internal import DubCore
internal import DubReport
internal import DubRunner
internal import DubStorage
internal import DubStages
internal import DubWorkers
internal import Foundation

/// `dubmill run`.
struct RunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Dub media files; what was done before is not done again.",
        discussion: """
            One file into Spanish:
              dubmill run film.mp4 --to es

            A season into two languages, with human translations for none, on all cores:
              dubmill run season1/*.mkv --to es,fr --out dubbed

            Faster, rougher, with the rule-based translator:
              dubmill run film.mp4 --to es --translator apertium

            Beside each dub lie its subtitles, its script and its verdict. Kill it at any time: the same command goes
            on where it stopped. Exit: 0 all passed, 1 some items failed, 3 set aside for review, 130 interrupted.
            """)

    @OptionGroup var options: RunOptions
    @Option(help: "A folder for what the gate refuses, with the reason beside it.", completion: .directory)
    var quarantine: String?
    @Option(help: "How many of dubmill's own steps run at once; all cores where not given.") var jobs: Int?
    @Option(help: "How many cores the models use; all where not given.") var threads: Int?
    @Option(help: "How results are printed: table or json.") var format = OutputFormat.table
    @Option(help: "Refuse beforehand what would take longer (30m, 1h30m) or cost more (2.50).") var budget: String?
    @Option(
        help: "Publish what passes, in a bucket (s3://bucket/prefix) or a folder.", completion: .directory)
    var publish: String?
    @Option(help: "For how many whole days it is published: 30d, 2w. For good where it is not given.")
    var retain: String?
    @OptionGroup var place: StorePlaceOptions
    @Flag(help: "Let addresses of files lead to this machine or into networks of your own, and go without TLS.")
    var allowPrivateUrls = false
    @OptionGroup var cost: CostOptions
    @Flag(help: "Run everything, whatever was done before.") var force = false
    @Flag(name: .shortAndLong, help: "Print errors and results only.") var quiet = false

    func validate() throws {
        if let jobs, jobs < 1 { throw ValidationError("--jobs is \(jobs); give 1 or more.") }
        if let threads, threads < 1 { throw ValidationError("--threads is \(threads); give 1 or more.") }
        if let retain, PublishOrder.days(retain) == nil {
            throw ValidationError("--retain is \(retain); give whole days, such as 30d or 2w.")
        }
        if let publish, options.out?.hasPrefix("s3://") == true {
            throw ValidationError("Give --publish \(publish) or --out \(options.out ?? ""); both publish.")
        }
        if let budget, Budget(budget) == nil {
            throw ValidationError("--budget is \(budget); give a time such as 30m or 1h30m, or an amount such as 2.50.")
        }
    }

    func run() async throws {
        let report: RunReport
        var code: Int32?
        do {
            report = try await execute()
        } catch let error as DubError {
            // Nothing was begun: every item fails for the same reason.
            report = RunReport(
                run: nil,
                items: options.files.enumerated().map { index, file in
                    var record = ItemRecord(index: index, source: InputFetch.shown(file), status: "failed")
                    record.error = ErrorRecord(error)
                    return RunReport.Item(record)
                })
            code = Exit.code(of: error)
            if format == .json { Console.note("\(error)") }
        }
        switch format {
        case .json: Console.result(try Console.json(report))
        case .table: Console.result(report.table)
        }
        throw ExitCode(code ?? report.exitCode)
    }

    private func execute() async throws -> RunReport {
        let settings = try Settings()
        let home = Home()
        let storeFolder = home.store(given: settings.value("store", flag: options.store))
        let cores = ProcessInfo.processInfo.activeProcessorCount
        let jobs = try settings.number("jobs", flag: self.jobs)
        let display = ProgressDisplay(isQuiet: quiet)
        let workforce = try await Workforce.find(
            settings, options.workers, threads: try settings.number("threads", flag: threads))
        let machine = try Machine(storeFolder: storeFolder, workforce: workforce)
        let name = settings.value("pipeline", flag: options.pipeline) ?? "dub"
        let pipeline = try home.pipeline(name)
        let parameters = options.parameters(
            settings, declared: try Machine.parameters(of: pipeline),
            profile: try Machine.profile(options.profile, of: pipeline))
        let out = settings.value("out", flag: options.out) ?? "dubbed"
        let order = try order(out: out)
        let fetch = InputFetch(
            storeFolder: machine.store.root, order: order ?? place.order(to: ""), isOwnAllowed: allowPrivateUrls)
        let request = RunSession.Request(
            files: try await fetch.local(options.files) { display.tell($0) }, pipeline: pipeline,
            pipelineName: Self.absolute(name), parameters: parameters,
            out: out.hasPrefix("s3://") ? Staging.folder(of: out, in: machine.store) : RunPaths.absolute(out),
            script: options.script.map(RunPaths.absolute), cast: options.cast.map(RunPaths.absolute),
            gate: options.gate(settings),
            quarantine: settings.value("quarantine", flag: quarantine).map(RunPaths.absolute), items: 2,
            slots: jobs ?? cores, force: force, publish: order)
        if let budget { try await check(Budget(budget), request, machine, price: try cost.price(settings)) }
        return try await RunWork(
            request: request, machine: machine, display: display, storeBudget: try StoreBudget(settings)
        ).perform()
    }

    /// Where what passes is published; a bucket that is written to is published to.
    private func order(out: String) throws -> PublishOrder? {
        if publish != nil, out.hasPrefix("s3://") {
            throw DubError(
                .settingsInvalid, "`out` and --publish both publish.", at: out, fix: "Leave one of them out.")
        }
        guard let to = publish ?? (out.hasPrefix("s3://") ? out : nil) else {
            guard retain == nil else {
                throw DubError(
                    .settingsInvalid, "Nothing is published that could be retained.", at: "--retain",
                    fix: "Give --publish or --out s3://bucket/prefix too.")
            }
            return nil
        }
        var order = place.order(to: to.contains("://") ? to : RunPaths.absolute(to))
        order.retainDays = retain.flatMap { PublishOrder.days($0) }
        try PublishWork.check(order)
        return order
    }

    /// Refuses a run that would take more than it may, before anything is begun.
    private func check(
        _ budget: Budget?, _ request: RunSession.Request, _ machine: Machine, price: Double?
    ) async throws {
        guard let budget, let text = self.budget else { return }
        if case .cost = budget, price == nil {
            throw DubError(
                .settingsInvalid, "The budget is an amount, and an hour has no price.", at: "--budget \(text)",
                fix: "Set cost-per-hour, or give a time such as 30m.")
        }
        let graph = try machine.graph(request.pipeline, parameters: request.parameters)
        let given = try await HandedIn.read(
            script: request.script, cast: request.cast, gate: request.gate, for: graph, in: machine.store)
        var looks: [PlanLook] = []
        for path in request.files where FileIdentity(path: path) != nil {
            looks.append(try await PlanLook(path, graph, machine, given: given.mapValues(\.artifact)))
        }
        let estimate = try await Estimate.of(
            looks, parameters: request.parameters, in: machine.ledger, price: price, force: request.force)
        guard estimate.seconds != nil else {
            return Console.note("The budget cannot be kept to: there are no figures yet.")
        }
        guard budget.covers(estimate) else {
            throw DubError(
                .budgetExceeded, "The run is estimated at \(estimate.description), and may take \(text).",
                at: "--budget \(text)", fix: "Give more, or fewer files; dubmill plan shows what takes how long.")
        }
    }

    /// A pipeline's name as it is, a file's path absolute.
    private static func absolute(_ name: String) -> String {
        name.contains("/") || name.hasSuffix(".yaml") || name.hasSuffix(".yml") ? RunPaths.absolute(name) : name
    }
}

/// Paths as they are given.
enum RunPaths {
    /// Absolute, without `.` and `..`; symbolic links stay.
    static func absolute(_ path: String) -> String {
        let expanded = (path as NSString).expandingTildeInPath
        let full =
            expanded.hasPrefix("/") ? expanded : FileManager.default.currentDirectoryPath + "/" + expanded
        return (full as NSString).standardizingPath
    }
}
