import DubCore

/// Tells the end of a sentence from an abbreviation, an initial or a number.
struct SentenceEnd {
    let abbreviations: Set<String>
    /// Whether the words carry spaces, so that a word without one continues the word before it.
    let spaced: Bool
    /// Whether the language writes “3.” for “third”.
    let ordinals: Bool

    init(language: Language, spaced: Bool) {
        abbreviations = Self.common.union(Self.byLanguage[language.primary] ?? [])
        self.spaced = spaced
        ordinals = [
            "de", "lb", "cs", "sk", "pl", "da", "nb", "nn", "no", "fi", "et", "lv", "hu", "sl", "hr", "sr",
            "bs", "is",
            "tr",
        ].contains(language.primary)
    }

    /// Characters that end a sentence.
    static let full: Set<Character> = [".", "!", "?", "…", "。", "？", "！", "؟", "।", "۔", "｡", "．"]
    /// Characters that end a clause: a long line is best cut behind them.
    static let clause: Set<Character> = [",", ";", ":", "—", "–", "、", "，", "；", "：", "،", "؛"]
    private static let closing: Set<Character> = [
        "\"", "'", "”", "’", "»", "›", ")", "]", "」", "』", "）", "“", "‘",
    ]

    /// The last character behind closing quotes and brackets are taken off.
    static func final(of text: String) -> Character? {
        text.last { !closing.contains($0) && !$0.isWhitespace }
    }

    /// Whether a sentence ends after `text`, given the word behind it.
    func follows(_ text: String, next: String?) -> Bool {
        guard let last = Self.final(of: text), Self.full.contains(last) else { return false }
        guard let next else { return true }
        if spaced, let first = next.first, first.isLetter || first.isNumber { return false }
        guard last == "." else { return true }
        let word = text.trimmed.prefix { !Self.closing.contains($0) || $0 == "'" || $0 == "’" }
        let core = word.drop { !$0.isLetter && !$0.isNumber }
        if core.hasSuffix("..") { return true }
        let stem = core.hasSuffix(".") ? core.dropLast() : core
        if abbreviations.contains(stem.lowercased()) { return false }
        // “U.S.”, “z.B.”, “J.”: letters that each have a point. They may end a sentence, and mostly do not.
        let letters = stem.split(separator: ".", omittingEmptySubsequences: false)
        if letters.allSatisfy({ $0.count == 1 && $0.allSatisfy(\.isLetter) }) {
            return letters.count == 1 && stem.lowercased() == "i"
        }
        if ordinals, (1...2).contains(stem.count), stem.allSatisfy(\.isNumber) { return false }
        // A number cut at its point, or one that a list or a date goes on after.
        if !stem.isEmpty, stem.allSatisfy(\.isNumber), let first = next.trimmed.first {
            return !(first.isNumber || first.isLowercase)
        }
        return true
    }

    private static let common: Set<String> = [
        "mr", "mrs", "ms", "dr", "prof", "st", "vs", "jr", "sr", "vol", "approx", "dept", "gen", "col",
        "capt", "lt",
        "sgt", "rev", "hon", "messrs", "e.g", "i.e", "cf", "pp",
    ]

    private static let byLanguage: [String: Set<String>] = [
        "en": ["gov", "sen", "rep", "mt", "inc", "ltd", "co", "corp", "ave", "blvd"],
        "es": [
            "sr", "sra", "srta", "dra", "ud", "uds", "vd", "vds", "d", "dña", "núm", "pág", "lic", "ing",
            "ee", "uu",
        ],
        "fr": ["m", "mm", "mme", "mmes", "mlle", "mlles", "me", "pr", "av", "bd"],
        "de": ["hr", "fr", "nr", "bzw", "ca", "d.h", "z.b", "u.a", "dipl", "ing", "str", "evtl", "ggf"],
        "pt": ["sr", "sra", "dra", "d", "exmo", "exma", "av", "núm", "pág"],
        "it": ["sig", "sig.ra", "dott", "dott.ssa", "avv", "ing", "prof.ssa", "pag"],
        "nl": ["dhr", "mevr", "mw", "drs", "ir", "bijv", "nr", "ca", "o.a", "d.w.z"],
        "pl": ["dr", "prof", "mgr", "inż", "ul", "np", "tzn", "tzw"],
        "ru": ["т.е", "т.к", "г", "ул", "им", "др"],
    ]
}

extension StringProtocol {
    /// Without white space at either end.
    var trimmed: String {
        var rest = self[...]
        while let first = rest.first, first.isWhitespace { rest = rest.dropFirst() }
        while let last = rest.last, last.isWhitespace { rest = rest.dropLast() }
        return String(rest)
    }
}

extension Language {
    /// Whether words are written without spaces between them.
    var isUnspaced: Bool { ["ja", "zh", "yue", "th", "lo", "km", "my", "bo"].contains(primary) }
}
