internal import DubCore
internal import DubTiming
internal import Foundation

extension Inspection {
    /// What of the source is still there, and what is not.
    ///
    /// - Parameters:
    ///   - speech: where both speak; `nil` where nobody listened.
    ///   - gain: by how much the whole dub was made louder on purpose, dB.
    static func comparison(_ sounds: SoundComparison, _ speech: HeardDub?, gain: Double) -> [Verdict.Check] {
        var checks = [figure("track.length.change", sounds.dubSeconds - sounds.sourceSeconds, "s")]
        guard let speech else { return checks }
        if !speech.sourceSpeech.isEmpty {
            checks.append(
                figure(
                    "source.remains", sounds.during(speech.sourceSpeech).correlation ?? 0, "r",
                    note: "how much the dub is like the source while that speaks; 1 is untouched"))
        }
        checks.append(figure("sound.dropouts", sounds.dropouts(speech.sourceSpeech), "s"))
        let between = sounds.between(speech.sourceSpeech, speech.hearing.speech)
        // In less, or in near silence, there is no bed that could be lost.
        guard between.seconds >= 0.8, between.sourceLevel > -60 else { return checks }
        checks.append(figure("bed.correlation", between.correlation ?? 0, "r"))
        let floor = -70.0
        let change = max(floor, between.dubLevel - gain) - max(floor, between.sourceLevel)
        checks.append(figure("bed.level.change", change, "dB"))
        return checks
    }

    /// Fewer words than these are no proof against a dub.
    private static let enoughWords = 12

    /// When the dub speaks, in which language, and what is heard of the words.
    static func speech(_ dub: HeardDub, _ lines: [LineFigure], language: Language) -> [Verdict.Check] {
        var checks: [Verdict.Check] = []
        if !dub.sourceSpeech.isEmpty {
            let times = Isochrony(
                source: dub.sourceSpeech, sourceDuration: dub.sourceDuration, dub: dub.hearing.speech,
                dubDuration: dub.hearing.duration)
            // A line has to begin with the source; where the source pauses inside it, the dub need not. Only where
            // nobody knows the lines do phrases stand for them.
            let ofLines = lines.compactMap(\.onset)
            let onsets = ofLines.isEmpty ? times.onsets : ofLines
            for (name, share) in [("median", 0.5), ("p95", 0.95), ("max", 1)] where !onsets.isEmpty {
                checks.append(figure("speech.onset.\(name)", Isochrony.quantile(share, of: onsets), "s"))
            }
            checks += [
                figure("speech.iou", times.iou ?? 0, "share"),
                figure("speech.cut-at-end", times.isCutAtEnd ? 1 : 0, "bool"),
            ]
            if let lag = times.lag { checks.append(figure("speech.lag", lag, "s")) }
        }
        if let (share, others) = dub.hearing.share(of: language) {
            checks.append(
                figure(
                    "language.heard", share, "share",
                    note: others.isEmpty ? nil : "it sounds like \(others.joined(separator: ", ")) too"))
        }
        let counted = lines.filter { $0.wordsWrong != nil }
        var total = WordMatch.Count()
        var wrong = 0.0
        for line in counted {
            let words = WordMatch.words(of: line.text, in: language).count
            total += WordMatch.Count(words: words, lost: line.wordsLost ?? 0)
            wrong += (line.wordsWrong ?? 0) * Double(words)
        }
        if total.words > 0 {
            let note = counted.count < lines.count ? "\(counted.count) of \(lines.count) lines listened to" : nil
            for (name, count) in [("words.wrong", wrong), ("words.lost", Double(total.lost))] {
                var check = figure(name, count / Double(total.words), "share", note: note)
                // Recognisers mishear names and spelling; of a few words all can be such.
                if total.words < enoughWords { check.worst = .review }
                checks.append(check)
            }
        }
        return checks + quality(source: dub.ratings.source, dub: dub.ratings.dub)
    }

    /// How often two lines sound together that the source says one after the other.
    static func overlaps(_ lines: [LineFigure]) -> Verdict.Check {
        let voiced = lines.filter { $0.dubStart != nil }.sorted { ($0.dubStart ?? 0) < ($1.dubStart ?? 0) }
        var count = 0
        for (index, line) in voiced.enumerated() {
            for other in voiced[(index + 1)...] {
                guard let end = line.dubEnd, let start = other.dubStart, start < end - 0.02 else { break }
                if min(line.end, other.end) - max(line.start, other.start) < 0.02 { count += 1 }
            }
        }
        return figure("lines.overlaps", Double(count), "pairs")
    }
}
