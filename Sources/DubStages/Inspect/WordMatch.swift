internal import DubCore
internal import Foundation

/// How many of the words that were to be said are heard.
struct WordMatch: Sendable {
    /// What became of one line's words.
    struct Count: Hashable, Sendable {
        /// Words that were to be said.
        var words = 0
        /// Words that are heard as others.
        var changed = 0
        /// Words in whose place nothing is heard.
        var lost = 0
        /// Words that are heard and were not to be said.
        var added = 0

        /// Word error rate, 0…; `nil` where there are no words.
        var errorRate: Double? { words > 0 ? Double(changed + lost + added) / Double(words) : nil }

        static func += (left: inout Count, right: Count) {
            left.words += right.words
            left.changed += right.changed
            left.lost += right.lost
            left.added += right.added
        }
    }

    /// In the order of the lines.
    let lines: [Count]

    /// Lays what was heard beside what was to be said, with as few differences as there can be (Levenshtein).
    ///
    /// - Parameters:
    ///   - lines: the words of lines that follow on each other.
    ///   - heard: all words heard over them.
    init(lines: [[String]], heard: [String]) {
        let said = lines.enumerated().flatMap { line, words in words.map { (line, $0) } }
        let width = heard.count + 1
        // Row by row over what was to be said; what a cell came from is kept for the way back.
        var steps = [UInt8](repeating: 0, count: (said.count + 1) * width)
        var row = Array(0..<width)
        for column in 1..<max(1, width) { steps[column] = 2 }
        for (index, word) in said.enumerated() {
            var diagonal = row[0]
            row[0] = index + 1
            steps[(index + 1) * width] = 1
            for column in 1..<max(1, width) {
                let change = diagonal + (heard[column - 1] == word.1 ? 0 : 1)
                let (drop, add) = (row[column] + 1, row[column - 1] + 1)
                diagonal = row[column]
                row[column] = min(change, drop, add)
                steps[(index + 1) * width + column] = row[column] == change ? 0 : row[column] == drop ? 1 : 2
            }
        }
        var counts = lines.map { Count(words: $0.count) }
        var (i, j) = (said.count, heard.count)
        while i > 0 || j > 0 {
            switch steps[i * width + j] {
            case 0:
                if heard[j - 1] != said[i - 1].1 { counts[said[i - 1].0].changed += 1 }
                (i, j) = (i - 1, j - 1)
            case 1:
                counts[said[i - 1].0].lost += 1
                i -= 1
            default:
                // What is added belongs to the line before it.
                if let line = i > 0 ? said[i - 1].0 : said.first?.0 { counts[line].added += 1 }
                j -= 1
            }
        }
        self.lines = counts
    }

    /// A text as words that can be compared: small letters, no punctuation, numbers as they are spoken; single
    /// characters where the language writes no spaces.
    static func words(of text: String, in language: Language) -> [String] {
        let plain = text.precomposedStringWithCompatibilityMapping.lowercased()
        let isEnglish = language.primary == "en"
        var cleaned = ""
        for scalar in plain.unicodeScalars {
            if "'’`´".unicodeScalars.contains(scalar) {
                if !isEnglish { cleaned += " " }
            } else if CharacterSet.alphanumerics.contains(scalar) || CharacterSet.nonBaseCharacters.contains(scalar) {
                cleaned.unicodeScalars.append(scalar)
            } else {
                cleaned += " "
            }
        }
        let words = cleaned.split(separator: " ").flatMap { spoken(String($0), language) }
        guard ["zh", "ja", "th", "yue", "lo", "my", "km"].contains(language.primary) else { return words }
        return words.flatMap { $0.map(String.init) }
    }

    /// `23` as `twenty three`, for both sides may write it either way.
    private static func spoken(_ word: String, _ language: Language) -> [String] {
        guard word.count <= 9, let number = Int(word) else { return [word] }
        let formatter = NumberFormatter()
        formatter.locale = Locale(identifier: language.primary)
        formatter.numberStyle = .spellOut
        guard let text = formatter.string(from: NSNumber(value: number)) else { return [word] }
        return text.lowercased().split { !$0.isLetter }.map(String.init)
    }
}
