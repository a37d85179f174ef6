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

    /// When the dub speaks, in which language, and what is heard of the words.
    static func speech(_ dub: HeardDub, _ lines: [LineFigure], language: Language) -> [Verdict.Check] {
        var checks: [Verdict.Check] = []
        if !dub.sourceSpeech.isEmpty {
            let times = Isochrony(
                source: dub.sourceSpeech, sourceDuration: dub.sourceDuration, dub: dub.hearing.speech,
                dubDuration: dub.hearing.duration)
            checks += [
                figure("speech.onset.median", Isochrony.quantile(0.5, of: times.onsets), "s"),
                figure("speech.onset.p95", Isochrony.quantile(0.95, of: times.onsets), "s"),
                figure("speech.onset.max", Isochrony.quantile(1, of: times.onsets), "s"),
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
            checks.append(figure("words.wrong", wrong / Double(total.words), "share", note: note))
            checks.append(figure("words.lost", Double(total.lost) / Double(total.words), "share", note: note))
        }
        return checks
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
