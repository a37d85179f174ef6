public import DubCore

/// One thing that is wrong in a pipeline file, and where.
public struct Fault: Hashable, Sendable, Encodable, CustomStringConvertible {
    /// The file, as it was named.
    public var file: String
    /// Counted from 1; 0 where the fault belongs to the file as a whole.
    public var line: Int
    /// Counted from 1; 0 where unknown.
    public var column: Int
    /// What is wrong, as a sentence.
    public var what: String
    /// What to write instead.
    public var fix: String

    /// `file:line:column`, or the file alone where the fault belongs to it as a whole.
    public var location: String { line > 0 ? "\(file):\(line):\(column)" : file }
    /// `file:line:column: what fix`, as compilers print it.
    public var description: String { "\(location): \(what) \(fix)" }

    /// Describes a fault.
    public init(file: String, line: Int, column: Int, what: String, fix: String) {
        self.file = file
        self.line = line
        self.column = column
        self.what = what
        self.fix = fix
    }
}

extension Fault {
    init(_ place: Pipeline.Place, _ what: String, _ fix: String) {
        self.init(file: place.file, line: place.line, column: place.column, what: what, fix: fix)
    }

    /// Sorts faults as they stand in the files, those of `file` first.
    static func sorted(_ faults: [Fault], file: String) -> [Fault] {
        faults.sorted {
            ($0.file == file ? 0 : 1, $0.file, $0.line, $0.column) < (
                $1.file == file ? 0 : 1, $1.file, $1.line, $1.column
            )
        }
    }
}

extension DubError.Code {
    /// A pipeline file has faults; every one is listed in the error.
    public static let pipelineInvalid = Self(name: "pipeline.invalid")
    /// A parameter of a pipeline is missing, unknown or of the wrong type.
    public static let parameterInvalid = Self(name: "parameter.invalid")
}

extension DubError {
    /// All faults of a file as one error; its place is the first of them.
    static func invalid(_ faults: [Fault]) -> DubError {
        let first = faults.first
        return DubError(
            .pipelineInvalid,
            faults.count == 1
                ? faults.map(\.what).joined()
                : "The pipeline has \(faults.count) faults:\n"
                    + faults.map { "    \($0)" }.joined(separator: "\n"),
            at: first?.location ?? "pipeline",
            fix: faults.count == 1 ? faults.map(\.fix).joined() : "Mend each of them; the file is read as a whole.")
    }
}

/// What to say of a word that is none of the candidates: the one that was meant, or all that there are.
package func hint(_ word: String, among candidates: some Sequence<String>) -> String {
    let known = Set(candidates).sorted()
    if let near = suggestion(for: word, among: known) { return "Did you mean `\(near)`?" }
    return known.isEmpty ? "Leave it away." : "There is \(known.joined(separator: ", "))."
}

/// Names as they stand in a sentence.
func quoted(_ names: some Sequence<String>) -> String { names.map { "`\($0)`" }.joined(separator: ", ") }

/// The candidate nearest to a mistyped word, if any is near: at most a third of the letters differ.
func suggestion(for word: String, among candidates: some Sequence<String>) -> String? {
    let scored = candidates.map { ($0, editDistance(Array(word.lowercased()), Array($0.lowercased()))) }
    guard let best = scored.min(by: { ($0.1, $0.0) < ($1.1, $1.0) }),
        best.1 <= max(1, max(word.count, best.0.count) / 3)
    else { return nil }
    return best.0
}

/// Insertions, deletions, substitutions and swaps of neighbours from one word to the other (optimal string alignment).
private func editDistance(_ a: [Character], _ b: [Character]) -> Int {
    var before: [Int] = []
    var last = Array(0...b.count)
    for i in 0..<a.count {
        var row = [i + 1]
        for j in 0..<b.count {
            var least = min(last[j + 1] + 1, row[j] + 1, last[j] + (a[i] == b[j] ? 0 : 1))
            if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { least = min(least, before[j - 1] + 1) }
            row.append(least)
        }
        before = last
        last = row
    }
    return last[b.count]
}
