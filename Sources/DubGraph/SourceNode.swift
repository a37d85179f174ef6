internal import DubCore
internal import Yams

/// A value of a pipeline file, and where it stands.
///
/// Scalars are read as JSON would read them, quotes make a text: `no`, `16:9` and `007` are texts, though YAML 1.1 has
/// other ideas.
struct SourceNode: Sendable {
    indirect enum Value: Sendable {
        /// A scalar as it is written, and what it means.
        case scalar(text: String, meaning: JSONValue)
        case list([SourceNode])
        /// In the order of the file; no key twice.
        case mapping([Member])
    }

    /// A key and what stands under it.
    struct Member: Sendable {
        var key: String
        var keyPlace: Pipeline.Place
        var value: SourceNode
    }

    var value: Value
    var place: Pipeline.Place

    /// The members of a mapping.
    var members: [Member]? { if case .mapping(let members) = value { members } else { nil } }

    /// The elements of a list.
    var elements: [SourceNode]? { if case .list(let elements) = value { elements } else { nil } }

    /// A scalar as it is written; `nil` for `~` and an empty value.
    var text: String? {
        if case .scalar(let text, let meaning) = value, meaning != .null { text } else { nil }
    }

    /// Whether it is `~`, `null` or empty.
    var isNull: Bool { if case .scalar(_, .null) = value { true } else { false } }

    /// What stands under a key of a mapping.
    subscript(key: String) -> SourceNode? { members?.first { $0.key == key }?.value }

    /// The value with its places forgotten.
    var json: JSONValue {
        switch value {
        case .scalar(_, let meaning): meaning
        case .list(let elements): .array(elements.map(\.json))
        case .mapping(let members):
            .object(Dictionary(members.map { ($0.key, $0.value.json) }, uniquingKeysWith: { $1 }))
        }
    }

    /// It with what stands in `over` put over it: mappings key by key to any depth, `~` takes a key away, and
    /// everything else is replaced (as in RFC 7396, JSON Merge Patch).
    func merged(with over: SourceNode) -> SourceNode {
        guard var members, let changes = over.members else { return over }
        for change in changes {
            guard let index = members.firstIndex(where: { $0.key == change.key }) else {
                members.append(change)
                continue
            }
            if change.value.isNull {
                members.remove(at: index)
            } else {
                members[index].value = members[index].value.merged(with: change.value)
                members[index].keyPlace = change.keyPlace
            }
        }
        return SourceNode(value: .mapping(members), place: over.place)
    }
}

/// Reads YAML to `SourceNode`, within bounds: a file cannot hang or exhaust who reads it.
struct SourceText {
    /// In bytes.
    private static let longest = 256 << 10
    private static let deepest = 32
    /// Values in a file, those of aliases counted wherever they are used.
    private static let most = 20_000
    /// How many times larger than it is written a file may become by its aliases.
    private static let growth = 4096.0

    private let file: String
    private var faults: [Fault] = []
    private var count = 0

    /// The root of a file, or what keeps it from being read.
    static func read(_ text: String, file: String) -> (SourceNode?, [Fault]) {
        var source = SourceText(file: file)
        let root = source.root(text)
        return (source.faults.isEmpty ? root : nil, source.faults)
    }

    private init(file: String) {
        self.file = file
    }

    private mutating func root(_ text: String) -> SourceNode? {
        guard text.utf8.count <= Self.longest else {
            fault(nil, "The file is larger than 256 KiB.", "Pipelines are short: is it the right file?")
            return nil
        }
        // Before the parser sees it, as it compares keys at their full size.
        guard Self.growth(of: text) <= Self.growth else {
            fault(nil, "The file has too many anchors and aliases.", "Use `include` or `profiles` for what is shared.")
            return nil
        }
        do {
            guard let root = try Yams.compose(yaml: text), root.mapping != nil else {
                fault(nil, "The file holds no mapping.", "Start with `version: 1`.")
                return nil
            }
            return node(root, depth: 0)
        } catch let error as YamlError {
            fault(yaml: error)
        } catch {
            fault(nil, "It is no YAML: \(error).", "Check the indentation.")
        }
        return nil
    }

    /// How much larger than its text a document can be at most. With k aliases and n anchors it is largest where the
    /// anchors are a chain and each link of it is used equally often.
    static func growth(of text: String) -> Double {
        var anchors = 0.0
        var aliases = 0.0
        var before = UInt8(ascii: " ")
        var marker: UInt8?
        for byte in text.utf8 {
            if let found = marker, isNameByte(byte) {
                if found == UInt8(ascii: "&") { anchors += 1 } else { aliases += 1 }
            }
            marker = (byte == UInt8(ascii: "&") || byte == UInt8(ascii: "*")) && !isNameByte(before) ? byte : nil
            before = byte
        }
        let links = max(1, min(anchors, (aliases / 2.718).rounded()))
        var growth = 1.0
        for _ in 0..<Int(min(links, 64)) where growth <= Self.growth { growth *= max(1, aliases / links) }
        return anchors == 0 ? 1 : growth
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"):
            true
        default: false
        }
    }

    private mutating func node(_ node: Node, depth: Int) -> SourceNode {
        let place = place(node)
        count += 1
        guard count <= Self.most, depth <= Self.deepest else {
            // Once is enough, and what is left out is not looked at: the file is refused.
            if faults.isEmpty {
                fault(
                    node, depth > Self.deepest ? "This is nested too deeply." : "The file holds too many values.",
                    depth > Self.deepest
                        ? "A pipeline needs few levels." : "Pipelines are short: split it by `include`.")
            }
            return SourceNode(value: .list([]), place: place)
        }
        if let sequence = node.sequence {
            var elements: [SourceNode] = []
            for element in sequence where count <= Self.most { elements.append(self.node(element, depth: depth + 1)) }
            return SourceNode(value: .list(elements), place: place)
        }
        if let mapping = node.mapping {
            var members: [SourceNode.Member] = []
            for (key, value) in mapping where count <= Self.most {
                guard let name = key.scalar?.string else {
                    fault(key, "A key has to be a single word.", "Write `name: value`.")
                    continue
                }
                members.append(.init(key: name, keyPlace: self.place(key), value: self.node(value, depth: depth + 1)))
            }
            // Two keys of one text and different tags are different keys to YAML.
            var seen: Set<String> = []
            for member in members where !seen.insert(member.key).inserted {
                fault(at: member.keyPlace, "`\(member.key)` stands here twice.", "Leave one of them.")
            }
            return SourceNode(value: .mapping(members), place: place)
        }
        let text = node.scalar?.string ?? ""
        let isPlain = node.scalar?.style == .plain
        var meaning = isPlain ? Self.meaning(of: text) : .string(text)
        if isPlain, meaning.string == nil, node.tag == Tag(.str) { meaning = .string(text) }
        return SourceNode(value: .scalar(text: text, meaning: meaning), place: place)
    }

    /// What a plain scalar means: the core schema of YAML 1.2, numbers as JSON writes them.
    static func meaning(of text: String) -> JSONValue {
        switch text {
        case "", "~", "null", "Null", "NULL": return .null
        case "true", "True", "TRUE": return true
        case "false", "False", "FALSE": return false
        default: break
        }
        guard isNumber(text) else { return .string(text) }
        if let whole = Int64(text) { return .integer(whole) }
        guard let number = Double(text), number.isFinite else { return .string(text) }
        return .number(number)
    }

    private static func isNumber(_ text: String) -> Bool {
        // Not compiled once and kept, as a Regex is not Sendable; it is asked for short texts only.
        text.utf8.count <= 40 && text.wholeMatch(of: /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?/) != nil
    }

    // MARK: - Faults

    private func place(_ node: Node?) -> Pipeline.Place {
        Pipeline.Place(file: file, line: node?.mark?.line ?? 0, column: node?.mark?.column ?? 0)
    }

    private mutating func fault(_ node: Node?, _ what: String, _ fix: String) {
        fault(at: place(node), what, fix)
    }

    private mutating func fault(at place: Pipeline.Place, _ what: String, _ fix: String) {
        faults.append(Fault(place, what, fix))
    }

    private mutating func fault(yaml error: YamlError) {
        switch error {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            let place = Pipeline.Place(file: file, line: mark.line, column: mark.column)
            fault(at: place, "It is no YAML: \(problem).", "Check the indentation and the quotes.")
        case .duplicatedKeysInMapping(let duplicates, let context):
            let place = Pipeline.Place(file: file, line: context.mark.line, column: context.mark.column)
            let names = duplicates.map { "`\($0)`" }.joined(separator: ", ")
            fault(at: place, "\(names) stands here twice.", "Leave one of them.")
        default:
            fault(nil, "It is no YAML: \(error).", "Check the indentation and the quotes.")
        }
    }
}
