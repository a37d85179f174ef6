internal import DubCore
internal import DubTiming

/// A piece of a dub that is listened to.
struct PieceTask: Codable, Hashable, Sendable {
    /// Whether words are looked for, or speech alone.
    var hasWords: Bool
    /// How long the piece is, in seconds.
    var seconds: Double
}

/// Where the pieces of a dub lie: in order, without gaps, seconds on the item's timeline.
struct PieceLayout: Codable, Hashable, Sendable {
    /// How long the dub is.
    var duration: Double
    /// In order.
    var pieces: [Span]
}

/// What is heard in a piece; times from its start.
struct HeardPiece: Codable, Hashable, Sendable {
    /// Where somebody speaks.
    var speech: [Span]
    /// What is said; `nil` where nobody listened for words.
    var text: String?
    /// The language that it sounds like, a primary subtag; `nil` where nobody listened.
    var language: String?
    /// How likely it is that it is the language of the dub, 0…1.
    var probability: Double?
}

/// All that is heard in a dub, on the item's timeline.
struct Hearing: Sendable {
    /// How long the dub's sound is, in seconds.
    var duration: Double
    /// Where somebody speaks.
    var speech: [Span]
    /// Each piece that words were looked for in.
    var pieces: [Piece]

    struct Piece: Sendable {
        var span: Span
        var heard: HeardPiece
    }

    init(_ layout: PieceLayout, _ heard: [HeardPiece]) {
        duration = layout.duration
        let all = zip(layout.pieces, heard).map { Piece(span: $0, heard: $1) }
        // A sound that a cut goes through is one.
        speech = all.flatMap { piece in piece.heard.speech.map { $0.shifted(by: piece.span.start) } }
            .merged(closing: 0.05)
        pieces = all.filter { $0.heard.text != nil }
    }

    /// The share of the speech that was listened to which sounds like the dub's language, 0…1, and what else it sounds
    /// like; `nil` where nobody listened. Pieces in which less than a second is spoken say nothing.
    func share(of language: Language) -> (share: Double, others: [String])? {
        var (right, all) = (0.0, 0.0)
        var others: [String: Double] = [:]
        for piece in pieces {
            guard let told = piece.heard.language else { continue }
            let seconds = piece.heard.speech.total
            guard seconds >= 1 || pieces.count == 1 else { continue }
            all += seconds
            // Whisper wavers between close kin: Spanish and Galician, Norwegian and Danish.
            if told == language.primary || (piece.heard.probability ?? 0) >= 0.25 {
                right += seconds
            } else {
                others[told, default: 0] += seconds
            }
        }
        return all > 0 ? (right / all, others.sorted { $0.value > $1.value }.map(\.key)) : nil
    }

    /// How the words of lines came out; `nil` for lines over which nobody listened.
    ///
    /// - Parameter lines: where each is heard and what it says; in any order.
    func words(_ lines: [(span: Span, text: String)], in language: Language) -> [WordMatch.Count?] {
        var counts = [WordMatch.Count?](repeating: nil, count: lines.count)
        let order = lines.indices.sorted { lines[$0].span.start < lines[$1].span.start }
        var (group, reach): ([Piece], Double) = ([], -.infinity)
        func settle(_ group: [Piece]) {
            guard let first = group.first, let last = group.last else { return }
            let inside = order.filter { (first.span.start..<last.span.end).contains(lines[$0].span.middle) }
            let heard = group.flatMap { WordMatch.words(of: $0.heard.text ?? "", in: language) }
            let match = WordMatch(lines: inside.map { WordMatch.words(of: lines[$0].text, in: language) }, heard: heard)
            for (index, count) in zip(inside, match.lines) { counts[index] = count }
        }
        for piece in pieces {
            // A line that goes on over the cut keeps both pieces together.
            if !(reach > piece.span.start + 0.1) {
                settle(group)
                group = []
            }
            group.append(piece)
            for line in lines where line.span.start < piece.span.end && line.span.end > piece.span.start {
                reach = max(reach, line.span.end)
            }
        }
        settle(group)
        return counts
    }
}
