internal import DubCore
internal import Foundation

/// Terms and what they are called in a language; a term that is not to be translated is called by its own name.
struct Glossary: Codable, Hashable, Sendable {
    /// What the term is called, by the term in the language that is spoken.
    var terms: [String: String]

    /// Those terms that occur in a text: whole words, in any case.
    func occurring(in text: String) -> Glossary {
        Glossary(terms: terms.filter { Lexicon.holds($0.key, text) })
    }

    /// The text with its terms in the words of the other language, which engines take over as they are: data for a
    /// constrained translation without an engine's help (G. Dinu et al., Training Neural Machine Translation to Apply
    /// Terminology Constraints, ACL 2019, the `replace` form).
    ///
    /// - Parameter quotes: put around each, for engines that would inflect or translate it.
    func applied(to text: String, quotes: (String, String) = ("", "")) -> String {
        Lexicon.applied(terms.mapValues { quotes.0 + $0 + quotes.1 }, to: text)
    }

    /// What the terms are called, of those that a translation lacks; case, accents and endings do not count.
    func missing(in translation: String) -> [String] {
        terms.values.filter {
            translation.range(of: $0, options: [.caseInsensitive, .diacriticInsensitive]) == nil
        }.sorted()
    }
}

extension [String: Glossary] {
    /// The glossary for a language: its tag's over its primary subtag's over that for `any`.
    subscript(_ language: Language) -> Glossary? {
        let terms = ["any", language.primary, language.tag].reduce(into: [:]) { terms, name in
            terms.merge(self[name]?.terms ?? [:]) { $1 }
        }
        return terms.isEmpty ? nil : Glossary(terms: terms)
    }
}
