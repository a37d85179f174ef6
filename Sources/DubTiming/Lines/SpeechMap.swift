/// Which span of speech each word belongs to, and what lines get of the speech.
struct SpeechMap {
    /// With times that never run backwards.
    let words: [RecognisedWord]
    /// In order, disjoint, not empty.
    let speech: [Span]
    /// By word: the span it is said in; never runs backwards.
    let home: [Int]

    init(words: [RecognisedWord], speech: [Span]) {
        self.words = words
        self.speech = speech
        var home: [Int] = []
        var floor = 0
        for word in words {
            let span = Span(start: word.start, end: word.end)
            var best = floor
            for index in floor..<speech.count {
                if speech[index].start > span.end, index > best {
                    // Past the word: only the nearest matters, and spans are in order.
                    if speech[index].distance(to: span) < speech[best].distance(to: span) { best = index }
                    break
                }
                let shared = speech[index].overlap(span)
                let bestShared = speech[best].overlap(span)
                if shared > bestShared
                    || shared == bestShared
                        && speech[index].distance(to: span) < speech[best].distance(to: span)
                {
                    best = index
                }
            }
            floor = best
            home.append(best)
        }
        self.home = home
    }

    /// The silence between a word and the one before it, in seconds; 0 within one span of speech.
    func pause(before index: Int) -> Double {
        guard index > 0, home[index] > home[index - 1] else { return 0 }
        // Speech without words between them counts as silence: nobody says anything there.
        return speech[home[index]].start - speech[home[index - 1]].end
    }

    /// Where speech holding these words begins and ends, as good as can be said before lines are cut.
    func window(of range: Range<Int>) -> Span {
        guard let first = range.first, let last = range.last else { return Span(start: 0, end: 0) }
        let (head, tail) = (speech[home[first]], speech[home[last]])
        let start =
            first > 0 && home[first - 1] == home[first] ? cut(before: first, in: head) : head.start
        let end =
            last + 1 < words.count && home[last + 1] == home[last]
            ? cut(before: last + 1, in: tail) : tail.end
        return Span(start: start, end: end)
    }

    /// Where two words in one span part: half-way between them.
    private func cut(before index: Int, in span: Span) -> Double {
        let middle =
            (max(words[index - 1].start, min(words[index - 1].end, words[index].start)) + words[index].start)
            / 2
        return min(max(middle, span.start), span.end)
    }

    /// What each line gets of the speech, and the speech that no line takes.
    func windows(of ranges: [Range<Int>]) -> (lines: [[Span]], wordless: [Span]) {
        var edges = [[Double]](repeating: [], count: speech.count)
        for range in ranges.dropFirst() where home[range.lowerBound - 1] == home[range.lowerBound] {
            let span = home[range.lowerBound]
            edges[span].append(cut(before: range.lowerBound, in: speech[span]))
        }
        let cuts = zip(speech, edges).map { Self.apart($1, in: $0) }
        var taken = Set<Int>()
        var used = [Int](repeating: 0, count: speech.count)
        var lines: [[Span]] = []
        for (number, range) in ranges.enumerated() {
            let first = home[range.lowerBound]
            let last = home[range.upperBound - 1]
            var spans: [Span] = []
            // Speech without words of its own belongs to the line that it lies in, or that reaches over it.
            let before = number > 0 ? home[ranges[number - 1].upperBound - 1] : -1
            let after = number + 1 < ranges.count ? home[ranges[number + 1].lowerBound] : speech.count
            var low = first
            while low - 1 > before, !taken.contains(low - 1), covers(words[range.lowerBound], speech[low - 1]) {
                low -= 1
            }
            var high = last
            while high + 1 < after, covers(words[range.upperBound - 1], speech[high + 1]) { high += 1 }
            for index in low...high {
                taken.insert(index)
                var span = speech[index]
                if index == first, used[first] > 0 { span.start = cuts[first][used[first] - 1] }
                if index == last, used[last] < cuts[last].count {
                    span.end = cuts[last][used[last]]
                    used[last] += 1
                }
                spans.append(span)
            }
            lines.append(spans)
        }
        return (lines, speech.indices.filter { !taken.contains($0) }.map { speech[$0] })
    }

    private func covers(_ word: RecognisedWord, _ span: Span) -> Bool {
        span.overlap(Span(start: word.start, end: word.end)) >= span.length / 2
    }

    /// Cuts in order with something between all of them, however loose the words' times.
    private static func apart(_ cuts: [Double], in span: Span) -> [Double] {
        var cuts = cuts
        let least = min(0.05, span.length / Double(cuts.count + 1) / 2)
        var floor = span.start
        for index in cuts.indices {
            cuts[index] = max(cuts[index], floor + least)
            floor = cuts[index]
        }
        var ceiling = span.end
        for index in cuts.indices.reversed() {
            cuts[index] = min(cuts[index], ceiling - least)
            ceiling = cuts[index]
        }
        return cuts
    }
}
