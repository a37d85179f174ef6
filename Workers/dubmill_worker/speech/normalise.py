"""Text as a speech engine can say it."""

from __future__ import annotations

import re
import unicodedata

_AND = {
    "en": "and",
    "es": "y",
    "fr": "et",
    "it": "e",
    "pt": "e",
    "de": "und",
    "ca": "i",
    "nl": "en",
}

_PLAIN = str.maketrans(
    {
        "\u2018": "'",
        "\u2019": "'",
        "\u201b": "'",
        "\u02bc": "'",
        "\u00b4": "'",
        "`": "'",
        "\u2026": "...",
        "\u2212": "-",
        "\u2010": "-",
        "\u2011": "-",
        "\uff0c": ",",
        "\uff1f": "?",
        "\uff01": "!",
    }
)

_QUOTES = re.compile(r"[\"\u201c\u201d\u201e\u201f\u00ab\u00bb\u2039\u203a\u300c\u300d]")
_DASHES = re.compile(r"\s*[\u2012-\u2015]\s*|\s+-+\s+|--+")
_MARKUP = re.compile(r"[<>{}\[\]|\\^~*_#=]")
_SPACES = re.compile(r"\s+")
_UNSPEAKABLE = frozenset({"So", "Sk", "Cs", "Co", "Cn", "Cc", "Cf", "Me"})


def speakable(text: str, language: str) -> str:
    """The text without what an engine cannot say: quotes, dashes, markup, emoji.

    Dashes between words become commas, `&` the word for it. Returns an empty string where
    nothing is left that can be said.
    """
    text = unicodedata.normalize("NFC", text).translate(_PLAIN)
    text = _QUOTES.sub("", text)
    if language in _AND:
        text = text.replace("&", f" {_AND[language]} ")
    text = _MARKUP.sub(" ", text)
    text = "".join(" " if _dropped(c) else c for c in text)
    text = _DASHES.sub(", ", text)
    text = re.sub(r"([!?,;:])\1+", r"\1", text)
    text = re.sub(r"\.{4,}", "...", text)
    text = re.sub(r"\s+([,.;:!?])", r"\1", text)
    text = re.sub(r"^[\s,;:.]+", "", text)
    text = re.sub(r",\s*(?=[,.;:!?])", "", text)
    text = _SPACES.sub(" ", text).strip(" ,;:-")
    return text if any(c.isalnum() for c in text) else ""


def _dropped(character: str) -> bool:
    if character in "\u200c\u200d":  # Joiners: letters in Persian and Indic scripts.
        return False
    return unicodedata.category(character) in _UNSPEAKABLE or "\ufe00" <= character <= "\ufe0f"
