public import DubCore
internal import DubRunner
internal import Foundation

/// A run as a trace in OTLP/JSON, which trace viewers and collectors of OpenTelemetry read: the run, in it its items,
/// in them their nodes.
///
/// After the OTLP specification 1.x, "JSON Protobuf Encoding": ids in hexadecimal, 64-bit integers as strings,
/// enumerations as numbers, names in lowerCamelCase. Ids are digests of names, so that the same run is the same trace
/// however often it is told.
public struct Trace: Sendable {
    private let story: RunStory

    /// A trace of what is known.
    public init(_ story: RunStory) { self.story = story }

    /// An `ExportTraceServiceRequest`.
    public var document: JSONValue {
        [
            "resourceSpans": [
                [
                    "resource": [
                        "attributes": .array([
                            Self.attribute("service.name", "dubmill"),
                            Self.attribute("service.version", .string(story.version)),
                        ])
                    ],
                    "scopeSpans": [
                        ["scope": ["name": "dubmill", "version": .string(story.version)], "spans": .array(spans)]
                    ],
                ]
            ]
        ]
    }

    private var spans: [JSONValue] {
        let run = story.run
        let byItem = Dictionary(grouping: story.nodes, by: \.item)
        let failed = story.items.contains { $0.status == "failed" }
        var spans = [
            span(
                run.id, parent: nil, name: run.pipeline, from: run.started, to: story.ended,
                [
                    ("dubmill.run", .string(run.id)), ("dubmill.state", .string(story.state)),
                    ("dubmill.pipeline", .string(run.pipeline)),
                ], fault: failed ? "not all items passed" : nil)
        ]
        for item in story.items {
            let nodes = byItem[item.index] ?? []
            let begin = nodes.map(\.queued).min() ?? run.started
            let end = max(
                nodes.map(\.ended).max() ?? begin, min(story.ended, begin.addingTimeInterval(item.wallSeconds)))
            let name = "\(run.id)/\(item.index)"
            spans.append(
                span(
                    name, parent: run.id, name: story.name(ofItem: item.index), from: begin, to: end,
                    [
                        ("dubmill.item", .integer(Int64(item.index))), ("dubmill.source", .string(item.source)),
                        ("dubmill.state", .string(item.status)), ("dubmill.media.seconds", .number(item.mediaSeconds)),
                    ], fault: item.status == "failed" ? item.error?.message ?? "failed" : nil, error: item.error))
            for node in nodes {
                spans.append(
                    span(
                        "\(name)/\(node.node)", parent: name, name: node.node, from: node.started, to: node.ended,
                        [
                            ("dubmill.stage", .string(node.stage)), ("dubmill.reason", .string(node.reason)),
                            ("dubmill.state", .string(node.state.rawValue)),
                            ("dubmill.attempts", .integer(Int64(node.attempts))),
                            ("dubmill.waited.seconds", .number(node.waited)),
                        ], fault: node.state == .failed ? node.error?.message ?? "failed" : nil, error: node.error))
            }
        }
        return spans
    }

    private func span(
        _ id: String, parent: String?, name: String, from begin: Date, to end: Date,
        _ attributes: [(String, JSONValue)], fault: String?, error: ErrorRecord? = nil
    ) -> JSONValue {
        var span: [String: JSONValue] = [
            "traceId": .string(Self.id(story.run.id, bytes: 16)), "spanId": .string(Self.id("span:" + id, bytes: 8)),
            "name": .string(name),
            // SPAN_KIND_INTERNAL
            "kind": 1, "startTimeUnixNano": .string(Self.nanoseconds(begin)),
            "endTimeUnixNano": .string(Self.nanoseconds(max(begin, end))),
            "attributes": .array(attributes.map { Self.attribute($0.0, $0.1) }),
        ]
        if let parent { span["parentSpanId"] = .string(Self.id("span:" + parent, bytes: 8)) }
        if let fault {
            // STATUS_CODE_ERROR
            span["status"] = ["code": 2, "message": .string(fault)]
        }
        if let error {
            span["events"] = [
                [
                    "name": "exception", "timeUnixNano": .string(Self.nanoseconds(max(begin, end))),
                    "attributes": .array([
                        Self.attribute("exception.type", .string(error.code)),
                        Self.attribute("exception.message", .string(error.message)),
                    ]),
                ]
            ]
        }
        return .object(span)
    }

    private static func id(_ name: String, bytes: Int) -> String { String(Digest.of(name).hex.prefix(2 * bytes)) }

    /// To a microsecond: a `Date` holds no more at this distance from its zero.
    private static func nanoseconds(_ date: Date) -> String {
        String(Int64((date.timeIntervalSince1970 * 1e6).rounded()) * 1000)
    }

    private static func attribute(_ key: String, _ value: JSONValue) -> JSONValue {
        let typed: JSONValue =
            switch value {
            case .string: ["stringValue": value]
            case .bool: ["boolValue": value]
            case .integer(let number): ["intValue": .string(String(number))]
            default: ["doubleValue": value]
            }
        return ["key": .string(key), "value": typed]
    }
}
