internal import DubCore
internal import DubGraph
internal import Foundation
internal import Yams

extension ConfigurationReader {
    /// What may be asked of a file, in every place.
    static let orderKeys = [
        "to", "from", "pipeline", "profile", "translator", "voice-engine", "recogniser", "damaged", "set", "cast",
        "gate", "out", "priority", "publish",
    ]
    private static let parameters: Set = ["to", "from", "translator", "voice-engine", "recogniser", "damaged"]

    /// Takes in one wish; what is none is left.
    mutating func take(_ key: String, _ node: Node, into order: inout FileOrder) {
        switch key {
        case "to":
            let languages = texts(node).flatMap { $0.split(separator: ",") }
                .map { $0.trimmingCharacters(in: .whitespaces) }
            for language in languages {
                do throws(DubError) { _ = try Language(language) } catch { fault(node, error.what, error.fix) }
            }
            order.parameters["to"] = .array(languages.map { .string($0) })
        case _ where Self.parameters.contains(key): order.parameters[key] = text(node).map { .string($0) }
        case "set":
            guard let mapping = node.mapping else {
                return fault(node, "`set` is no mapping.", "Write `set: {NAME: VALUE}`.")
            }
            for (name, value) in mapping {
                if let text = value.string {
                    // The parameter's type says what the text means.
                    order.parameters[name.string ?? ""] = .string(text)
                } else {
                    order.parameters[name.string ?? ""] = .array(texts(value).map { .string($0) })
                }
            }
        case "pipeline":
            order.pipeline = text(node).map { name in
                name.contains("/") || name.hasSuffix(".yaml") || name.hasSuffix(".yml") ? absolute(name) : name
            }
        case "profile": order.profile = text(node)
        case "cast": order.cast = path(node)
        case "gate": order.gate = path(node)
        case "script": order.script = path(node)
        case "out":
            if node.string?.contains("://") == true {
                fault(node, "`out` is a folder of this machine.", "Write `publish: \(node.string ?? "")` beside it.")
            }
            order.out = path(node)
        case "priority": order.priority = whole(node, -1000...1000)
        case "publish": order.publish = publish(node)
        default: return
        }
    }

    /// A place to publish to: its address alone, or with how long it is kept and which store it is.
    private mutating func publish(_ node: Node) -> PublishOrder? {
        guard node.mapping != nil else { return text(node).map { PublishOrder(to: place($0)) } }
        var order = PublishOrder(to: "")
        for (key, value) in fields(node, ["to", "retain", "endpoint", "region", "style", "profile"]) {
            switch key {
            case "to": order.to = text(value).map(place) ?? ""
            case "retain":
                order.retainDays = text(value).flatMap { PublishOrder.days($0) }
                if order.retainDays == nil {
                    fault(value, "`\(value.string ?? "")` is no number of days.", "Write whole days: 30d, 2w.")
                }
            case "endpoint": order.endpoint = text(value)
            case "region": order.region = text(value)
            case "style": order.style = choice(value, ["path", "virtual"])
            default: order.profile = text(value)
            }
        }
        guard !order.to.isEmpty else {
            if node.mapping?["to"] == nil { fault(node, "It names no place.", "Write `to: s3://bucket/prefix`.") }
            return nil
        }
        return order
    }

    private func place(_ text: String) -> String { text.contains("://") ? text : absolute(text) }

    /// The document, where it is one.
    mutating func root(_ text: String, line: Int = 0) -> Node? {
        do {
            guard let node = try Yams.compose(yaml: text) else { return nil }
            return node
        } catch {
            let place = Self.place(of: error)
            let what = "\(error)".split(separator: "\n").first.map(String.init) ?? "\(error)"
            faulty(line: line + place.line, column: place.column, "It is no YAML: \(what).", "Mend the line.")
            return nil
        }
    }

    private static func place(of error: any Error) -> (line: Int, column: Int) {
        switch error as? YamlError {
        case .scanner(_, _, let mark, _), .parser(_, _, let mark, _), .composer(_, _, let mark, _):
            (mark.line, mark.column)
        default: (1, 1)
        }
    }

    /// The keys of a mapping that are known; a fault for each that is not.
    mutating func fields(_ node: Node, _ known: [String]) -> [(String, Node)] {
        guard let mapping = node.mapping else {
            fault(node, "Here a mapping is needed.", "Write lines such as `\(known[0]): …`.")
            return []
        }
        var found: [(String, Node)] = []
        for (key, value) in mapping {
            let name = key.string ?? ""
            if known.contains(name) {
                found.append((name, value))
            } else {
                fault(key, "There is no `\(name)` here.", hint(name, among: known))
            }
        }
        return found
    }

    /// The elements of a list.
    mutating func list(_ node: Node) -> [Node] {
        guard let sequence = node.sequence else {
            fault(node, "Here a list is needed.", "Begin each element with `- `.")
            return []
        }
        return Array(sequence)
    }

    /// A text that is not empty.
    mutating func text(_ node: Node) -> String? {
        guard let text = node.string, !text.isEmpty else {
            fault(node, "Here a text is needed.", "Write it behind the colon.")
            return nil
        }
        return text
    }

    /// One text, or a list of them.
    mutating func texts(_ node: Node) -> [String] {
        if let sequence = node.sequence { return sequence.compactMap { text($0) } }
        return text(node).map { [$0] } ?? []
    }

    /// A path, made absolute.
    mutating func path(_ node: Node) -> String? { text(node).map(absolute) }

    /// Absolute, without `.` and `..`.
    func absolute(_ path: String) -> String {
        let expanded = (path as NSString).expandingTildeInPath
        return ((expanded.hasPrefix("/") ? expanded : "\(folder)/\(expanded)") as NSString).standardizingPath
    }

    mutating func whole(_ node: Node, _ range: ClosedRange<Int>) -> Int? {
        guard let number = node.string.flatMap({ Int($0) }), range.contains(number) else {
            fault(
                node, "`\(node.string ?? "")` is no whole number from \(range.lowerBound) to \(range.upperBound).",
                "Give one.")
            return nil
        }
        return number
    }

    mutating func flag(_ node: Node) -> Bool? {
        choice(node, ["true", "false"]).map { $0 == "true" }
    }

    /// Seconds.
    mutating func duration(_ node: Node) -> TimeInterval? {
        guard let duration = node.string.flatMap({ Quantity.duration($0) }) else {
            fault(node, "`\(node.string ?? "")` is no time.", "Write a number and a unit: 10s, 5m, 1h.")
            return nil
        }
        return Double(duration.components.seconds) + Double(duration.components.attoseconds) * 1e-18
    }

    mutating func choice(_ node: Node, _ choices: [String]) -> String? {
        guard let text = node.string, choices.contains(text) else {
            fault(node, "`\(node.string ?? "")` is none of the choices.", hint(node.string ?? "", among: choices))
            return nil
        }
        return text
    }

    /// What a text stands for.
    mutating func said<Value>(_ node: Node, _ make: (String) throws(DubError) -> Value) -> Value? {
        guard let text = text(node) else { return nil }
        do throws(DubError) {
            return try make(text)
        } catch {
            fault(node, error.what, error.fix)
            return nil
        }
    }
}
