public import DubCore
internal import Foundation

/// What somebody asks to be run, as it came: nothing of it has been looked at on a disk.
public struct Submission: Sendable, Hashable {
    /// Paths, absolute or from the first of the roots.
    public var sources: [String]
    /// Languages, where the pipeline takes any.
    public var to: [String]?
    /// A pipeline's name.
    public var pipeline: String?
    /// A profile of the pipeline.
    public var profile: String?
    /// Values of the pipeline's parameters.
    public var parameters: [String: JSONValue] = [:]
    /// A path as those of sources; for one source alone.
    public var script: String?
    /// A path as those of sources.
    public var cast: String?
    /// A folder, absolute or from that for outputs.
    public var out: String?
    /// −1000 to 1000; greater goes first.
    public var priority = 0
    /// What the sender calls the request, so that it can be sent again without being done twice.
    public var key: String?

    /// The most sources of one run.
    public static let mostSources = 1000
    static let longestPath = 4096

    /// Asks for sources to be run.
    public init(sources: [String]) {
        self.sources = sources
    }

    /// Reads a request's body.
    ///
    /// - Throws: `request.invalid` with every fault.
    init(_ json: JSONValue, key: String? = nil) throws(DubError) {
        var reader = Reader(json)
        sources = reader.texts("sources", most: Self.mostSources) ?? []
        if sources.isEmpty { reader.fault("sources", "names no file", once: true) }
        to = reader.texts("to", most: 100)
        pipeline = reader.text("pipeline", longest: 255)
        profile = reader.text("profile", longest: 255)
        script = reader.text("script", longest: Self.longestPath)
        cast = reader.text("cast", longest: Self.longestPath)
        out = reader.text("out", longest: Self.longestPath)
        priority = reader.whole("priority", -1000...1000) ?? 0
        parameters = reader.parameters()
        if script != nil, sources.count > 1 { reader.fault("script", "belongs to one source, and there are more") }
        try reader.end()
        self.key = key
    }
}

/// Takes a body apart and gathers what is wrong with it.
private struct Reader {
    private let members: [String: JSONValue]
    private var faults: [String] = []

    private static let known = [
        "sources", "to", "pipeline", "profile", "parameters", "script", "cast", "out", "priority",
    ]

    init(_ json: JSONValue) {
        members = json.object ?? [:]
        if json.object == nil { faults.append("the body is no object") }
        for name in members.keys.sorted() where !Self.known.contains(name) {
            faults.append("there is no member `\(name.prefix(64))`; there are \(Self.known.joined(separator: ", "))")
        }
    }

    mutating func fault(_ name: String, _ what: String, once: Bool = false) {
        if once, faults.contains(where: { $0.hasPrefix("`\(name)`") || $0.hasPrefix("the body") }) { return }
        faults.append("`\(name)` \(what)")
    }

    mutating func text(_ name: String, longest: Int) -> String? {
        guard let value = members[name] else { return nil }
        guard let text = value.string, Self.isSound(text, longest) else {
            fault(name, "is no text of 1 to \(longest) bytes without control characters")
            return nil
        }
        return text
    }

    mutating func texts(_ name: String, most: Int) -> [String]? {
        guard let value = members[name] else { return nil }
        guard let texts = value.array?.compactMap(\.string), texts.count == value.array?.count,
            (1...most).contains(texts.count), texts.allSatisfy({ Self.isSound($0, Submission.longestPath) })
        else {
            fault(name, "is no list of 1 to \(most) texts without control characters")
            return nil
        }
        guard Set(texts).count == texts.count else {
            fault(name, "names something twice")
            return nil
        }
        return texts
    }

    mutating func whole(_ name: String, _ range: ClosedRange<Int64>) -> Int? {
        guard let value = members[name] else { return nil }
        // JSON knows no whole numbers: 1.0 is one.
        let number = value.double.flatMap { Int64(exactly: $0) }
        guard let number, range.contains(number) else {
            fault(name, "is no whole number from \(range.lowerBound) to \(range.upperBound)")
            return nil
        }
        return Int(number)
    }

    mutating func parameters() -> [String: JSONValue] {
        guard let value = members["parameters"] else { return [:] }
        guard let object = value.object else {
            fault("parameters", "is no object")
            return [:]
        }
        for (name, value) in object.sorted(by: { $0.key < $1.key }) {
            let texts = value.array?.compactMap(\.string)
            let isText = value.string.map { Self.isSound($0, Submission.longestPath) } ?? true
            let isList = value.array == nil || texts?.count == value.array?.count
            guard isText, isList, texts?.allSatisfy({ Self.isSound($0, Submission.longestPath) }) ?? true,
                value.object == nil, value != .null, Self.isSound(name, 255)
            else {
                fault("parameters", "holds `\(name.prefix(64))`, which is no text, number, flag or list of texts")
                continue
            }
        }
        return object
    }

    private static func isSound(_ text: String, _ longest: Int) -> Bool {
        (1...longest).contains(text.utf8.count)
            && text.unicodeScalars.allSatisfy { $0.properties.generalCategory != .control }
    }

    func end() throws(DubError) {
        guard !faults.isEmpty else { return }
        throw DubError(
            .requestInvalid, "The request is faulty: \(faults.joined(separator: "; ")).", at: "the body",
            fix: "Keep to the schema `Submission` of /openapi.json.")
    }
}
