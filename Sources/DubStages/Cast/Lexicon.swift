internal import Foundation

/// Words as they have to be written to be said right.
enum Lexicon {
    /// A text with every word that a lexicon holds written its way: whole words, in any case, longer entries first.
    static func applied(_ lexicon: [String: String], to text: String) -> String {
        guard !lexicon.isEmpty else { return text }
        var spelling: [String: String] = [:]
        for (word, said) in lexicon.sorted(by: { $0.key < $1.key }) where !word.isEmpty {
            spelling[word.lowercased()] = said
        }
        let words = spelling.keys.sorted { ($1.count, $0) < ($0.count, $1) }
        guard !words.isEmpty, let expression = expression(words) else { return text }
        var out = text
        let whole = NSRange(text.startIndex..., in: text)
        for match in expression.matches(in: text, range: whole).reversed() {
            guard let range = Range(match.range, in: text), let said = spelling[text[range].lowercased()],
                let place = Range(match.range, in: out)
            else { continue }
            out.replaceSubrange(place, with: said)
        }
        return out
    }

    /// Whether a text has a word, or some words, whole and in any case.
    static func holds(_ word: String, _ text: String) -> Bool {
        guard !word.isEmpty, let expression = expression([word]) else { return false }
        return expression.firstMatch(in: text, range: NSRange(text.startIndex..., in: text)) != nil
    }

    private static func expression(_ words: [String]) -> NSRegularExpression? {
        let words = words.map(NSRegularExpression.escapedPattern(for:)).joined(separator: "|")
        let pattern = "(?<![\\p{L}\\p{N}])(" + words + ")(?![\\p{L}\\p{N}])"
        return try? NSRegularExpression(pattern: pattern, options: [.caseInsensitive])
    }
}
