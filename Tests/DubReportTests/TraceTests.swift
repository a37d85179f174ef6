import DubCore
import DubRunner
import Foundation
import Testing

@testable import DubReport

/// After the OTLP specification, "JSON Protobuf Encoding", and the limits of W3C trace context on ids.
@Suite struct TraceTests {
    private func spans(_ story: RunStory) throws -> [JSONValue] {
        let document = try JSONValue.parse(Data(Trace(story).document.canonical.utf8))
        #expect(document.object?.count == 1)
        let resource = try #require(document["resourceSpans"]?.array?.first)
        #expect(
            resource["resource"]?["attributes"]?.array?.first
                == ["key": "service.name", "value": ["stringValue": "dubmill"]])
        return try #require(resource["scopeSpans"]?.array?.first?["spans"]?.array)
    }

    @Test("spans are written as OTLP/JSON asks")
    func shape() throws {
        for span in try spans(Stories.full()) {
            let members = try #require(span.object)
            #expect(
                Set(members.keys).isSubset(of: [
                    "traceId", "spanId", "parentSpanId", "name", "kind", "startTimeUnixNano", "endTimeUnixNano",
                    "attributes", "events", "status",
                ]))
            #expect(span["traceId"]?.string?.wholeMatch(of: /[0-9a-f]{32}/) != nil)
            #expect(span["spanId"]?.string?.wholeMatch(of: /[0-9a-f]{16}/) != nil)
            #expect(span["kind"] == .integer(1))
            let begin = try #require(span["startTimeUnixNano"]?.string.flatMap(UInt64.init))
            let end = try #require(span["endTimeUnixNano"]?.string.flatMap(UInt64.init))
            #expect(begin <= end && begin / 1_000_000_000 > 1_700_000_000)
            for attribute in try #require(span["attributes"]?.array) {
                let value = try #require(attribute["value"]?.object?.first)
                switch value.key {
                case "stringValue": #expect(value.value.string != nil)
                case "intValue": #expect(value.value.string.flatMap { Int64($0) } != nil, "64 bits are a string")
                case "doubleValue": #expect(value.value.double != nil)
                default: Issue.record("\(value)")
                }
            }
        }
    }

    @Test("nodes lie in items, items in the run, and every id is one span's")
    func tree() throws {
        let story = Stories.full()
        let spans = try spans(story)
        #expect(spans.count == 1 + story.items.count + story.nodes.count)
        let ids = spans.compactMap { $0["spanId"]?.string }
        #expect(Set(ids).count == spans.count)
        #expect(Set(spans.compactMap { $0["traceId"]?.string }).count == 1)
        #expect(spans.filter { $0["parentSpanId"] == nil }.map { $0["name"] } == ["dub"])
        let parents = spans.compactMap { $0["parentSpanId"]?.string }
        #expect(parents.filter { !ids.contains($0) }.isEmpty)
        let failed = try #require(spans.first { $0["status"] != nil && $0["name"]?.string?.hasPrefix("synth") == true })
        #expect(failed["status"]?["code"] == .integer(2))
        #expect(failed["events"]?.array?.first?["name"] == "exception")
        func value(_ key: String) -> JSONValue? {
            failed["attributes"]?.array?.first { $0["key"] == .string(key) }?["value"]
        }
        #expect(value("dubmill.attempts") == ["intValue": "3"])
        #expect(value("dubmill.stage") == ["stringValue": "synthesize"])
    }

    @Test("the same run is the same trace, another run another")
    func stable() throws {
        let story = Stories.full()
        #expect(Trace(story).document == Trace(story).document)
        var other = story
        other.run.id = "20251124-160000-abce"
        #expect(try spans(other).first?["traceId"] != spans(story).first?["traceId"])
    }
}
