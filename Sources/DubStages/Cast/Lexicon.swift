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
            .map(NSRegularExpression.escapedPattern(for:))
        let pattern = "(?<![\\p{L}\\p{N}])(" + words.joined(separator: "|") + ")(?![\\p{L}\\p{N}])"
        guard !words.isEmpty,
            let expression = try? NSRegularExpression(pattern: pattern, options: [.caseInsensitive])
        else { return text }
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
}
