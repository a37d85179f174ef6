"""How many syllables a text has when it is said: what its length in time follows, far better than its letters do."""

from __future__ import annotations

import re
import unicodedata

from ..protocol import primary

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*|\d+")
_VOWELS = "aeiouyàáâãäåæèéêëìíîïòóôõöøœùúûüýÿąęı"
_GROUP = re.compile(f"[{_VOWELS}]+")
_SYLLABLES_A_DIGIT = 2.2
"""Digits as they are said, over the numbers of one to four digits in five languages."""

_SPANISH = re.compile(
    r"[íú](?=[aeo])|(?<=[aeo])[íú]|[aeoáéó](?=[aeoáéó])|[iuüy]?[aeoáéóíú][iuüy]?|[iuüy]+|[aeoáéóíú]"
)
_SILENT_U = re.compile(r"(?<=[qg])u(?=[eiéí])")


def count(text: str, language: str) -> int:
    """The syllables of a text; an estimate, within a tenth for Latin scripts over a sentence.

    Of other scripts each letter counts as one syllable, which holds for Japanese and Chinese
    and is near enough for Korean; elsewhere it is too many.
    """
    language = primary(language)
    total = 0.0
    for word in _WORD.findall(unicodedata.normalize("NFC", text).lower()):
        if word.isdigit():
            total += max(1.0, _SYLLABLES_A_DIGIT * len(word))
        else:
            total += max(1, _of_word(word, language))
    return round(total)


def _of_word(word: str, language: str) -> int:
    if not any("LATIN" in unicodedata.name(c, "") for c in word):
        return len(word)
    if language in ("es", "ca", "it", "pt"):
        word = _SILENT_U.sub("", word)
        word = word.replace("ã", "a").replace("õ", "o").replace("ê", "é").replace("ô", "ó")
        word = word.replace("à", "á").replace("è", "é").replace("ò", "ó").replace("â", "á")
        word = word.replace("ì", "í").replace("ù", "ú")
        if language == "it":  # ciao, giusto, figlio: the i only softens.
            word = re.sub(r"(?<=[cg])i(?=[aou])|(?<=gl)i(?=[aeou])|(?<=sc)i(?=[aeou])", "", word)
        return len(_SPANISH.findall(word))
    groups = len(_GROUP.findall(word))
    if language == "fr":
        # é, è at the end are said; e, es, ent after a consonant are not.
        silent = re.search(rf"[^{_VOWELS}](?:e|es|ent)$", word)
        return groups - 1 if silent and groups > 1 else groups
    if language == "en":
        if re.search(rf"[^{_VOWELS}l]e$|[^{_VOWELS}td]ed$|[^{_VOWELS}sxzgc]es$", word) and groups > 1:
            groups -= 1
        return groups + len(re.findall(r"i[ao](?!u|n)|eo|ua", word))
    return groups
