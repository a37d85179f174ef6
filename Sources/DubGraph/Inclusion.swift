public import DubCore

/// The text of a pipeline file that another includes.
public struct PipelineSource: Sendable {
    /// How faults name it; the same for the same file, as circles are found by it.
    public var file: String
    /// Its text.
    public var text: String

    /// Names a text.
    public init(file: String, text: String) {
        self.file = file
        self.text = text
    }
}

/// Reads what a pipeline file includes: its name as it is written, and the file that it is written in.
public typealias PipelineInclude = (_ name: String, _ from: String) throws(DubError) -> PipelineSource

/// Includes nothing.
///
/// - Throws: `pipeline.invalid` always.
public func refuseInclude(_ name: String, _ from: String) throws(DubError) -> PipelineSource {
    throw DubError(.pipelineInvalid, "Nothing can be included here.", at: from, fix: "Write it into the file itself.")
}

/// Reads a file and all that it includes to one tree: what includes is put over what is included.
struct Inclusion {
    private static let deepest = 8
    private static let most = 64

    private let include: PipelineInclude
    private(set) var faults: [Fault] = []
    private var count = 0
    private var isBroken = false

    init(_ include: @escaping PipelineInclude) {
        self.include = include
    }

    /// The tree of a file; `nil` where one of the files could not be read.
    mutating func root(_ text: String, file: String) -> SourceNode? {
        let root = tree(text, file: file, above: [])
        return isBroken ? nil : root
    }

    private mutating func tree(_ text: String, file: String, above: [String]) -> SourceNode? {
        let (own, found) = SourceText.read(text, file: file)
        faults += found
        guard let own, let members = own.members else {
            isBroken = true
            return nil
        }
        if own["version"] == nil { faults.append(Fault(own.place, "There is no `version`.", "Write `version: 1`.")) }
        var base: SourceNode?
        for name in own["include"].map({ $0.elements ?? [$0] }) ?? [] {
            guard let included = read(name, file: file, above: above + [file]) else { continue }
            base = base?.merged(with: included) ?? included
        }
        let rest = SourceNode(value: .mapping(members.filter { $0.key != "include" }), place: own.place)
        return base?.merged(with: rest) ?? rest
    }

    private mutating func read(_ name: SourceNode, file: String, above: [String]) -> SourceNode? {
        guard let text = name.text else {
            return broken(name, "`include` names no file here.", "Write a path, or the name of a shipped pipeline.")
        }
        count += 1
        guard above.count <= Self.deepest else {
            return broken(name, "Files include each other more than \(Self.deepest) deep.", "Put them together.")
        }
        guard count <= Self.most else {
            guard count == Self.most + 1 else { return nil }
            return broken(name, "More than \(Self.most) files are included.", "Put them together.")
        }
        do {
            let source = try include(text, file)
            guard !above.contains(source.file) else {
                let circle = above.drop { $0 != source.file } + [source.file]
                return broken(
                    name, "Files include each other in a circle: \(circle.joined(separator: " → ")).",
                    "Take one of the includes away.")
            }
            return tree(source.text, file: source.file, above: above)
        } catch {
            return broken(name, "`\(text)` cannot be included: \(error.what)", error.fix)
        }
    }

    private mutating func broken(_ node: SourceNode, _ what: String, _ fix: String) -> SourceNode? {
        isBroken = true
        faults.append(Fault(node.place, what, fix))
        return nil
    }
}
