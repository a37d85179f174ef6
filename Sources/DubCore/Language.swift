/// A natural language: a BCP 47 tag such as `es`, `pt-BR` or `zh-Hans`.
///
/// Containers want ISO 639-2 instead; `container` gives that. Two languages are `sameLanguage` when their primary
/// subtags agree, whatever the region.
public struct Language: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// The tag in its usual case: language lower, Script title, REGION upper.
    public let tag: String

    /// Reads a BCP 47 tag, or an ISO 639-2 code as containers carry them (`spa`, `fre`, `fra`).
    ///
    /// - Throws: `language.unknown` for a malformed tag or a language that dubmill has no name for.
    public init(_ text: String) throws(DubError) {
        let parts = text.split(whereSeparator: { $0 == "-" || $0 == "_" }).map(String.init)
        guard let first = parts.first?.lowercased(), let entry = Self.table[first] ?? Self.byCode[first],
            parts.dropFirst().allSatisfy({ (1...8).contains($0.count) && $0.allSatisfy(Self.isAlphanumeric) })
        else {
            throw DubError(
                .languageUnknown, "“\(text)” is not a language that dubmill knows.", at: text,
                fix: "Give a BCP 47 tag such as es, fr, pt-BR or zh.")
        }
        let rest = parts.dropFirst().map { part in
            switch part.count {
            case 2: part.uppercased()
            case 4: part.prefix(1).uppercased() + part.dropFirst().lowercased()
            default: part.lowercased()
            }
        }
        tag = ([entry.primary] + rest).joined(separator: "-")
    }

    private static func isAlphanumeric(_ character: Character) -> Bool {
        character.isASCII && (character.isLetter || character.isNumber)
    }

    /// The primary subtag: `pt` of `pt-BR`.
    public var primary: String { String(tag.prefix { $0 != "-" }) }

    /// The ISO 639-2 code that containers carry (the bibliographic one, as Matroska and MP4 files have it).
    public var container: String { Self.table[primary]?.container ?? "und" }

    /// The name in English, with the rest of the tag behind it: `Portuguese (BR)`.
    public var name: String {
        let base = Self.table[primary]?.name ?? primary
        let rest = tag.dropFirst(primary.count + 1)
        return rest.isEmpty ? base : "\(base) (\(rest))"
    }

    /// Whether both are the same language, whatever region or script.
    public func sameLanguage(as other: Language) -> Bool { primary == other.primary }

    /// The tag.
    public var description: String { tag }

    /// Orders by tag.
    public static func < (left: Language, right: Language) -> Bool { left.tag < right.tag }

    private struct Entry {
        var primary: String
        var container: String
        var name: String
    }

    /// Primary subtag, ISO 639-2/B code, ISO 639-2/T code, English name. Source: ISO 639 registration authority.
    private static let rows: [(String, String, String, String)] = [
        ("af", "afr", "afr", "Afrikaans"), ("am", "amh", "amh", "Amharic"), ("ar", "ara", "ara", "Arabic"),
        ("as", "asm", "asm", "Assamese"), ("az", "aze", "aze", "Azerbaijani"), ("ba", "bak", "bak", "Bashkir"),
        ("be", "bel", "bel", "Belarusian"), ("bg", "bul", "bul", "Bulgarian"), ("bn", "ben", "ben", "Bengali"),
        ("bo", "tib", "bod", "Tibetan"), ("br", "bre", "bre", "Breton"), ("bs", "bos", "bos", "Bosnian"),
        ("ca", "cat", "cat", "Catalan"), ("cs", "cze", "ces", "Czech"), ("cy", "wel", "cym", "Welsh"),
        ("da", "dan", "dan", "Danish"), ("de", "ger", "deu", "German"), ("el", "gre", "ell", "Greek"),
        ("en", "eng", "eng", "English"), ("eo", "epo", "epo", "Esperanto"), ("es", "spa", "spa", "Spanish"),
        ("et", "est", "est", "Estonian"), ("eu", "baq", "eus", "Basque"), ("fa", "per", "fas", "Persian"),
        ("fi", "fin", "fin", "Finnish"), ("fo", "fao", "fao", "Faroese"), ("fr", "fre", "fra", "French"),
        ("ga", "gle", "gle", "Irish"), ("gl", "glg", "glg", "Galician"), ("gu", "guj", "guj", "Gujarati"),
        ("ha", "hau", "hau", "Hausa"), ("haw", "haw", "haw", "Hawaiian"), ("he", "heb", "heb", "Hebrew"),
        ("hi", "hin", "hin", "Hindi"), ("hr", "hrv", "hrv", "Croatian"), ("ht", "hat", "hat", "Haitian Creole"),
        ("hu", "hun", "hun", "Hungarian"), ("hy", "arm", "hye", "Armenian"), ("id", "ind", "ind", "Indonesian"),
        ("is", "ice", "isl", "Icelandic"), ("it", "ita", "ita", "Italian"), ("ja", "jpn", "jpn", "Japanese"),
        ("jw", "jav", "jav", "Javanese"), ("ka", "geo", "kat", "Georgian"), ("kk", "kaz", "kaz", "Kazakh"),
        ("km", "khm", "khm", "Khmer"), ("kn", "kan", "kan", "Kannada"), ("ko", "kor", "kor", "Korean"),
        ("la", "lat", "lat", "Latin"), ("lb", "ltz", "ltz", "Luxembourgish"), ("ln", "lin", "lin", "Lingala"),
        ("lo", "lao", "lao", "Lao"), ("lt", "lit", "lit", "Lithuanian"), ("lv", "lav", "lav", "Latvian"),
        ("mg", "mlg", "mlg", "Malagasy"), ("mi", "mao", "mri", "Maori"), ("mk", "mac", "mkd", "Macedonian"),
        ("ml", "mal", "mal", "Malayalam"), ("mn", "mon", "mon", "Mongolian"), ("mr", "mar", "mar", "Marathi"),
        ("ms", "may", "msa", "Malay"), ("mt", "mlt", "mlt", "Maltese"), ("my", "bur", "mya", "Burmese"),
        ("nb", "nob", "nob", "Norwegian Bokmål"), ("ne", "nep", "nep", "Nepali"), ("nl", "dut", "nld", "Dutch"),
        ("nn", "nno", "nno", "Norwegian Nynorsk"), ("no", "nor", "nor", "Norwegian"), ("oc", "oci", "oci", "Occitan"),
        ("pa", "pan", "pan", "Punjabi"), ("pl", "pol", "pol", "Polish"), ("ps", "pus", "pus", "Pashto"),
        ("pt", "por", "por", "Portuguese"), ("ro", "rum", "ron", "Romanian"), ("ru", "rus", "rus", "Russian"),
        ("sa", "san", "san", "Sanskrit"), ("sd", "snd", "snd", "Sindhi"), ("si", "sin", "sin", "Sinhala"),
        ("sk", "slo", "slk", "Slovak"), ("sl", "slv", "slv", "Slovenian"), ("sn", "sna", "sna", "Shona"),
        ("so", "som", "som", "Somali"), ("sq", "alb", "sqi", "Albanian"), ("sr", "srp", "srp", "Serbian"),
        ("su", "sun", "sun", "Sundanese"), ("sv", "swe", "swe", "Swedish"), ("sw", "swa", "swa", "Swahili"),
        ("ta", "tam", "tam", "Tamil"), ("te", "tel", "tel", "Telugu"), ("tg", "tgk", "tgk", "Tajik"),
        ("th", "tha", "tha", "Thai"), ("tk", "tuk", "tuk", "Turkmen"), ("tl", "tgl", "tgl", "Tagalog"),
        ("tr", "tur", "tur", "Turkish"), ("tt", "tat", "tat", "Tatar"), ("uk", "ukr", "ukr", "Ukrainian"),
        ("ur", "urd", "urd", "Urdu"), ("uz", "uzb", "uzb", "Uzbek"), ("vi", "vie", "vie", "Vietnamese"),
        ("yi", "yid", "yid", "Yiddish"), ("yo", "yor", "yor", "Yoruba"), ("yue", "chi", "yue", "Cantonese"),
        ("zh", "chi", "zho", "Chinese"), ("zu", "zul", "zul", "Zulu"),
    ]

    private static let table = Dictionary(
        rows.map { ($0.0, Entry(primary: $0.0, container: $0.1, name: $0.3)) }, uniquingKeysWith: { $1 })

    private static let byCode = Dictionary(
        rows.flatMap { row in
            [row.1, row.2].map { ($0, Entry(primary: row.0, container: row.1, name: row.3)) }
        }, uniquingKeysWith: { _, later in later })
}

extension Language: Codable, CodingKeyRepresentable {
    /// Reads a tag.
    public init(from decoder: any Decoder) throws {
        try self.init(decoder.singleValueContainer().decode(String.self))
    }

    /// Writes the tag.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(tag)
    }

    /// The tag, so that a dictionary by language is a JSON object.
    public var codingKey: any CodingKey { TagKey(tag) }

    /// Reads a tag from a JSON member's name.
    public init?<Key: CodingKey>(codingKey: Key) {
        try? self.init(codingKey.stringValue)
    }

    private struct TagKey: CodingKey {
        var stringValue: String
        var intValue: Int? { nil }
        init(_ tag: String) { stringValue = tag }
        init?(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }
}
