public import DubCore
internal import DubTiming

extension Script {
    /// Takes over what a person changed.
    ///
    /// Lines are matched by id, else by the time they share. A changed text or translation becomes the person's; a
    /// translation that stayed while its source text changed is taken away, to be made anew.
    ///
    /// - Returns: how many lines changed, those that came or went counted in.
    public mutating func take(_ edited: Script) -> Int {
        let known = lines.map { ($0.id, Span(start: $0.start.seconds, end: $0.end.seconds)) }
        // Subtitles of one language need not hold every line; a script or a table does.
        let isWhole = edited.lines.contains { !$0.id.isEmpty || !$0.text.isEmpty }
        var edited = edited
        edited.lines = CueGrouping.joined(edited.lines, into: known)
        let byID = Dictionary(lines.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
        var taken: Set<String> = []
        var changed = 0
        let merged = edited.lines.map { line -> Line in
            guard let old = byID[line.id] ?? nearest(to: line, except: taken) else {
                changed += 1
                var new = line
                if new.id.isEmpty {
                    new.id = "new-" + Digest.of("\(line.start.seconds) \(line.text)").short.prefix(8)
                }
                return new
            }
            taken.insert(old.id)
            let new = Self.merge(old, line)
            if new != old { changed += 1 }
            return new
        }
        let gone = isWhole ? lines.count - taken.count : 0
        let kept = gone > 0 ? [] : lines.filter { !taken.contains($0.id) }
        lines = (merged + kept).sorted { $0.start < $1.start }
        return changed + gone
    }

    private func nearest(to line: Line, except taken: Set<String>) -> Line? {
        func shared(_ other: Line) -> Double {
            min(line.end.seconds, other.end.seconds) - max(line.start.seconds, other.start.seconds)
        }
        return lines.filter { !taken.contains($0.id) && shared($0) > 0 }.max { shared($0) < shared($1) }
    }

    private static func merge(_ old: Line, _ edit: Line) -> Line {
        var new = old
        // An export rounds: what moved by less is where it was.
        if abs(edit.start.seconds - old.start.seconds) > 0.002 { new.start = edit.start }
        if abs(edit.end.seconds - old.end.seconds) > 0.002 { new.end = edit.end }
        if let speaker = edit.speaker { new.speaker = speaker }
        let textChanged = !edit.text.isEmpty && edit.text != old.text
        if textChanged {
            new.text = edit.text
            new.words = []
        }
        for (language, translation) in edit.translations {
            guard translation.text != old.translations[language]?.text else {
                if textChanged { new.translations[language] = nil }
                continue
            }
            let origin = translation.origin == .machine ? .human : translation.origin
            new.translations[language] = Translation(text: translation.text, origin: origin)
        }
        return new
    }
}
