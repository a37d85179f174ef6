internal import DubCore
internal import DubTiming

/// The lines of all chunks as one script on the item's timeline.
enum ScriptAssembly {
    /// A line of a chunk, moved to the item's timeline.
    struct Placed {
        var line: ChunkLine
        var id: String
    }

    /// All lines in the order of the chunks, times on the item's timeline, ids unique.
    static func lines(_ chunks: [ChunkLines], _ layout: Layout) -> [Placed] {
        var seen: [String: Int] = [:]
        return zip(chunks, layout.chunks).flatMap { chunk, span in
            chunk.lines.map { line in
                var moved = line
                moved.window = line.window.shifted(by: span.start)
                moved.speech = line.speech.map { $0.shifted(by: span.start) }
                moved.words = line.words.map {
                    Word(
                        text: $0.text, start: MediaTime(seconds: $0.start.seconds + span.start),
                        end: MediaTime(seconds: $0.end.seconds + span.start))
                }
                // Equal audio twice in an item gives equal ids: the second one gets a number.
                seen[line.id, default: 0] += 1
                let count = seen[line.id, default: 1]
                return Placed(line: moved, id: count == 1 ? line.id : "\(line.id).\(count)")
            }
        }
    }

    /// The script of an item, with the translation into `target` where there is one.
    static func script(
        _ placed: [Placed], language: Language, target: Language?, duration: Double
    ) -> Script {
        Script(
            language: language, duration: MediaTime(seconds: duration),
            lines: placed.map { one in
                var translations: [Language: Translation] = [:]
                if let target, let translation = one.line.translation { translations[target] = translation }
                return Line(
                    id: one.id, start: MediaTime(seconds: one.line.window.start),
                    end: MediaTime(seconds: one.line.window.end), speaker: one.line.speaker, text: one.line.text,
                    words: one.line.words, translations: translations)
            })
    }
}
