"""Translation by an instruct model in GGUF, run by llama.cpp."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from ..protocol import WorkerError, bad, lines_of, primary, text_of
from ..schedule import Cancel
from ..translation.checks import clean, faults
from ..translation.languages import SCRIPTS, name_of
from ..translation.prompt import REGISTERS, Message, messages
from .base import Call, Context, Done, Engine, Job, attempt

_GROUP = 4
_CONTEXT_TOKENS = 1536
_MAX_CHARACTERS = 1500
_ATTEMPTS = 2
_SIGN = "\u241e"


class Llama(Engine):
    """translate, one line at a time on all cores.

    Two lines side by side would take a seventh less time. But then the shapes of the matrices,
    and with them the last bits of the sums, depend on which lines meet; and now and then a
    translation does too. For the same reason every line finds the cache in the same state.
    """

    revision = 1

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.cores = context.threads

    def load(self) -> None:
        """Load the weights. llama.cpp insists on listening: on a socket that is removed at once."""
        # Its threads meet at a barrier hundreds of times a token. Spinning there while another
        # process has one of the cores made a batch four times slower; sleeping costs nothing
        # measurable when the cores are free. Read when the library is loaded, so set first.
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
        import xllamacpp

        threads = self.context.threads
        params = xllamacpp.CommonParams()
        params.model.path = str(self.context.store.folder(self.model.name) / "model.gguf")
        params.n_parallel = 1
        params.n_ctx = _CONTEXT_TOKENS
        params.cache_ram_mib = 0
        params.cpuparams.n_threads = threads
        params.cpuparams_batch.n_threads = threads
        params.sampling.temp = 0.0
        params.warmup = False
        params.verbosity = 0
        params.endpoint_slots = False
        private = Path(tempfile.mkdtemp(prefix="dubmill-"))
        try:
            params.hostnames = [str(private / "llama.sock")]
            self._server = xllamacpp.Server(params)
        except RuntimeError as error:
            raise WorkerError("internal", f"{self.model.name} does not load: {error}") from error
        finally:
            shutil.rmtree(private, ignore_errors=True)
        self._cached: Message | None = None
        self._first = b""

    def capability(self, task: str) -> dict[str, Any]:
        """Every pair of the model's languages."""
        return {"languages": list(self.model.languages)}

    def grouped(self, jobs: Sequence[Job]) -> Iterator[tuple[Call, list[Job]]]:
        """A few lines a call, so that the cores are held for a few seconds at a time."""
        for first in range(0, len(jobs), _GROUP):
            group = list(jobs[first : first + _GROUP])
            yield partial(self._together, group), group

    def _together(self, group: list[Job], done: Done) -> None:
        with self.context.cores.hold(self.cores, group[0].cancel) as granted:
            failure = attempt(self.ready)
            for job in group:
                if isinstance(failure, WorkerError):
                    done(job, failure)
                else:
                    done(job, attempt(partial(self.counted, job, granted)))

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
            answer, finished = self._ask(
                chat, _token_limit(text, source, target), bool(wrong), job.cancel
            )
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

    def _settle(self, chat: list[Message]) -> None:
        """Bring the cache into the one state in which every line of a pair finds it.

        The cache has to end where the line begins. It does when the line before began with
        another byte; otherwise the two would share more than the instruction, and this one would
        be computed in other portions. Then a sign that no line begins with is put in between.
        """
        instruction, first = chat[0], chat[-1]["content"].encode()[:1]
        plain = len(chat) == 2
        known = self._cached == instruction
        if not (known and plain and self._first and self._first != first):
            self._server.handle_chat_completions(
                {
                    "messages": [instruction, {"role": "user", "content": _SIGN}],
                    "max_tokens": 0,
                    "cache_prompt": known,
                }
            )
        self._cached = instruction
        # What follows the instruction is not the line when neighbours are in between.
        self._first = first if plain else b""

    def _ask(
        self, chat: list[Message], limit: int, again: bool, cancel: Cancel
    ) -> tuple[str, bool]:
        """The model's answer, and whether it came to an end by itself.

        The second time repetition costs a little, or a loop would come out as it did before.
        """
        self._settle(chat)
        pieces: list[str] = []
        reasons: list[str] = []
        failures: list[str] = []

        def receive(chunk: Any) -> bool:
            for part in chunk if isinstance(chunk, list) else [chunk]:
                if "error" in part:
                    failures.append(str(part["error"]))
                    return True
                for choice in part.get("choices", ()):
                    pieces.append(choice.get("delta", {}).get("content") or "")
                    if choice.get("finish_reason"):
                        reasons.append(choice["finish_reason"])
            return cancel.is_set

        request = {
            "messages": chat,
            "max_tokens": limit,
            "temperature": 0.0,
            "top_k": 1,
            "seed": 1,
            "repeat_penalty": 1.1 if again else 1.0,
            "stop": ["\n"],
            "stream": True,
            "cache_prompt": True,
        }
        self._server.handle_chat_completions(request, receive)
        cancel.check()
        if failures:
            raise WorkerError("internal", f"{self.model.name}: {failures[0]}")
        return "".join(pieces), "length" not in reasons


def _token_limit(text: str, source: str, target: str) -> int:
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
