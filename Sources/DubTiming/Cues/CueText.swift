import DubCore

/// A text in the pieces that stay whole on a row.
struct CueText {
    struct Token {
        var text: String
        /// Whether a space stands before it.
        var spaced: Bool
        /// Which word it belongs to, counted over white space.
        var word: Int
    }

    let tokens: [Token]
    let limit: Int
    /// By token, and behind the last: how bad it is to break before it.
    private let breaks: [Double]
    /// Characters before each token, spaces included.
    private let before: [Int]

    init(_ text: String, limit: Int, language: Language) {
        self.limit = max(1, limit)
        var tokens: [Token] = []
        for (number, word) in text.split(whereSeparator: \.isWhitespace).enumerated() {
            for (place, part) in Self.parts(of: word, limit: self.limit).enumerated() {
                tokens.append(Token(text: part, spaced: place == 0 && number > 0, word: number))
            }
        }
        self.tokens = tokens
        breaks = (0...tokens.count).map { Self.breakCost(tokens, before: $0, language) }
        before = tokens.reduce(into: [0]) { $0.append(($0.last ?? 0) + $1.text.count + ($1.spaced ? 1 : 0)) }
    }

    /// Characters on screen of these tokens in one row.
    func width(_ range: Range<Int>) -> Int {
        guard let first = range.first else { return 0 }
        return before[range.upperBound] - before[first] - (tokens[first].spaced ? 1 : 0)
    }

    /// These tokens as a row.
    func row(_ range: Range<Int>) -> String {
        var row = ""
        for index in range {
            if tokens[index].spaced, index > range.lowerBound { row += " " }
            row += tokens[index].text
        }
        return row
    }

    /// How bad it is to break between two tokens: 0 after a sentence to 4 after an article, 6 in a word.
    private static func breakCost(_ tokens: [Token], before index: Int, _ language: Language) -> Double {
        guard index > 0, index < tokens.count else { return 0 }
        let last = tokens[index - 1].text
        if let end = SentenceEnd.final(of: last) {
            if SentenceEnd.full.contains(end) { return 0 }
            if SentenceEnd.clause.contains(end) { return 0.5 }
        }
        if !tokens[index].spaced, !isWide(tokens[index].text), !isWide(last) { return 6 }
        let words = words[language.primary]
        if words?.leads.contains(tokens[index].text.lowercased()) == true { return 1 }
        if words?.clings.contains(last.lowercased()) == true { return 4 }
        return 2.5
    }

    /// One or two rows for these tokens; `nil` where they need more.
    func layout(_ range: Range<Int>) -> (rows: [Range<Int>], cost: Double)? {
        if width(range) <= limit { return ([range], 0) }
        guard width(range) <= 2 * limit + 1 else { return nil }
        var best: (rows: [Range<Int>], cost: Double)?
        for index in range.dropFirst() {
            let rows = [range.lowerBound..<index, index..<range.upperBound]
            let widths = rows.map(width)
            guard widths[0] <= limit, widths[1] <= limit else { continue }
            // Even rows; a longer lower one reads better than a longer upper one.
            let slant = Double(widths[0] - widths[1]) / Double(limit)
            let cost = 0.6 * breaks[index] + (slant > 0 ? 2.2 : 2) * abs(slant)
            if best.map({ cost < $0.cost }) ?? true { best = (rows, cost) }
        }
        return best
    }

    /// The tokens of each cue: at least `count` cues where there are tokens enough.
    func cues(atLeast count: Int) -> [Range<Int>] {
        guard !tokens.isEmpty else { return [] }
        let share = max(1, (width(0..<tokens.count) + count - 1) / max(1, count))
        let full = Double(min(2 * limit, count > 1 ? share : 2 * limit))
        var best: [(cost: Double, from: Int)] = [(0, 0)]
        for end in 1...tokens.count {
            var found = (cost: Double.infinity, from: end - 1)
            for start in (0..<end).reversed() {
                guard width(start..<end) <= 2 * limit + 1 else { break }
                guard let layout = layout(start..<end) else { continue }
                let fill = Double(width(start..<end)) / full
                let uneven = fill < 0.4 ? 4 * (0.4 - fill) : count > 1 && fill > 1.3 ? 8 * (fill - 1.3) : 0
                let cost =
                    best[start].cost + 3 + layout.cost + uneven + 1.2 * breaks[end]
                if cost < found.cost { found = (cost, start) }
            }
            // A token is never wider than a row, so one alone can always be laid out.
            best.append(found)
        }
        var cues: [Range<Int>] = []
        var end = tokens.count
        while end > 0 {
            cues.append(best[end].from..<end)
            end = best[end].from
        }
        return cues.reversed()
    }

    /// A word in pieces that stay whole: wide characters one by one with the punctuation that belongs to them.
    private static func parts(of word: Substring, limit: Int) -> [String] {
        var parts: [String] = []
        var opened = false
        for character in word {
            let wide = isWide(String(character))
            let joins =
                opened || clings.contains(character)
                || !wide && !(parts.last.map { $0.last.map { isWide(String($0)) } ?? false } ?? true)
            if joins, let last = parts.last, last.count < limit {
                parts[parts.count - 1].append(character)
            } else {
                parts.append(String(character))
            }
            opened = opens.contains(character)
        }
        return parts
    }

    private static let clings: Set<Character> = Set("、。，．！？：；」』）〉》】〕”’…ーぁぃぅぇぉっゃゅょァィゥェォッャュョ々%％")
    private static let opens: Set<Character> = Set("「『（〈《【〔“‘")

    /// Whether breaks are allowed around it without a space: Han, kana, and their punctuation.
    private static func isWide(_ text: String) -> Bool {
        guard let scalar = text.unicodeScalars.last?.value else { return false }
        return (0x2E80...0x9FFF).contains(scalar) || (0xF900...0xFAFF).contains(scalar)
            || (0xFF00...0xFFEF).contains(scalar) || (0x20000...0x3FFFF).contains(scalar)
            || (0x0E00...0x0EFF).contains(scalar) || (0x1000...0x109F).contains(scalar)
            || (0x1780...0x17FF).contains(scalar)
    }

    private static func set(_ words: String) -> Set<String> {
        Set(words.split(separator: " ").map(String.init))
    }

    /// By language: words that lead a new row well, and words that must not end one.
    private static let words: [String: (leads: Set<String>, clings: Set<String>)] = [
        "en": (
            set("and but or nor so because that which who when while if where than although unless until"),
            set(
                "a an the of to in on at by for with from my your his her its our their this that very not no"
            )
        ),
        "es": (
            set("y e o u pero que porque cuando si donde aunque mientras sino como"),
            set("el la los las un una unos unas de del a al en por para con sin mi tu su sus no muy lo se")
        ),
        "fr": (
            set("et ou mais que qui parce quand si où car donc comme puisque lorsque"),
            set("le la les un une des de du à au aux en par pour avec sans mon ma mes son sa ses ne très")
        ),
        "de": (
            set("und oder aber dass weil wenn als ob denn sondern während obwohl damit"),
            set(
                "der die das den dem des ein eine einen einem einer von zu in im an am auf für mit nicht sehr"
            )
        ),
        "pt": (
            set("e ou mas que porque quando se onde embora enquanto como"),
            set("o a os as um uma de do da dos das em no na por para com sem meu minha seu sua não muito")
        ),
        "it": (
            set("e o ma che perché quando se dove mentre come anche"),
            set("il lo la i gli le un uno una di del della a al in nel da per con su non molto")
        ),
    ]
}
