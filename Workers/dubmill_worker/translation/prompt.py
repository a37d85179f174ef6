"""What the language model is asked."""

from __future__ import annotations

from ..protocol import primary
from .languages import name_of

Message = dict[str, str]

_BEFORE_LINES, _AFTER_LINES = 2, 1
_CONTEXT_CHARACTERS = 160


def messages(
    text: str,
    source: str,
    target: str,
    before: list[str],
    after: list[str],
    rejected: list[str] | None = None,
) -> list[Message]:
    """A chat that ends with the line to translate.

    Everything up to the line's own message is the same for all lines of a pair, so that the
    model keeps it in its cache. `rejected` says what was wrong with the answer before.
    """
    from_name, to_name = name_of(source), name_of(target)
    chat = [{"role": "system", "content": f"You translate lines of a video from {from_name} to {to_name}. Answer with the translation alone."}]
    chat.append({"role": "user", "content": text})
    return chat
