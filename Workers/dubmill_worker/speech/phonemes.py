"""Phonemes for Kokoro: espeak-ng's IPA in the letters that Kokoro was trained on.

The mappings are those of misaki, Kokoro's own front end (its espeak module).
"""

from __future__ import annotations

import re

_TIE = "^"

_COMMON = [
    ("a^ɪ", "I"),
    ("a^ʊ", "W"),
    ("d^z", "ʣ"),
    ("d^ʒ", "ʤ"),
    ("e^ɪ", "A"),
    ("o^ʊ", "O"),
    ("ə^ʊ", "Q"),
    ("s^s", "S"),
    ("t^s", "ʦ"),
    ("t^ʃ", "ʧ"),
    ("ɔ^ɪ", "Y"),
]

_ENGLISH = [
    ("ʔˌn\u0329", "tᵊn"),
    ("ʔn\u0329", "tᵊn"),
    ("ʔn", "tᵊn"),
    ("ʔ", "t"),
    ("a^ɪ", "I"),
    ("a^ʊ", "W"),
    ("d^ʒ", "ʤ"),
    ("e^ɪ", "A"),
    ("e", "A"),
    ("t^ʃ", "ʧ"),
    ("ɔ^ɪ", "Y"),
    ("ə^l", "ᵊl"),
    ("ʲo", "jo"),
    ("ʲə", "jə"),
    ("ʲ", ""),
    ("ɚ", "əɹ"),
    ("r", "ɹ"),
    ("x", "k"),
    ("ç", "k"),
    ("ɐ", "ə"),
    ("ɬ", "l"),
    ("\u0303", ""),
    ("o^ʊ", "O"),
    ("ɜːɹ", "ɜɹ"),
    ("ɜː", "ɜɹ"),
    ("ɪə", "iə"),
    ("ː", ""),
]

_SWITCH = re.compile(r"\([a-z-]+\)")


def to_kokoro(ipa: str, language: str) -> str:
    """Map espeak-ng's IPA, written with `--tie=^`, to Kokoro's letters."""
    ipa = _SWITCH.sub("", ipa)
    for old, new in _ENGLISH if language == "en" else _COMMON:
        ipa = ipa.replace(old, new)
    if language == "en":
        # A syllabic consonant is a schwa before it.
        ipa = re.sub(r"(\S)\u0329", r"ᵊ\1", ipa).replace("\u0329", "")
    return ipa.replace(_TIE, "").replace("-", "")


_CLAUSE = re.compile(r"([,.;:!?…]+)\s*")


def clauses(text: str) -> list[tuple[str, str]]:
    """A text cut at its punctuation: each clause with the mark that ends it.

    espeak-ng drops punctuation from its phonemes, and Kokoro needs it for melody and pauses.
    Marks inside numbers and abbreviations (`3.5`, `a.m.`) do not end a clause.
    """
    found: list[tuple[str, str]] = []
    start = 0
    for match in _CLAUSE.finditer(text):
        ends = match.end() == len(text) or match.end() > match.end(1)
        if not ends:
            continue
        clause = text[start : match.start()].strip()
        if any(c.isalnum() for c in clause):
            found.append((clause, match.group(1)[0]))
        start = match.end()
    rest = text[start:].strip()
    if any(c.isalnum() for c in rest):
        found.append((rest, ""))
    return found
