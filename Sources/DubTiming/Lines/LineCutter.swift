import DubCore

/// Decides which words make a line.
struct LineCutter {
    let rules: LineRules
    let words: [RecognisedWord]
    let map: SpeechMap
    let language: Language
    /// Whether the words carry their spaces.
    let spaced: Bool
    private let ends: SentenceEnd
    /// Characters before each word, without white space at edges counted twice.
    private let characters: [Int]

    init(rules: LineRules, words: [RecognisedWord], map: SpeechMap, language: Language, spaced: Bool) {
        self.rules = rules
        self.words = words
        self.map = map
        self.language = language
        self.spaced = spaced
        ends = SentenceEnd(language: language, spaced: spaced)
        let separator = spaced || language.isUnspaced ? 0 : 1
        characters = words.reduce(into: [0]) { $0.append(($0.last ?? 0) + $1.text.count + separator) }
    }

    /// The words of each line, all of them, in order.
    mutating func ranges() -> [Range<Int>] {
        joined(sentences().flatMap(split))
    }

    private func sentences() -> [Range<Int>] {
        var ranges: [Range<Int>] = []
        var start = 0
        for index in words.indices.dropFirst() {
            let pause = map.pause(before: index)
            let ended = ends.follows(words[index - 1].text, next: words[index].text)
            let enough = pause >= (isClauseEnd(words[index - 1]) ? rules.clausePause : rules.pause)
            if ended || pause >= rules.longPause || enough && isClause(start..<index) {
                ranges.append(start..<index)
                start = index
            }
        }
        ranges.append(start..<words.count)
        return ranges
    }

    private func isClauseEnd(_ word: RecognisedWord) -> Bool {
        SentenceEnd.final(of: word.text).map { SentenceEnd.clause.contains($0) } ?? false
    }

    /// Whether enough has been said for a pause to end it.
    private func isClause(_ range: Range<Int>) -> Bool {
        language.isUnspaced
            ? count(range) >= 2 * rules.clauseWords : range.count >= rules.clauseWords
    }

    private func count(_ range: Range<Int>) -> Int {
        characters[range.upperBound] - characters[range.lowerBound]
    }

    private func isLong(_ range: Range<Int>) -> Bool {
        let most = language.isUnspaced ? rules.maxCharacters / 2 : rules.maxCharacters
        return count(range) > most || map.window(of: range).length > rules.maxSeconds
    }

    /// In two at the best place, and again, until no part is too long.
    private func split(_ range: Range<Int>) -> [Range<Int>] {
        guard range.count > 1, isLong(range) else { return [range] }
        var best = (score: -Double.infinity, index: range.lowerBound + range.count / 2)
        let total = Double(max(1, count(range)))
        for index in range.dropFirst() {
            // A word that continues the one before it is no place to cut.
            let glued = spaced && words[index].text.first.map { !$0.isWhitespace } ?? false
            let clause = isClauseEnd(words[index - 1])
            let share = Double(count(range.lowerBound..<index)) / total
            var score = min(map.pause(before: index), 1.5) + (clause ? 0.6 : 0) - 2 * abs(share - 0.5)
            if glued { score -= 4 }
            if share < 0.15 || share > 0.85 { score -= 1 }
            if score > best.score { best = (score, index) }
        }
        return split(range.lowerBound..<best.index) + split(best.index..<range.upperBound)
    }

    /// Tiny fragments joined with the nearer neighbour.
    private func joined(_ ranges: [Range<Int>]) -> [Range<Int>] {
        var ranges = ranges
        var index = 0
        while index < ranges.count {
            guard ranges.count > 1, isTiny(ranges[index]) else {
                index += 1
                continue
            }
            let before = index > 0 ? gap(before: ranges[index]) : .infinity
            let after = index + 1 < ranges.count ? gap(before: ranges[index + 1]) : .infinity
            // Of equals the one before: a fragment is more often an afterthought.
            let choices = before <= after ? [index, index + 1] : [index + 1, index]
            let found = choices.first { join in
                join > 0 && join < ranges.count && gap(before: ranges[join]) <= rules.tinyGap
                    && !isLong(ranges[join - 1].lowerBound..<ranges[join].upperBound)
            }
            guard let found else {
                index += 1
                continue
            }
            ranges[found - 1] = ranges[found - 1].lowerBound..<ranges[found].upperBound
            ranges.remove(at: found)
            index = max(0, found - 1)
        }
        return ranges
    }

    private func gap(before range: Range<Int>) -> Double { map.pause(before: range.lowerBound) }

    private func isTiny(_ range: Range<Int>) -> Bool {
        let few = language.isUnspaced ? count(range) < 4 : range.count < 2
        return few && map.window(of: range).length < rules.tinySeconds
    }
}
