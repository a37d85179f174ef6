public import DubCore
internal import DubGraph
internal import Foundation
internal import SwiftCSV
internal import Yams

/// The files of a batch and what is asked of each: CSV, JSON Lines or YAML, by the extension.
///
/// A row has a `file`, and what a watched folder may ask for under the same names (`to`, `pipeline`, `out`, …), and a
/// `script`. In CSV `set.NAME` is a column for a parameter. In YAML an element may be the file's path alone.
public enum Manifest {
    /// Reads a manifest.
    ///
    /// - Throws: `input.missing`; `settings.invalid` with every fault and its line.
    public static func read(_ file: String) throws(DubError) -> [BatchItem] {
        let text: String
        do {
            text = try String(contentsOf: URL(filePath: file), encoding: .utf8)
        } catch {
            throw DubError(
                .inputMissing, "The manifest cannot be read: \(error.localizedDescription).", at: file,
                fix: "Check the name.", cause: error)
        }
        return try read(text, file: file)
    }

    /// Reads a text.
    ///
    /// - Throws: `settings.invalid` with every fault and its line.
    public static func read(_ text: String, file: String) throws(DubError) -> [BatchItem] {
        var reader = ConfigurationReader(file)
        var items: [BatchItem] = []
        switch (file as NSString).pathExtension.lowercased() {
        case "csv": items = csv(text, &reader)
        case "jsonl", "ndjson":
            for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated()
            where !line.allSatisfy(\.isWhitespace) {
                // JSON is YAML in which a line is a mapping; the reader tells lines from the first.
                var row = ConfigurationReader(file)
                if let node = row.root(String(line)), let item = element(node, &row, line: index + 1) {
                    items.append(item)
                }
                for fault in row.faults {
                    reader.faulty(line: index + 1, column: fault.column, fault.what, fault.fix)
                }
            }
        case "yaml", "yml":
            if let root = reader.root(text) {
                for node in reader.list(root) {
                    if let item = element(node, &reader, line: node.mark?.line ?? 0) { items.append(item) }
                }
            }
        default:
            reader.faulty(line: 0, "Its extension tells no known form.", "Call it .csv, .jsonl or .yaml.")
        }
        try reader.end()
        return items
    }

    private static let keys = ["file", "script"] + ConfigurationReader.orderKeys

    private static func element(_ node: Node, _ reader: inout ConfigurationReader, line: Int) -> BatchItem? {
        if let path = node.string, !path.isEmpty { return item(path, FileOrder(), node, line, &reader) }
        var order = FileOrder()
        var path: String?
        for (key, value) in reader.fields(node, keys) {
            if key == "file" { path = reader.text(value) } else { reader.take(key, value, into: &order) }
        }
        guard let path else {
            if node.mapping != nil, node.mapping?["file"] == nil {
                reader.fault(node, "It names no file.", "Write `file: PATH`.")
            }
            return nil
        }
        return item(path, order, node, line, &reader)
    }

    private static func item(
        _ path: String, _ order: FileOrder, _ node: Node?, _ line: Int, _ reader: inout ConfigurationReader
    ) -> BatchItem? {
        guard !path.contains("://") else {
            reader.faulty(line: line, "`\(path)` is a URL.", "Name files on this machine.")
            return nil
        }
        return BatchItem(path: reader.absolute(path), order: order, line: line)
    }

    private static func csv(_ text: String, _ reader: inout ConfigurationReader) -> [BatchItem] {
        let table: CSV<Named>
        do {
            table = try CSV<Named>(string: text)
        } catch {
            reader.faulty(line: 1, "It is no CSV: \(error).", "Begin with a line of column names.")
            return []
        }
        for name in table.header where !keys.contains(name) && !name.hasPrefix("set.") || name == "set" {
            reader.faulty(
                line: 1, "There is no column `\(name)`.", "Use \(keys.joined(separator: ", ")) and set.NAME.")
        }
        guard table.header.contains("file") else {
            reader.faulty(line: 1, "There is no column `file`.", "Name the files in one.")
            return []
        }
        var items: [BatchItem] = []
        for (index, row) in table.rows.enumerated() {
            let line = index + 2
            guard let path = row["file"], !path.isEmpty else {
                reader.faulty(line: line, "It names no file.", "Fill in the column `file`.")
                continue
            }
            var order = FileOrder()
            var cells = ConfigurationReader(reader.file)
            for (name, value) in row.sorted(by: { $0.key < $1.key }) where !value.isEmpty && name != "file" {
                if name.hasPrefix("set.") {
                    order.parameters[String(name.dropFirst("set.".count))] = .string(value)
                } else {
                    cells.take(name, Node(value), into: &order)
                }
            }
            for fault in cells.faults { reader.faulty(line: line, fault.what, fault.fix) }
            if let item = item(path, order, nil, line, &reader) { items.append(item) }
        }
        return items
    }
}
