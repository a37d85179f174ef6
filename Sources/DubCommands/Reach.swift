internal import DubCore
internal import DubGraph
internal import DubService
internal import DubWatch
internal import Foundation

/// What the control API may touch: sources below the roots, outputs below one folder, pipelines that are named.
struct Reach: Sendable {
    /// Links resolved.
    private let roots: [String]
    /// As they may be written: with links and without.
    private let written: [String]
    private let out: String?
    private let pipelines: [String: String]

    /// - Throws: `settings.invalid` for roots that are no folders, or none for outputs; `input.missing` for pipelines
    ///   that there are not.
    init(_ entry: ServiceEntry, home: Home) throws {
        roots = try entry.roots.map { root in
            guard let real = Self.real(root), Self.isFolder(real) else {
                throw DubError(.settingsInvalid, "The root is no folder.", at: root, fix: "Make it, or name another.")
            }
            return real
        }
        written = roots + entry.roots.map { ($0 as NSString).standardizingPath }
        if !roots.isEmpty, entry.out == nil {
            throw DubError(
                .settingsInvalid, "There are `roots` for sources and no `out` for what is made of them.", at: "http",
                fix: "Write `out: FOLDER`.")
        }
        out = entry.out
        var pipelines: [String: String] = [:]
        for name in entry.pipelines ?? home.pipelines() {
            let file = try home.pipeline(name)
            pipelines[((file as NSString).lastPathComponent as NSString).deletingPathExtension] =
                name.contains("/") ? file : name
        }
        self.pipelines = pipelines
    }

    /// A pipeline's name as a run asks for it.
    ///
    /// - Throws: `pipeline.refused`.
    func pipeline(_ name: String) throws(DubError) -> String {
        guard let known = pipelines[name] else {
            throw DubError(
                .pipelineRefused, "The API has no such pipeline.", at: name,
                fix: "Ask for one of \(pipelines.keys.sorted().joined(separator: ", ")).")
        }
        return known
    }

    /// Whether a pipeline, as a run asked for it, is one of those that may be.
    func has(pipeline: String) -> Bool { pipelines.values.contains(pipeline) }

    /// A file that is to be read, links resolved.
    ///
    /// - Throws: `source.refused` for what is a URL or lies outside; `input.missing` for what is not there.
    func source(_ path: String) throws(DubError) -> String {
        guard !path.contains("://") else {
            throw DubError(
                .sourceRefused, "Addresses are not fetched.", at: path, fix: "Put the file below one of `http: roots`.")
        }
        let full = path.hasPrefix("/") ? path : (roots.first ?? "/") + "/" + path
        // Before the disk is asked: what lies outside is refused alike, whether it is there or not.
        let plain = (full as NSString).standardizingPath
        guard written.contains(where: { Self.lies(plain, in: $0) }) else { throw Self.outside(path) }
        guard let real = Self.real(full) else {
            throw DubError(.inputMissing, "There is no such file.", at: path, fix: "Check the name.")
        }
        guard roots.contains(where: { Self.lies(real, in: $0) }) else { throw Self.outside(path) }
        guard !Self.isFolder(real) else {
            throw DubError(.inputMissing, "This is a folder, not a file.", at: path, fix: "Name the files in it.")
        }
        return real
    }

    /// A folder for outputs, links resolved as far as it is there.
    ///
    /// - Throws: `source.refused` for what lies outside.
    func output(_ path: String?) throws(DubError) -> String {
        guard let out else { throw Self.outside(path ?? "out") }
        guard let path else { return out }
        let full = path.hasPrefix("/") ? path : "\(out)/\(path)"
        let parts = full.split(separator: "/")
        guard !path.contains("://"), !parts.contains(".."), !parts.contains(".") else { throw Self.outside(path) }
        guard Self.lies(Self.deepest(full), in: Self.deepest(out)) else { throw Self.outside(path) }
        return full
    }

    /// Parameters: what could be a path has to be one that may be read.
    ///
    /// - Throws: `source.refused`.
    func parameters(_ given: [String: JSONValue]) throws(DubError) -> [String: JSONValue] {
        var checked = given
        for (name, value) in given {
            guard let text = value.string,
                text.contains("/") || Self.isURL(text) || FileManager.default.fileExists(atPath: text)
            else { continue }
            checked[name] = .string(try source(text))
        }
        return checked
    }

    // MARK: - Paths

    private static func outside(_ path: String) -> DubError {
        DubError(
            .sourceRefused, "The API does not reach there.", at: path,
            fix: "Name what lies below `http: roots`, for outputs below `http: out`.")
    }

    /// A scheme and a colon, as RFC 3986 has it: `http://…`, `file:…`, and what FFmpeg takes for one (`concat:…`).
    private static func isURL(_ text: String) -> Bool {
        guard let colon = text.firstIndex(of: ":") else { return false }
        let scheme = text[..<colon]
        // `track:2` is no address.
        guard scheme != "track" else { return false }
        return scheme.first?.isLetter == true
            && scheme.utf8.allSatisfy {
                $0 < 128 && (Character(UnicodeScalar($0)).isLetter || "0123456789+-.,".utf8.contains($0))
            }
    }

    private static func lies(_ path: String, in folder: String) -> Bool {
        path.hasPrefix(folder == "/" ? "/" : folder + "/") || path == folder
    }

    private static func real(_ path: String) -> String? {
        guard let resolved = realpath(path, nil) else { return nil }
        defer { free(resolved) }
        return String(cString: resolved)
    }

    /// The path with links resolved as far as it is there.
    private static func deepest(_ path: String) -> String {
        var (head, tail) = (path, "")
        while head != "/", !head.isEmpty {
            if let real = real(head) { return (real == "/" ? "" : real) + tail }
            tail = "/" + (head as NSString).lastPathComponent + tail
            head = (head as NSString).deletingLastPathComponent
        }
        return tail.isEmpty ? "/" : tail
    }

    private static func isFolder(_ path: String) -> Bool {
        var isFolder: ObjCBool = false
        return FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) && isFolder.boolValue
    }
}
