"""Whether a language model's answer is the translation that was asked for."""

from __future__ import annotations

import re
import zlib

from ..protocol import primary
from .languages import FUNCTION_WORDS, SCRIPTS, function_word_hits, scripts_of, words_of

_LABEL = re.compile(
    r"^\s*(?:the\s+)?(?:translation|traducci[oó]n|traduction|traduzione|tradu[cç][aã]o|"
    r"[uü]bersetzung|перевод|翻译|翻訳|번역|"
    r"spanish|english|french|italian|portuguese|german|russian|japanese|chinese|korean|"
    r"espa[ñn]ol|ingl[eé]s|fran[cç]ais|italiano|portugu[eê]s|deutsch|русский)"
    r"(?:\s+(?:translation|line|is))?\s*[:：]\s*",
    re.IGNORECASE,
)

_QUOTE_PAIRS = {'"': '"', "“": "”", "«": "»", "„": "“", "'": "'", "‘": "’", "「": "」"}

_REMARK = re.compile(
    r"\s*[(\[](?:note|nota|translation|traducci[oó]n|literal)\b[^)\]]*[)\]]\s*$", re.I
)

_ANSWER = re.compile(
    r"as an ai\b|language model|modelo de lenguaje|mod[eè]le de langage|modello linguistico|"
    r"modelo de linguagem|sprachmodell|"
    r"(?:here|this) is the (?:translation|translated)|the translation (?:is|of|would)|"
    r"aqu[ií] (?:est[aá]|tiene[s]?) la traducci[oó]n|la traducci[oó]n (?:es|de|ser[ií]a)|"
    r"voici la traduction|la traduction (?:est|de|serait)|ecco la traduzione|"
    r"aqui est[aá] a tradu[cç][aã]o|a tradu[cç][aã]o (?:é|de|seria)|"
    r"i(?:'m| am) sorry,? but i (?:can(?:'t|not)|am unable)|"
    r"lo siento,? pero no puedo (?:traducir|ayudar|asistir)|"
    r"je suis d[eé]sol[eé],? mais je ne peux pas (?:traduire|vous aider)|"
    r"please provide the (?:text|line)|proporcion[ae](?:me)? el texto",
    re.IGNORECASE,
)

_SPACELESS = frozenset({"ja", "zh", "th"})
_SHORT_LETTERS = 12


def clean(answer: str, source_text: str) -> str:
    """The answer without what models like to put around a translation.

    Takes off a label (`Translation:`), quotes that the source does not have, a closing remark in
    brackets, and all but the first line.
    """
    lines = [line.strip() for line in answer.strip().splitlines() if line.strip()]
    text = lines[0] if lines else ""
    if not _LABEL.match(source_text):
        text = _LABEL.sub("", text)
    if not _REMARK.search(source_text):
        text = _REMARK.sub("", text)
    text = text.strip()
    opening = text[:1]
    if (
        len(text) > 1
        and _QUOTE_PAIRS.get(opening) == text[-1]
        and opening not in text[1:-1]
        and source_text.strip()[:1] not in _QUOTE_PAIRS
    ):
        text = text[1:-1].strip()
    text = _unpaired(text)
    return " ".join(text.split())


def _unpaired(text: str) -> str:
    """Without an opening `¡` or `¿` whose partner never comes, which small models forget."""
    for opening, closing in (("¡", "!"), ("¿", "?")):
        if text.startswith(opening) and closing not in text:
            text = text[1:]
    return text


def faults(source_text: str, text: str, source: str, target: str) -> list[str]:
    """What is wrong with a cleaned answer; empty when nothing is.

    Lenient with short lines, where most measures mean little: a name, a number or an
    exclamation may stay as it is.
    """
    source, target = primary(source), primary(target)
    if not any(c.isalnum() for c in text):
        return ["empty"]
    checks = [
        _length(source_text, text, target),
        _repetition(source_text, text),
        _untranslated(source_text, text, source, target),
        _script(source_text, text, target),
        _language(text, source, target),
        _answer(source_text, text),
        _more(source_text, text),
    ]
    return [fault for fault in checks if fault]


def _length(source_text: str, text: str, target: str) -> str:
    given, got = len(source_text), len(text)
    low, high = (0.1, 2.0) if target in _SPACELESS else (0.35, 2.2)
    if primary(target) == "ko":
        low = 0.2
    if got > given * high + 20:
        return f"too long: {got} characters for {given}"
    if given > 24 and got < given * low:
        return f"too short: {got} characters for {given}"
    return ""


def _repetition(source_text: str, text: str) -> str:
    words = words_of(text)
    own = words_of(source_text)
    for size in range(1, 7):
        for start in range(len(words) - size * 3 + 1):
            unit = words[start : start + size]
            thrice = all(words[start + k * size : start + (k + 1) * size] == unit for k in (1, 2))
            # "no, no, no" is fair when the source says it thrice as well.
            if thrice and not _has_triple(own):
                return f"repeats itself: {' '.join(unit)!r}"
    if len(text) > 80:
        ratio = len(text.encode()) / len(zlib.compress(text.encode()))
        if ratio > 2.4:
            return f"repeats itself: compresses {ratio:.1f} times"
    return ""


def _has_triple(words: list[str]) -> bool:
    return any(
        words[i : i + size] == words[i + size : i + 2 * size] == words[i + 2 * size : i + 3 * size]
        for size in range(1, 7)
        for i in range(len(words) - size * 3 + 1)
    )


def _untranslated(source_text: str, text: str, source: str, target: str) -> str:
    """The same words as the source's: wrong unless they are names, numbers or an interjection."""
    if source == target or words_of(source_text) != words_of(text):
        return ""
    hits = function_word_hits(source_text, source)
    foreign = function_word_hits(source_text, target)
    plain = [w for w in re.findall(r"[^\W\d_]+", source_text)[1:] if w[:1].islower()]
    if hits > foreign or (len(plain) >= 2 and hits >= foreign):
        return "is the source, not translated"
    return ""


def _script(source_text: str, text: str, target: str) -> str:
    letters = scripts_of(text)
    total = sum(letters.values())
    if not total:
        return ""
    wanted = SCRIPTS.get(target, ("LATIN",))
    own = sum(letters.get(script, 0) for script in wanted)
    # Names may keep the letters that the source writes them in, but not more than half of all.
    given = scripts_of(source_text)
    strange = [s for s in letters if s not in wanted and s not in given and s != "LATIN"]
    if strange:
        return f"has {strange[0].lower()} letters"
    if own * 2 < total and not (total <= _SHORT_LETTERS and source_text.strip() == text.strip()):
        return f"is not written in {wanted[0].lower()} letters"
    return ""


def _language(text: str, source: str, target: str) -> str:
    """In which language the function words are. Says nothing when there are hardly any."""
    if target not in FUNCTION_WORDS:
        return ""
    own = function_word_hits(text, target)
    count = len(words_of(text))
    if source in FUNCTION_WORDS and source != target:
        still = function_word_hits(text, source)
        if still >= 2 and still > own * 1.5 + 1:
            return f"is still in {source}: {still} of its words against {own} in {target}"
    for other, known in FUNCTION_WORDS.items():
        if other in (source, target):
            continue
        hits = sum(word in known for word in words_of(text))
        if count >= 5 and hits >= 4 and hits > own * 2 + 1:
            return f"looks like {other}, not {target}"
    return ""


def _answer(source_text: str, text: str) -> str:
    found = _ANSWER.search(text)
    if found and not _ANSWER.search(source_text):
        return f"is an answer, not a translation: {found.group(0)!r}"
    if "```" in text or text.startswith(("#", "- [", "1. **")):
        return "is markup, not a translation"
    return ""


_SENTENCE = re.compile(r"[.!?…。！？]+(?=\s|$)")


def _more(source_text: str, text: str) -> str:
    """Whether the answer goes on where the line ends: a neighbour was translated along."""
    given = len(_SENTENCE.findall(source_text)) or 1
    got = len(_SENTENCE.findall(text))
    longer = len(text) > 1.6 * len(source_text)
    return f"has {got} sentences for {given}" if got > given and longer else ""
