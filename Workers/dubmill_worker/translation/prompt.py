"""What the language model is asked."""

from __future__ import annotations

import re

from .languages import name_of

Message = dict[str, str]

REGISTERS = {
    "formal": "Use a polite, formal register throughout. ",
    "informal": "Use an informal, friendly register throughout. ",
    "neutral": "",
}

_SYSTEM = (
    "You are a professional translator. Translate the user's text from {source} into {target}. "
    "{register}Keep proper names. Output only the translation."
)
_CONTEXT = "The text is a part of: “{around}”"
_FIRM = (
    "The last answer was refused because it {wrong}. Answer with one line of plain {target}: "
    "the translation of the whole text, nothing else."
)

_MAX_CONTEXT_CHARACTERS = 160
_ENDS = re.compile(r"[.!?…。！？][\"'”’»)]*\s*$")
_BEFORE_ENDS = re.compile(r"[.!?…。！？:;][\"'”’»)]*\s*$")
_SHORT_WORDS = 3


def messages(
    text: str,
    source: str,
    target: str,
    register: str = "formal",
    before: list[str] | None = None,
    after: list[str] | None = None,
    rejected: list[str] | None = None,
) -> list[Message]:
    """A chat that ends with the line to translate.

    The first message is the same for all lines of a pair, so that the model's cache keeps it.
    `rejected` says what was wrong with the answer before; then the neighbours are left out,
    since what they do worst is to come along in the translation.

    Examples in the chat were tried and left out: with three of them the 1.5B model followed
    their wording rather than the line's (BLEU 20 instead of 25 on human-translated prompts), at
    a quarter more time. So was context for every line: on whole sentences it cost up to five
    BLEU, since it is translated along; on fragments it gained one.
    """
    from_name, to_name = name_of(source) or source, name_of(target) or target
    system = _SYSTEM.format(source=from_name, target=to_name, register=REGISTERS[register])
    around = _around(text, before or [], after or [])
    chat = [{"role": "system", "content": system}]
    if rejected:
        firm = _FIRM.format(wrong=" and ".join(rejected), target=to_name)
        chat.append({"role": "system", "content": firm})
    elif around:
        chat.append({"role": "system", "content": _CONTEXT.format(around=around)})
    return [*chat, {"role": "user", "content": text}]


def stands_alone(text: str, before: list[str]) -> bool:
    """Whether a line can be understood without its neighbours: a whole sentence of some length."""
    if len(text.split()) <= _SHORT_WORDS or not _ENDS.search(text) or text[:1].islower():
        return False
    return not before or bool(_BEFORE_ENDS.search(before[-1]))


def _around(text: str, before: list[str], after: list[str]) -> str:
    if stands_alone(text, before):
        return ""
    earlier = " ".join(before[-1:])[-_MAX_CONTEXT_CHARACTERS:].strip()
    later = " ".join(after[:1])[:_MAX_CONTEXT_CHARACTERS].strip()
    return f"{earlier} … {later}".strip() if earlier or later else ""
