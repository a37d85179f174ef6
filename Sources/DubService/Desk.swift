public import DubCore
public import Foundation

/// The queue and the history that the service speaks for: what runs, waits and was.
public protocol Desk: Sendable {
    /// Takes a run on. Once this returns, the run is in the ledger and no crash takes it away.
    ///
    /// - Throws: `source.refused`, `pipeline.refused`, `input.missing`, `parameter.invalid` and the like for what cannot
    ///   be done; `service.draining` where nothing more is taken.
    func submit(_ submission: Submission) async throws -> RunView

    /// Runs, newest first.
    func runs(_ query: RunQuery) async throws -> RunPage

    /// All that is known of a run.
    ///
    /// - Throws: `run.unknown`.
    func run(_ id: String) async throws -> RunDetail

    /// Asks a run to stop. Not an error where it has ended.
    ///
    /// - Throws: `run.unknown`; `run.elsewhere` where it is not this daemon's to stop.
    func cancel(_ id: String) async throws -> RunView

    /// Takes what a run left undone on again, as a new run.
    ///
    /// - Throws: `run.unknown`, `run.unfinished`, `run.nothing-left`, and as `submit`.
    func retry(_ id: String) async throws -> RunView

    /// What a run tells while it is this daemon's; `nil` where it is not.
    func feed(of id: String) async -> RunFeed?

    /// Why nothing can be taken on now; `nil` where it can.
    func trouble() async -> DubError?

    /// The figures of the moment.
    func metrics() async throws -> [MetricFamily]
}

/// A run in a few words.
public struct RunView: Codable, Sendable, Hashable {
    /// How a run is or ended.
    public enum Status: String, Codable, Sendable, CaseIterable {
        case queued
        case running
        case passed
        case review
        case failed
        case interrupted

        /// Whether nothing more will come.
        public var isEnd: Bool { self != .queued && self != .running }
    }

    /// Its name: a time and letters.
    public var id: String
    /// How it is.
    public var status: Status
    /// The pipeline, as it was asked for.
    public var pipeline: String
    /// What was set.
    public var parameters: [String: JSONValue]
    /// The folder for what is made.
    public var out: String
    /// Greater goes first.
    public var priority: Int
    /// When it began, or was taken on, in RFC 3339.
    public var since: String
    /// When it ended.
    public var ended: String?
    /// How many items are in which state.
    public var items: [String: Int]

    /// Describes a run.
    public init(
        id: String, status: Status, pipeline: String, parameters: [String: JSONValue], out: String, priority: Int,
        since: Date, ended: Date?, items: [String: Int]
    ) {
        self.id = id
        self.status = status
        self.pipeline = pipeline
        self.parameters = parameters
        self.out = out
        self.priority = priority
        self.since = since.formatted(.iso8601)
        self.ended = ended?.formatted(.iso8601)
        self.items = items
    }
}

/// A run with its items and stages.
public struct RunDetail: Sendable {
    /// In a few words.
    public var view: RunView
    /// Its items, as `dubmill run --format json` prints them.
    public var items: [JSONValue]
    /// What became of its nodes, stage by stage.
    public var stages: [JSONValue]

    /// Describes a run.
    public init(view: RunView, items: [JSONValue], stages: [JSONValue]) {
        self.view = view
        self.items = items
        self.stages = stages
    }

    /// One object.
    public func json() throws -> JSONValue {
        var object = try JSONValue(encoding: view).object ?? [:]
        object["counts"] = object["items"]
        object["items"] = .array(items)
        object["stages"] = .array(stages)
        return .object(object)
    }
}

/// Which runs are asked for.
public struct RunQuery: Sendable, Hashable {
    /// Those in this state alone.
    public var status: RunView.Status?
    /// How many at most, 1 to 200.
    public var limit = 50
    /// Those before the run of this name.
    public var before: String?

    /// The latest of all.
    public init() {}
}

/// Some runs, and where the next ones begin.
public struct RunPage: Sendable {
    /// Newest first.
    public var runs: [RunView]
    /// What `before` has to be for the next ones; `nil` at the end.
    public var next: String?

    /// Describes a page.
    public init(runs: [RunView], next: String?) {
        self.runs = runs
        self.next = next
    }
}
