public import Foundation

/// A verdict as it lies beside a dub, as far as a page tells it.
public struct DubVerdict: Decodable, Sendable {
    /// One figure.
    public struct Check: Decodable, Sendable {
        var name: String
        var value: Double?
        var unit: String
        var limit: String
        var grade: String
        var note: String?
    }

    /// One line.
    public struct Line: Decodable, Sendable {
        var id: String
        var start: Double
        var end: Double
        var dubStart: Double?
        var dubEnd: Double?
        var text: String
        var state: String
        var onset: Double?
        var rate: Double?
        var spill: Double?
        var wordsWrong: Double?
        var wordsLost: Int?
        var notes: [String]
    }

    var verdict: String
    var checks: [Check]
    var figures: [Line]?

    /// Whether it tells of speech and lines: a page has something to show.
    public var hasLines: Bool { figures?.isEmpty == false }

    /// Worse is less.
    public var rank: Int { verdict == "fail" ? 0 : verdict == "review" ? 1 : 2 }

    /// Reads the document.
    public init(_ json: Data) throws { self = try JSONDecoder().decode(DubVerdict.self, from: json) }
}

/// A dub that a page shows: its verdict, what it sounds like, and where it lies.
public struct DubStory: Sendable {
    /// A sound as it is drawn.
    public struct Sound: Sendable {
        /// The largest sample of each part, 0…1.
        public var peaks: [Float]
        /// How long a part is, in seconds.
        public var part: Double

        /// Describes a sound.
        public init(peaks: [Float], part: Double) {
            self.peaks = peaks
            self.part = part
        }

        var seconds: Double { Double(peaks.count) * part }
    }

    /// A file that can be played.
    public struct Film: Sendable {
        /// Where the page finds it: a relative or a `file:` address. `nil` where it is not there.
        public var link: String?
        /// What is said where it is not there.
        public var absence: String
        /// What it sounds like; `nil` where that was not read.
        public var sound: Sound?

        /// Describes a file.
        public init(link: String?, absence: String, sound: Sound?) {
            self.link = link
            self.absence = absence
            self.sound = sound
        }
    }

    /// The source's absolute path.
    public var source: String
    /// The language of the dub, as a person reads it.
    public var language: String
    /// What was measured.
    public var verdict: DubVerdict
    /// What was dubbed.
    public var original: Film
    /// The dub.
    public var dub: Film

    /// Puts together what is known.
    public init(source: String, language: String, verdict: DubVerdict, original: Film, dub: Film) {
        self.source = source
        self.language = language
        self.verdict = verdict
        self.original = original
        self.dub = dub
    }
}

extension DubVerdict.Line {
    /// How bad a line is: 0 for one that nobody would notice.
    var badness: Double {
        var sum = 0.0
        if state == "notVoiced" { sum += 10 }
        if state == "review" { sum += 2 }
        sum += min(3, abs(onset ?? 0) / 0.25)
        sum += 6 * max(0, abs((rate ?? 1) - 1) - 0.1)
        sum += min(3, spill ?? 0)
        sum += 2 * min(1.5, wordsWrong ?? 0)
        return sum
    }

    /// The class of its drawing.
    var grade: String { badness >= 3 || state == "notVoiced" ? "bad" : badness >= 1.2 ? "warn" : "fine" }

    /// What a person is told of it.
    func told(_ number: Int) -> String {
        var parts = ["Line \(number) at \(Figure.clock(start))"]
        if state == "notVoiced" { parts.append("not voiced") }
        if let onset { parts.append(Figure.lateness(onset)) }
        if let rate { parts.append("\(Figure.decimal(rate, 2))× speed") }
        if let spill, spill >= 0.05 { parts.append("goes on for \(Figure.decimal(spill, 2)) s") }
        if let wordsWrong { parts.append("\(Figure.share(wordsWrong)) of the words wrong") }
        return parts.joined(separator: ", ") + ": " + text
    }
}

extension Figure {
    /// `1:04.2` of the film.
    static func clock(_ seconds: Double) -> String {
        let tenths = Int((max(0, min(seconds, 1e9)) * 10).rounded())
        let (whole, part) = (tenths / 10, tenths % 10)
        let minutes = String(format: whole >= 3600 ? "%02d:%02d.%d" : "%d:%02d.%d", whole / 60 % 60, whole % 60, part)
        return whole >= 3600 ? "\(whole / 3600):\(minutes)" : minutes
    }

    /// `120 ms late`, `on time`.
    static func lateness(_ seconds: Double) -> String {
        let milliseconds = Int((seconds * 1000).rounded())
        if abs(milliseconds) < 10 { return "on time" }
        return "\(abs(milliseconds)) ms \(milliseconds > 0 ? "late" : "early")"
    }
}
