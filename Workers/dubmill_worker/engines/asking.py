"""What all language models share that translate: the prompt, the checks, the second try."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from ..protocol import WorkerError, bad, lines_of, primary, text_of
from ..schedule import Cancel
from ..translation.checks import clean, faults
from ..translation.languages import SCRIPTS, name_of
from ..translation.prompt import REGISTERS, Message, messages
from .base import Engine, Job

_MAX_CHARACTERS = 1500
_ATTEMPTS = 2


class Asking(Engine):
    """translate, by asking a language model line by line."""

    @abstractmethod
    def ask(
        self, chat: list[Message], limit: int, again: bool, cancel: Cancel
    ) -> tuple[str, bool]:
        """The model's answer in at most `limit` tokens, and whether it came to an end by itself.

        `again`: the answer before was refused. Raises WorkerError or Cancelled.
        """

    def capability(self, task: str) -> dict[str, Any]:
        """Every pair of the model's languages."""
        return {"languages": list(self.model.languages)}

    def perform(self, job: Job) -> dict[str, Any]:
        """`{text, engine, attempts, notes}`; asks twice at most, then `rejected_output`."""
        text = " ".join(text_of(job.item, "text").split())
        source, target = text_of(job.item, "source"), text_of(job.item, "target")
        for language in (source, target):
            if name_of(language) is None or primary(language) not in self.model.languages:
                known = ", ".join(self.model.languages)
                message = f"{self.model.name} does not know {language!r}; it knows {known}"
                raise WorkerError("unsupported_language", message)
        if not text:
            raise WorkerError("rejected_output", "there is no text to translate")
        if not any(c.isalnum() for c in text):
            return {
                "text": text,
                "engine": self.model.name,
                "attempts": 0,
                "draft": False,
                "notes": ["no words"],
            }
        if len(text) > _MAX_CHARACTERS:
            raise bad(f"the line has {len(text)} characters; {_MAX_CHARACTERS} are allowed")
        before, after = lines_of(job.item, "before"), lines_of(job.item, "after")
        register = job.options.get("register", "formal")
        if register not in REGISTERS:
            raise bad(f"register {register!r} is unknown; {', '.join(REGISTERS)}")
        notes: list[str] = []
        wrong: list[str] = []
        for attempt_number in range(1, _ATTEMPTS + 1):
            chat = messages(text, source, target, register, before, after, wrong)
            limit = token_limit(text, source, target)
            answer, finished = self.ask(chat, limit, bool(wrong), job.cancel)
            translation = clean(answer, text)
            wrong = faults(text, translation, source, target)
            if not finished:
                wrong.append("did not end")
            if not wrong:
                return {
                    "text": translation,
                    "engine": self.model.name,
                    "attempts": attempt_number,
                    "draft": self.model.draft,
                    "notes": notes,
                }
            notes.append(f"attempt {attempt_number} rejected: {'; '.join(wrong)}")
        raise WorkerError("rejected_output", f"{'; '.join(wrong)}: {translation!r}")


def token_limit(text: str, source: str, target: str) -> int:
    """Tokens that a translation of this text can need, so that a loop ends early.

    Latin text has about three characters a token, other scripts one or two; a Chinese or
    Japanese character becomes several Latin ones.
    """
    if primary(source) in ("ja", "ko", "th", "zh"):
        share = 2.5
    elif primary(target) in SCRIPTS:
        share = 1.5
    else:
        share = 0.7
    return 24 + round(share * len(text))
